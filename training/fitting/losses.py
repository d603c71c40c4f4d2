"""Losses over partial labels: a class that a source does not label adds nothing.

Source: partial-label supervision by marginal probability (Fidon et al. 2021, arXiv 2107.03846);
batch soft Dice as in Drozdzal et al. 2016, arXiv 1608.04117.
"""

import functools
from collections.abc import Sequence

import torch

from chestct.labels import LESIONS, Label
from chestct.partial_labels import UNKNOWN, bits

# Probabilities of the four classes, each (N, H, W) float32, in the order of Label.
Planes = tuple[torch.Tensor, ...]
# The groups whose overlap is scored: what readers correct, and the whole lung, lesions included.
DICE_GROUPS: dict[str, tuple[Label, ...]] = {
    "infection": LESIONS,
    "ground_glass": (Label.GROUND_GLASS,),
    "consolidation": (Label.CONSOLIDATION,),
    "lung": (*LESIONS, Label.LUNG),
}
# Pixels added above and below the fraction, so that a handful of pixels cannot swing a step.
_DICE_SMOOTH = 10.0
# Below it the sum of the possible classes nears the end of float32: its logarithm is taken the slow way.
_SMALLEST_SUM = 1e-30


def class_planes(logits: torch.Tensor) -> Planes:
    """Softmax of (N, 4, H, W) logits as four (N, H, W) planes, in the order of Label.

    Planes, since sums over a dimension of four are several times slower than sums of four planes.
    """
    return logits.softmax(dim=1).unbind(dim=1)


def candidate_cross_entropy(
    logits: torch.Tensor, partial_labels: torch.Tensor, planes: Planes | None = None
) -> torch.Tensor:
    """Mean of -log(sum of the probabilities of the possible classes) over pixels that say anything.

    Args:
        logits: (N, 4, H, W) float32.
        partial_labels: (N, H, W) uint8, see `chestct.partial_labels`.
        planes: `class_planes(logits)`, where they are at hand.
    Returns:
        A scalar; 0 with zero gradients where no pixel is known.
    """
    known = (partial_labels != UNKNOWN) & (partial_labels != 0)
    planes = class_planes(logits) if planes is None else planes
    possible = _sum([planes[label] * _is_possible(partial_labels, label) for label in Label])
    if bool((known & (possible < _SMALLEST_SUM)).any()):
        per_pixel = _exact_cross_entropy(logits, partial_labels)
    else:
        per_pixel = -torch.where(known, possible, 1.0).log()
    return torch.where(known, per_pixel, 0.0).sum() / known.sum().clamp(min=1)


def _sum(planes: Sequence[torch.Tensor]) -> torch.Tensor:
    return functools.reduce(torch.add, planes)


def _is_possible(partial_labels: torch.Tensor, label: Label) -> torch.Tensor:
    return (partial_labels & int(bits(label))) != 0


def _exact_cross_entropy(logits: torch.Tensor, partial_labels: torch.Tensor) -> torch.Tensor:
    """(N, H, W), whatever the logits; infinite where no class is possible."""
    impossible = ~torch.stack([_is_possible(partial_labels, label) for label in Label], dim=1)
    return torch.logsumexp(logits, dim=1) - torch.logsumexp(logits.masked_fill(impossible, -torch.inf), dim=1)


def group_dice_loss(
    planes: Planes, partial_labels: torch.Tensor, group: tuple[Label, ...]
) -> torch.Tensor | None:
    """1 - soft Dice of a group of classes over the batch's pixels whose membership is decided.

    Args:
        planes: four (N, H, W) float32, summing to 1.
        partial_labels: (N, H, W) uint8.
    Returns:
        A scalar, or None where no pixel of the batch is known to be inside the group.
    """
    group_bits = int(bits(*group))
    may_be_inside = (partial_labels & group_bits) != 0
    may_be_outside = (partial_labels & (int(UNKNOWN) & ~group_bits)) != 0
    inside = may_be_inside & ~may_be_outside
    if not bool(inside.any()):
        return None
    decided = may_be_inside ^ may_be_outside
    predicted = _sum([planes[label] for label in group]) * decided
    overlap = (predicted * inside).sum()
    return 1 - (2 * overlap + _DICE_SMOOTH) / (predicted.sum() + inside.sum() + _DICE_SMOOTH)


def total_loss(
    logits: torch.Tensor, partial_labels: torch.Tensor, dice_weight: float
) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross-entropy plus the mean of the groups' Dice losses, and each part for the curve."""
    planes = class_planes(logits)
    cross_entropy = candidate_cross_entropy(logits, partial_labels, planes)
    dice = {
        name: loss
        for name, group in DICE_GROUPS.items()
        if (loss := group_dice_loss(planes, partial_labels, group)) is not None
    }
    total = cross_entropy
    if dice:
        total = total + dice_weight * torch.stack(list(dice.values())).mean()
    parts = {"cross_entropy": cross_entropy.item()}
    return total, parts | {f"dice_loss_{name}": loss.item() for name, loss in dice.items()}
