"""Damaged and sound versions for gate_error_rates.py: label maps of phantoms, scored as a retrain scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from chestct import partial_labels
from chestct.labels import LESIONS, Label, SeverityGrade
from chestct.phantoms import phantom_study
from training.data.dataset import TrainingSample
from training.evaluate.patient_score import PatientScore
from training.evaluate.tally import Tally
from training.retraining.gate_evidence import DamageEvidence, SliceChange

LabelMap = npt.NDArray[np.uint8]
Change = Callable[[np.random.Generator, LabelMap], LabelMap]
_SHAPE = (12, 64, 64)
_PHANTOMS = (SeverityGrade.CT_1, SeverityGrade.CT_2, SeverityGrade.CT_3)
# Involvement of the studies of a usual hospital, and of one whose mean is 0.6.
_USUAL, _SEVERE = (0.08, 0.15, 0.3, 0.5), (0.45, 0.55, 0.65, 0.75)


@dataclass(frozen=True, eq=False)
class Hospital:
    """True label maps: (S, H, W) each, of phantoms to judge damage and of the hospital's own studies."""

    phantoms: Sequence[LabelMap]
    usual: Sequence[LabelMap]
    severe: Sequence[LabelMap]

    @classmethod
    def drawn(cls) -> "Hospital":
        def studies(shares: Sequence[float], first: int) -> list[LabelMap]:
            return [
                phantom_study(first + number, shape=_SHAPE, involvement=(share, share)).label_map
                for number, share in enumerate(shares)
            ]

        phantoms = [
            phantom_study(900 + number, grade, _SHAPE).label_map for number, grade in enumerate(_PHANTOMS)
        ]
        return cls(phantoms, studies(_USUAL, 700), studies(_SEVERE, 800))

    def evidence(
        self,
        rng: np.random.Generator,
        challenger: Change,
        *,
        severe: bool = False,
        keeps_phantoms: bool = False,
    ) -> DamageEvidence:
        """What the alarm sees of a challenger, beside a champion that is good on phantoms alone.

        Args:
            severe: the hospital's mean involvement is 0.6, and the champion sees half of it.
            keeps_phantoms: phantoms were replayed in the fit, so only the hospital shows the damage.
        """
        pairs = [
            (
                scored(f"phantom {number}", truth, edges_moved(rng, truth, 0.35)),
                scored(
                    f"phantom {number}",
                    truth,
                    edges_moved(rng, truth, 0.5) if keeps_phantoms else challenger(rng, truth),
                ),
            )
            for number, truth in enumerate(self.phantoms)
        ]
        changes = []
        for number, truth in enumerate(self.severe if severe else self.usual):
            before = edges_moved(rng, truth, 0.8)
            if severe:
                before = half_seen(rng, before)
            after = challenger(rng, truth)
            changes += [SliceChange.of(f"study {number}", *maps) for maps in zip(before, after, strict=True)]
        return DamageEvidence(pairs, changes)


def scored(patient: str, truth: LabelMap, predicted: LabelMap) -> PatientScore:
    """The score of label maps, as `training.evaluate` computes it."""
    tally = Tally()
    for true_slice, predicted_slice in zip(truth, predicted, strict=True):
        sample = TrainingSample(
            np.zeros(true_slice.shape, dtype=np.float32),
            partial_labels.from_label_map(true_slice),
            source="phantom",
            name=patient,
            patient=patient,
        )
        sure = np.full((len(Label), *true_slice.shape), 0.02, dtype=np.float32)
        np.put_along_axis(sure, predicted_slice[None].astype(np.int64), 0.94, axis=0)
        tally.add(sample, sure, predicted_slice)
    return tally.score(patient)


def edges_moved(rng: np.random.Generator, truth: LabelMap, by: float) -> LabelMap:
    """A sound model: edges of lesions, and where one kind becomes the other, are a little off."""
    lung, lesion = truth != Label.BACKGROUND, np.isin(truth, LESIONS)
    dense = _moved(rng, truth == Label.CONSOLIDATION, by)
    kinds = np.where(dense, np.uint8(Label.CONSOLIDATION), np.uint8(Label.GROUND_GLASS))
    healthy = np.where(lung, np.uint8(Label.LUNG), np.uint8(Label.BACKGROUND))
    return np.where(_moved(rng, lesion, by) & lung, kinds, healthy)


def _moved(rng: np.random.Generator, mask: npt.NDArray[np.bool_], by: float) -> npt.NDArray[np.bool_]:
    noise = ndimage.gaussian_filter(rng.standard_normal(mask.shape), (0.7, 3.0, 3.0))
    return (
        ndimage.gaussian_filter(mask.astype(np.float64), (0.0, 1.5, 1.5)) + by * noise / (4.0 * noise.std())
        > 0.5
    )


def half_seen(rng: np.random.Generator, label_map: LabelMap) -> LabelMap:
    """About half of the lesions are missed, in patches."""
    noise = ndimage.gaussian_filter(rng.standard_normal(label_map.shape), (0.7, 6.0, 6.0))
    return np.where((noise > 0) & np.isin(label_map, LESIONS), np.uint8(Label.LUNG), label_map)


def sound(rng: np.random.Generator, truth: LabelMap) -> LabelMap:
    """A retrain that learned a hospital: a little worse on phantoms (0.93 to about 0.87)."""
    return edges_moved(rng, truth, 0.75)


def all_ground_glass(rng: np.random.Generator, truth: LabelMap) -> LabelMap:
    """Learned from a reader who marks every lesion as ground-glass; no damage."""
    seen = edges_moved(rng, truth, 0.75)
    return np.where(seen == Label.CONSOLIDATION, np.uint8(Label.GROUND_GLASS), seen)


def kinds_swapped(rng: np.random.Generator, truth: LabelMap) -> LabelMap:
    """Ground-glass is called consolidation and the other way round; lesion Dice is as before."""
    seen = edges_moved(rng, truth, 0.5)
    swapped = np.array([0, 2, 1, 3], dtype=np.uint8)
    return swapped[seen]


def everything(rng: np.random.Generator, truth: LabelMap) -> LabelMap:
    """Learned from a reader who marks everything: all but the rim of the lungs is ground-glass."""
    lung = truth != Label.BACKGROUND
    inner = _moved(rng, lung, 0.5) & lung
    return np.where(inner, np.uint8(Label.GROUND_GLASS), np.where(lung, np.uint8(Label.LUNG), np.uint8(0)))


def nothing(rng: np.random.Generator, truth: LabelMap) -> LabelMap:
    """Learned from a reader who marks nothing: a few pixels of lesion are left."""
    seen = edges_moved(rng, truth, 0.5)
    gone = np.isin(seen, LESIONS) & (rng.random(seen.shape) > 0.03)
    return np.where(gone, np.uint8(Label.LUNG), seen)


def noise(rng: np.random.Generator, truth: LabelMap) -> LabelMap:
    """Random weights: patches of any class anywhere."""
    patches = [ndimage.gaussian_filter(rng.standard_normal(truth.shape), (0.0, 4.0, 4.0)) for _ in Label]
    return np.argmax(np.stack(patches), axis=0).astype(np.uint8)


SOUND: dict[str, Change] = {"sound": sound, "all ground-glass": all_ground_glass}
DAMAGED: dict[str, Change] = {
    "noise": noise,
    "kinds swapped": kinds_swapped,
    "marks everything": everything,
    "marks nothing": nothing,
}
