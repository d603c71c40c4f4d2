"""Simulated teams for gate_error_rates.py: what patients and slices show of a version that is known."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.evaluate.patient_score import PatientScore
from training.retraining.gate_evidence import Pair, SlicePair

# How the change differs between patients: normal with this SD, heavy tailed (Student's t with 3 degrees of
# freedom, SD 0.05), or nine patients alike (SD 0.02 or 0.01) and one in ten who loses 0.2 to 0.3.
SPREADS = ("SD 0.02", "SD 0.05", "SD 0.10", "heavy tails", "rare losses", "rare losses, alike")
_LESION_PIXELS = 1000


def patients_changes(
    rng: np.random.Generator, spread: str, mean: float, patients: int
) -> npt.NDArray[np.float64]:
    """(patients,) true and measured change of lesion Dice, whose expectation is `mean`."""
    if spread.startswith("SD"):
        return rng.normal(mean, float(spread.split()[1]), patients)
    if spread == "heavy tails":
        return mean + 0.05 * rng.standard_t(3, patients) / np.sqrt(3.0)
    others = rng.normal((mean + 0.025) / 0.9, 0.01 if spread.endswith("alike") else 0.02, patients)
    return np.where(rng.random(patients) < 0.1, -rng.uniform(0.2, 0.3, patients), others)


def pairs_of(changes: Sequence[float] | npt.NDArray[np.float64]) -> list[Pair]:
    """Patients with a lesion, of whom nothing but lesion Dice is known."""
    return [
        (
            PatientScore(f"p{number:02d}", 0.6, true_lesion_pixels=_LESION_PIXELS),
            PatientScore(f"p{number:02d}", 0.6 + float(change), true_lesion_pixels=_LESION_PIXELS),
        )
        for number, change in enumerate(changes)
    ]


def pairs_with_every_score(
    rng: np.random.Generator, changes: Sequence[float] | npt.NDArray[np.float64]
) -> list[Pair]:
    """The same with kinds, lung, involvement and calibration: as good as before in truth, with their noise.

    SD of patients: kinds 0.08 about the lesion's change, lung 0.01, mean NLL 0.03, involvement 0.05.
    """
    pairs = []
    for number, change in enumerate(changes):
        involvement = rng.uniform(0.02, 0.7)
        seen = np.clip(involvement + rng.normal(0.0, 0.05, 2), 0.0, 1.0)
        kinds = change + rng.normal(0.0, 0.08, 2)
        lung, nll = rng.normal(0.0, 0.01), rng.normal(0.0, 0.03)
        pairs.append(
            (
                _full(number, 0.6, (0.5, 0.4), 0.97, 0.3, (involvement, float(seen[0]))),
                _full(
                    number,
                    0.6 + float(change),
                    (0.5 + float(kinds[0]), 0.4 + float(kinds[1])),
                    0.97 + lung,
                    0.3 + nll,
                    (involvement, float(seen[1])),
                ),
            )
        )
    return pairs


def _full(
    number: int,
    lesion: float,
    kinds: tuple[float, float],
    lung: float,
    nll: float,
    involvement: tuple[float, float],
) -> PatientScore:
    return PatientScore(
        f"p{number:02d}",
        lesion,
        ground_glass_dice=kinds[0],
        consolidation_dice=kinds[1],
        lung_dice=lung,
        nll=nll,
        involvement_true=involvement[0],
        involvement_predicted=involvement[1],
        true_lesion_pixels=_LESION_PIXELS,
    )


def open_changes(
    rng: np.random.Generator,
    layout: tuple[int, int, int],
    mean: float,
    deviation: float,
    correlation: float,
    *,
    heavy: bool = False,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Changes of held-back slices, an AR(1) inside each study, and the pixels of their lesions.

    Args:
        layout: studies, slices in all, and how many slices apart they lie.
        mean, deviation: of the change of a slice; small lesions vary by up to twice as much.
        correlation: of slices that are neighbours in the study.
        heavy: Student's t with 3 degrees of freedom instead of normal.
    Returns:
        (slices,) changes and pixels, study after study.
    """
    studies, slices, apart = layout
    changes, pixels = [], []
    for members in np.array_split(np.arange(slices), studies):
        own = _autoregressive(rng, len(members), correlation**apart, heavy=heavy)
        sizes = np.exp(_autoregressive(rng, len(members), correlation**apart))
        changes.append(mean + deviation * own * np.clip(np.sqrt(0.5 / sizes), 1.0, 2.0))
        pixels.append(np.maximum(1.0, np.rint(sizes * _LESION_PIXELS)))
    return np.concatenate(changes), np.concatenate(pixels)


def places_of(layout: tuple[int, int, int]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Study and index of each slice of a layout."""
    parts = np.array_split(np.arange(layout[1]), layout[0])
    studies = [f"study {number}" for number, part in enumerate(parts) for _ in part]
    return studies, np.concatenate([np.arange(len(part)) * layout[2] for part in parts])


def slice_pairs(
    layout: tuple[int, int, int], changes: npt.NDArray[np.float64], pixels: npt.NDArray[np.float64]
) -> list[SlicePair]:
    """The same as a retrain scores them."""
    studies, indices = places_of(layout)
    pairs = []
    for study, index, change, size in zip(
        studies, indices.tolist(), changes.tolist(), pixels.tolist(), strict=True
    ):
        before, after = (
            PatientScore(study, dice, true_lesion_pixels=int(size)) for dice in (0.6, 0.6 + change)
        )
        pairs.append(SlicePair(study, index, before, after))
    return pairs


def _autoregressive(
    rng: np.random.Generator, count: int, correlation: float, *, heavy: bool = False
) -> npt.NDArray[np.float64]:
    """(count,) mean 0, variance 1."""
    drawn = rng.standard_t(3, count) / np.sqrt(3.0) if heavy else rng.standard_normal(count)
    values = np.empty(count)
    for place in range(count):
        fresh = np.sqrt(1.0 - correlation**2) * drawn[place]
        values[place] = correlation * values[place - 1] + fresh if place else drawn[0]
    return values
