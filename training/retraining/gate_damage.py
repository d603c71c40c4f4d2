"""Is the new version broken? Whatever else is shown, a damaged one serves nothing.

Phantoms judge damage and nothing else: a version that learned from a team's own slices does lose some Dice
on them (0.933 to 0.875 measured), and is no worse for it. Thresholds are our choice, far from what honest
retrains show and from what damage does; docs/gate.md has both.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.retraining.gate_evidence import DamageEvidence, Pair, SliceChange, with_lesion
from training.retraining.gate_rules import KINDS, Field, known, means

# What is left of the champion's Dice on phantoms, at least.
LESION_LEFT, LUNG_LEFT, KINDS_LEFT = 0.6, 0.8, 0.5
# A champion that finds less than this itself has nothing to lose.
FOUND_AT_ALL = 0.2
# Phantoms' lungs are a third diseased in the mean.
ALL_OF_PHANTOMS = 0.8
# Nearly all lung, where the champion calls less than half of it lesion, on half of such slices. Of the slices
# of a hospital whose mean involvement is 0.6, a fifth is so.
NEARLY_ALL, AT_MOST_HALF = 0.7, 0.5
# The champion sees a lesion of this share of the lung; of those the challenger keeps at least a tenth.
CLEAR_LESION, LESION_KEPT = 0.05, 0.1
# Of what both call lesion, the share of the same kind: below the first in all and below the second even in
# the best tenth of the slices, kinds are swapped; below the third people are told.
SAME_KIND, SAME_KIND_AT_BEST, SAME_KIND_USUAL = 0.25, 0.5, 0.6
FEWEST_CHANGES = 3
# Common lesion pixels of a slice, below which its kinds are luck.
_COMMON_PIXELS = 20


def damage_of(evidence: DamageEvidence) -> tuple[list[str], list[str], dict[str, Any]]:
    """What is broken, what people should know of, and the figures."""
    if not evidence.phantoms:
        return ["no phantom was scored, so damage cannot be told; retrain again"], [], {"phantoms": 0}
    lost, figures = _phantoms(evidence.phantoms)
    changed, cautions, changes = _changes(evidence.changes)
    damaged = [*lost, *changed]
    return damaged, cautions, {"holds": not damaged, "damaged": damaged, **figures, **changes}


def _phantoms(pairs: Sequence[Pair]) -> tuple[list[str], dict[str, Any]]:
    fields: dict[str, tuple[Field, Sequence[Pair]]] = {
        "lesion": (lambda score: score.lesion_dice, with_lesion(pairs)),
        "lung": (lambda score: score.lung_dice, pairs),
        **{name: (field, with_lesion(pairs)) for name, field in KINDS.items()},
    }
    figures = {name: means(*known(scored, field)) for name, (field, scored) in fields.items()}
    damaged = [
        f"phantoms are no longer read: {name} Dice falls from {figures[name]['champion']:.3f} to "
        f"{figures[name]['challenger']:.3f}"
        for name, share in (("lesion", LESION_LEFT), ("lung", LUNG_LEFT))
        if _is_lost(figures[name], share)
    ]
    if not damaged and all(_is_lost(figures[name], KINDS_LEFT) for name in KINDS):
        damaged.append("phantoms' lesions are found, but both kinds are lost, as where the kinds are swapped")
    seen = [after.involvement_predicted for _, after in pairs if after.involvement_predicted is not None]
    involvement = round(float(np.mean(seen)), 6) if seen else None
    if involvement is not None and involvement > ALL_OF_PHANTOMS:
        damaged.append(f"{involvement:.0%} of the lungs of phantoms are called lesion")
    return damaged, {"phantoms": len(pairs), "phantom_dice": figures, "phantom_involvement": involvement}


def _is_lost(figures: dict[str, Any], share: float) -> bool:
    before, after = figures["champion"], figures["challenger"]
    # Not "after < ...": a score that is no number is lost too.
    return before is not None and before >= FOUND_AT_ALL and not after >= share * before


def _changes(changes: Sequence[SliceChange]) -> tuple[list[str], list[str], dict[str, Any]]:
    in_lung = [change for change in changes if change.lung_pixels]
    agreement, at_best = _agreement(in_lung)
    figures = {
        "slices": len(in_lung),
        "nearly_all_lesion": _nearly_all(in_lung),
        "lesion_kept": _kept(in_lung),
        "same_kind": agreement,
    }
    damaged, cautions = [], []
    if (share := figures["nearly_all_lesion"]) is not None and share >= AT_MOST_HALF:
        damaged.append(
            f"nearly all lung is called lesion on {share:.0%} of the slices where the champion does not"
        )
    if (share := figures["lesion_kept"]) is not None and share < LESION_KEPT:
        damaged.append(f"lesions vanish: of those that the champion sees {share:.0%} are left")
    if agreement is not None and at_best is not None:
        if agreement < SAME_KIND and at_best < SAME_KIND_AT_BEST:
            damaged.append(f"the kinds of lesion are swapped: {agreement:.0%} are of the champion's kind")
        elif agreement < SAME_KIND_USUAL:
            cautions.append(
                f"caution: {agreement:.0%} of what both versions call lesion is of the same kind; "
                "look at how readers tell ground-glass from consolidation"
            )
    return damaged, cautions, figures


def _nearly_all(changes: Sequence[SliceChange]) -> float | None:
    """Of the slices that the champion calls less than half diseased, the share called nearly all so now."""
    open_to_growth = [
        change for change in changes if change.champion_lesion < AT_MOST_HALF * change.lung_pixels
    ]
    if len(open_to_growth) < FEWEST_CHANGES:
        return None
    grown = [change.challenger_lesion > NEARLY_ALL * change.lung_pixels for change in open_to_growth]
    return round(float(np.mean(grown)), 6)


def _kept(changes: Sequence[SliceChange]) -> float | None:
    """Lesion pixels now, over those of the champion where it sees a clear lesion."""
    clear = [change for change in changes if change.champion_lesion >= CLEAR_LESION * change.lung_pixels]
    if len(clear) < FEWEST_CHANGES:
        return None
    before, after = (
        sum(change.champion_lesion for change in clear),
        sum(change.challenger_lesion for change in clear),
    )
    return round(after / before, 6)


def _agreement(changes: Sequence[SliceChange]) -> tuple[float | None, float | None]:
    """Share of the same kind over all common lesion pixels, and in the best tenth of the slices."""
    shared = [change for change in changes if change.common_lesion >= _COMMON_PIXELS]
    if len(shared) < FEWEST_CHANGES:
        return None, None
    same, common = (
        np.array([change.same_kind for change in shared], dtype=np.float64),
        np.array([change.common_lesion for change in shared], dtype=np.float64),
    )
    return round(float(same.sum() / common.sum()), 6), float(np.quantile(same / common, 0.9))
