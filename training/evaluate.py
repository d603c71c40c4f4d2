"""Scores of a model by patient, with intervals, and its temperature."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from chestct.candidates import UNKNOWN, bits
from chestct.labels import LESIONS, Label
from chestct.metrics import Counts, bootstrap_interval, counts_of
from chestct.prediction import most_probable
from training.dataset import TrainingSample
from training.patient_score import PatientScore

GROUPS: dict[str, tuple[Label, ...]] = {
    "lesion": LESIONS,
    "ground_glass": (Label.GROUND_GLASS,),
    "consolidation": (Label.CONSOLIDATION,),
    "lung": (*LESIONS, Label.LUNG),
}
_SMALLEST_PROBABILITY = 1e-7
_PIXELS_A_SLICE = 500
_HEALTHY_AND_CALLED_SO = 1.0


class UnitSegmenter(Protocol):
    """What scoring needs of a model; `chestct.unet.segmenter.Segmenter` is one."""

    def unit_probabilities(self, image: npt.NDArray[np.float32], /) -> npt.NDArray[np.float32]:
        """(H, W) float32 in [0, 1] to (4, H, W) float32 probabilities."""
        ...


def score_patients(
    segmenter: UnitSegmenter,
    samples: Sequence[TrainingSample],
    on_progress: Callable[[float], None] = lambda fraction: None,
) -> list[PatientScore]:
    """Scores by patient, in order of the patients' names.

    Args:
        samples: labelled slices; those of one patient are pooled wherever they stand.
        on_progress: called after each slice with the share done.
    """
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for done, sample in enumerate(samples, start=1):
        probabilities = segmenter.unit_probabilities(sample.image)
        tallies[sample.patient].add(probabilities, sample.candidates)
        on_progress(done / len(samples))
    return [tallies[patient].score(patient) for patient in sorted(tallies)]


class _Tally:
    """Running sums over one patient's slices."""

    def __init__(self) -> None:
        self._counts: dict[str, Counts] = {}
        self._slices = 0
        self._lesion_pixels = self._lung_pixels = 0
        self._nll_sum, self._nll_pixels = 0.0, 0

    def add(self, probabilities: npt.NDArray[np.float32], candidates: npt.NDArray[np.uint8]) -> None:
        label_map = most_probable(probabilities)
        for name, group in GROUPS.items():
            new = counts_of(label_map, candidates, group)
            if new is not None:
                self._counts[name] = self._counts.get(name, Counts()) + new
        self._slices += 1
        self._lesion_pixels += int(np.isin(label_map, LESIONS).sum())
        self._lung_pixels += int((label_map != Label.BACKGROUND).sum())
        losses = negative_log_likelihood(probabilities, candidates)
        self._nll_sum += float(losses.sum())
        self._nll_pixels += losses.size

    def score(self, patient: str) -> PatientScore:
        dice = {name: counts.dice() for name, counts in self._counts.items()}
        lesion, lung = self._counts.get("lesion"), self._counts.get("lung")
        true_involvement = None
        if lesion is not None and lung is not None and _true_pixels(lung):
            true_involvement = _true_pixels(lesion) / _true_pixels(lung)
        lesion_dice = dice.get("lesion")
        return PatientScore(
            patient=patient,
            lesion_dice=_HEALTHY_AND_CALLED_SO if lesion_dice is None else lesion_dice,
            ground_glass_dice=dice.get("ground_glass"),
            consolidation_dice=dice.get("consolidation"),
            lung_dice=dice.get("lung"),
            involvement_predicted=self._lesion_pixels / self._lung_pixels if self._lung_pixels else None,
            involvement_true=true_involvement,
            nll=self._nll_sum / self._nll_pixels if self._nll_pixels else None,
            slices=self._slices,
        )


def _true_pixels(counts: Counts) -> int:
    return counts.true_positive + counts.false_negative


