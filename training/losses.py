"""Losses over candidate maps: a class that a source does not label adds nothing.

Source: partial-label supervision by marginal probability (Fidon et al. 2021, arXiv 2107.03846);
batch soft Dice as in Drozdzal et al. 2016, arXiv 1608.04117.
"""

import torch

from chestct.candidates import UNKNOWN, bits
from chestct.labels import LESIONS, Label

# The groups whose overlap is scored: what readers correct, and the whole lung, lesions included.
DICE_GROUPS: dict[str, tuple[Label, ...]] = {
    "infection": LESIONS,
    "ground_glass": (Label.GROUND_GLASS,),
    "consolidation": (Label.CONSOLIDATION,),
    "lung": (*LESIONS, Label.LUNG),
}
# Pixels added above and below the fraction, so that a handful of pixels cannot swing a step.
_DICE_SMOOTH = 10.0


def allowed_classes(candidates: torch.Tensor) -> torch.Tensor:
    """(N, H, W) uint8 candidates to (N, 4, H, W) boolean: True where the class is possible."""
    bit = torch.tensor([1 << int(label) for label in Label], dtype=torch.uint8, device=candidates.device)
    return (candidates[:, None] & bit[None, :, None, None]) != 0


def candidate_cross_entropy(logits: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """Mean of -log(sum of the probabilities of the possible classes) over pixels that say anything.

    Args:
        logits: (N, 4, H, W) float32.
        candidates: (N, H, W) uint8, see `chestct.candidates`.
    Returns:
        A scalar; 0 with zero gradients where no pixel is known.
    """
    possible = torch.where(allowed_classes(candidates), 0.0, -torch.inf)
    per_pixel = torch.logsumexp(logits, dim=1) - torch.logsumexp(logits + possible, dim=1)
    known = (candidates != UNKNOWN) & (candidates != 0)
    return torch.where(known, per_pixel, 0.0).sum() / known.sum().clamp(min=1)


def group_dice_loss(
    probabilities: torch.Tensor, candidates: torch.Tensor, group: tuple[Label, ...]
) -> torch.Tensor | None:
    """1 - soft Dice of a group of classes over the batch's pixels whose membership is decided.

    Args:
        probabilities: (N, 4, H, W) float32, summing to 1 over classes.
        candidates: (N, H, W) uint8.
    Returns:
        A scalar, or None where no pixel of the batch is known to be inside the group.
    """
    group_bits = int(bits(*group))
    may_be_inside = (candidates & group_bits) != 0
    may_be_outside = (candidates & (int(UNKNOWN) & ~group_bits)) != 0
    inside = may_be_inside & ~may_be_outside
    if not bool(inside.any()):
        return None
    decided = may_be_inside ^ may_be_outside
    predicted = probabilities[:, [int(label) for label in group]].sum(dim=1) * decided
    overlap = (predicted * inside).sum()
    return 1 - (2 * overlap + _DICE_SMOOTH) / (predicted.sum() + inside.sum() + _DICE_SMOOTH)


def total_loss(
    logits: torch.Tensor, candidates: torch.Tensor, dice_weight: float
) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross-entropy plus the mean of the groups' Dice losses, and each part for the curve."""
    cross_entropy = candidate_cross_entropy(logits, candidates)
    probabilities = logits.softmax(dim=1)
    dice = {
        name: loss
        for name, group in DICE_GROUPS.items()
        if (loss := group_dice_loss(probabilities, candidates, group)) is not None
    }
    total = cross_entropy
    if dice:
        total = total + dice_weight * torch.stack(list(dice.values())).mean()
    parts = {"cross_entropy": cross_entropy.item()}
    return total, parts | {f"dice_loss_{name}": loss.item() for name, loss in dice.items()}
