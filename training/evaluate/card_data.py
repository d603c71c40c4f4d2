"""What a model card says of the data: by source, who was fitted on and who was set aside."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chestct.labels import Label
from chestct.partial_labels import told_apart
from training.data.dataset import TrainingSample
from training.evaluate import by_source

# More names than that are a table of their own, and of no use on a page.
_FEW_NAMES = 12
_WORDS = {
    Label.BACKGROUND: "background",
    Label.GROUND_GLASS: "ground-glass",
    Label.CONSOLIDATION: "consolidation",
    Label.LUNG: "lung",
}


def data_of(
    fitted: Iterable[TrainingSample],
    held_out: Iterable[TrainingSample],
    licences: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], ...]:
    """The `data` of a `ModelCard`, counted from the samples themselves.

    Args:
        fitted: what the fit draws from.
        held_out: what it is scored on.
        licences: source -> licence; a source left out has none on the card.
    Returns:
        One entry a source, JSON-ready: `source`, `labels`, `licence`, `fitted`, `held_out`.
    """
    ours, kept = by_source(fitted), by_source(held_out)
    return tuple(
        {
            "source": source,
            "labels": _labels([*ours.get(source, ()), *kept.get(source, ())]),
            "licence": (licences or {}).get(source, ""),
            "fitted": _amount(ours.get(source, ())),
            "held_out": _amount(kept.get(source, ())),
        }
        for source in dict.fromkeys((*ours, *kept))
    )


def _amount(samples: Sequence[TrainingSample]) -> dict[str, Any]:
    patients = sorted({sample.patient for sample in samples})
    amount: dict[str, Any] = {"patients": len(patients), "slices": len(samples)}
    return amount | {"names": patients} if 0 < len(patients) <= _FEW_NAMES else amount


def _labels(samples: Sequence[TrainingSample]) -> str:
    """ "background, ground-glass or consolidation, lung": the groups that the labels tell apart."""
    values = np.unique(np.concatenate([np.unique(sample.partial_labels) for sample in samples]))
    return ", ".join(" or ".join(_WORDS[label] for label in group) for group in told_apart(values))