def negative_log_likelihood(
    probabilities: npt.NDArray[np.float32], candidates: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """-log of the probability of the possible classes, per labelled pixel that may be lung.

    Args:
        probabilities: (4, H, W) float32.
        candidates: (H, W) uint8.
    Returns:
        (P,) float64; pixels that are surely background, or that nobody looked at, are left out.
    """
    chosen = (candidates != UNKNOWN) & (candidates != bits(Label.BACKGROUND))
    possible = (candidates[chosen][None] >> np.arange(len(Label))[:, None]) & 1
    likelihood = (probabilities[:, chosen].astype(np.float64) * possible).sum(axis=0)
    return -np.log(np.clip(likelihood, _SMALLEST_PROBABILITY, 1.0))


def summarise(scores: Sequence[PatientScore], seed: int = 42) -> dict[str, Any]:
    """Mean over patients and 95 % bootstrap interval of each figure, JSON-ready.

    Returns:
        `patients`, `slices`, and per figure `mean`, `interval`, `patients` (those that have it). The
        interval of one patient is None: resampling one value says nothing of the spread.
    """
    summary: dict[str, Any] = {
        "patients": len(scores),
        "slices": sum(score.slices for score in scores),
    }
    for figure in ("lesion_dice", "ground_glass_dice", "consolidation_dice", "lung_dice", "nll"):
        values = [value for score in scores if (value := getattr(score, figure)) is not None]
        if values:
            ends = bootstrap_interval(values, seed=seed) if len(values) > 1 else None
            summary[figure] = {
                "mean": round(float(np.mean(values)), 4),
                "interval": ends and [round(end, 4) for end in ends],
                "patients": len(values),
            }
    errors = [
        abs(score.involvement_predicted - score.involvement_true)
        for score in scores
        if score.involvement_predicted is not None and score.involvement_true is not None
    ]
    if errors:
        summary["involvement_error_percent"] = round(100 * float(np.mean(errors)), 2)
    return summary


def calibrate(
    segmenter: UnitSegmenter, samples: Iterable[TrainingSample], seed: int = 42
) -> dict[str, float | int]:
    """The one temperature that makes labelled lung pixels most likely, and what it changes.

    Args:
        segmenter: with temperature 1.
        samples: labelled slices that the model was not fitted on; each weighs the same.
    Returns:
        `temperature` in [0.25, 4] (1 where no pixel is labelled), `slices`, and where there are
        any `nll_before` and `nll_after`, the mean negative log-likelihood of their lung pixels.
    Source: Guo et al. 2017, arXiv 1706.04599.
    """
    rng = np.random.default_rng(seed)
    log_probabilities, known = [], []
    for sample in samples:
        candidates = sample.candidates.ravel()
        chosen = np.flatnonzero((candidates != UNKNOWN) & (candidates != bits(Label.BACKGROUND)))
        chosen = rng.permutation(chosen)[:_PIXELS_A_SLICE]
        if len(chosen):
            probabilities = segmenter.unit_probabilities(sample.image).reshape(len(Label), -1)
            log_probabilities.append(np.log(np.clip(probabilities[:, chosen], _SMALLEST_PROBABILITY, 1.0)))
            known.append(candidates[chosen])
    if not known:
        return {"temperature": 1.0, "slices": 0}
    logits, labels = np.concatenate(log_probabilities, axis=1).astype(np.float64), np.concatenate(known)

    def mean_nll(log_temperature: float) -> float:
        scaled = np.exp(logits / np.exp(log_temperature))
        probabilities = scaled / scaled.sum(axis=0)
        return float(negative_log_likelihood(probabilities[:, None], labels[None]).mean())

    found = minimize_scalar(mean_nll, bounds=(np.log(0.25), np.log(4.0)), method="bounded")
    return {
        "temperature": round(float(np.exp(found.x)), 4),
        "slices": len(known),
        "nll_before": round(mean_nll(0.0), 4),
        "nll_after": round(mean_nll(found.x), 4),
    }


def fit_temperature(segmenter: UnitSegmenter, samples: Iterable[TrainingSample], seed: int = 42) -> float:
    """The temperature of `calibrate` alone."""
    return float(calibrate(segmenter, samples, seed)["temperature"])


def by_source(samples: Iterable[TrainingSample]) -> Mapping[str, list[TrainingSample]]:
    """The samples of each source, in the order in which they came."""
    groups: dict[str, list[TrainingSample]] = defaultdict(list)
    for sample in samples:
        groups[sample.source].append(sample)
    return groups
