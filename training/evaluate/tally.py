"""Running sums over one patient's slices."""

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from chestct.labels import LESIONS, Label
from chestct.partial_labels import may_be_lung, told_apart, truth_of
from training.data.dataset import TrainingSample
from training.evaluate.metrics import GROUPS, Counts, counts_of, mean_iou
from training.evaluate.patient_score import PatientScore
from training.evaluate.reliability import Reliability, at_temperature, judged, negative_log_likelihood
from training.evaluate.surface import SurfaceCounts, surface_counts

# Our choice: a border that lies so near is one that a reader would leave. The tolerance of the
# metric's source is the readers' own spread, which is not known for these findings.
SURFACE_TOLERANCE_MM = 2.0
SURFACE_TOLERANCE_PIXELS = 2.0
WITH_SURFACE = ("lesion", "ground_glass", "consolidation", "lung")
WITH_SLICE_DICE = ("lesion", "ground_glass", "consolidation")
_HEALTHY_AND_CALLED_SO = 1.0


class Tally:
    """Sums over the slices of one patient.

    Args:
        temperature: that the model's probabilities have been through.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        self._temperature = temperature
        self._counts: dict[str, Counts] = {}
        self._left_open: set[str] = set()
        self._surfaces: dict[str, SurfaceCounts] = defaultdict(SurfaceCounts)
        self._slice_dice: dict[str, list[float]] = defaultdict(list)
        self._slices = 0
        self._lesion_pixels = self._lung_pixels = 0
        self._nll_sum, self._nll_pixels = 0.0, 0
        self._reliability = self._untempered = Reliability()

    def add(
        self,
        sample: TrainingSample,
        probabilities: npt.NDArray[np.float32],
        label_map: npt.NDArray[np.uint8],
    ) -> dict[str, Counts]:
        """Takes in one slice and returns its own counts, of the groups that its labels tell apart."""
        own: dict[str, Counts] = {}
        for name, group in GROUPS.items():
            counts = counts_of(label_map, sample.partial_labels, group)
            if counts is None:
                self._left_open.add(name)
                continue
            own[name] = counts
            self._counts[name] = self._counts.get(name, Counts()) + counts
            if name in WITH_SURFACE:
                self._surfaces[name] += _surface(sample, label_map, name)
            if name in WITH_SLICE_DICE and (dice := counts.dice()) is not None:
                self._slice_dice[name].append(dice)
        self._slices += 1
        self._lesion_pixels += int(np.isin(label_map, LESIONS).sum())
        self._lung_pixels += int((label_map != Label.BACKGROUND).sum())
        losses = negative_log_likelihood(probabilities, sample.partial_labels)
        self._nll_sum += float(losses.sum())
        self._nll_pixels += losses.size
        self._judge(probabilities, sample.partial_labels)
        return own

    def _judge(self, probabilities: npt.NDArray[np.float32], partial_labels: npt.NDArray[np.uint8]) -> None:
        chosen = may_be_lung(partial_labels)
        seen, known, groups = probabilities[:, chosen], partial_labels[chosen], told_apart(partial_labels)
        own = judged(seen.astype(np.float64), known, groups)
        self._reliability += own
        untouched = self._temperature == 1.0
        self._untempered += (
            own if untouched else judged(at_temperature(seen, 1 / self._temperature), known, groups)
        )

    def score(self, patient: str) -> PatientScore:
        """What the sums say."""
        counts = {
            name: own_counts for name, own_counts in self._counts.items() if not self._is_unlabelled(name)
        }
        dice = {name: own_counts.dice() for name, own_counts in counts.items()}
        iou = {name: own_counts.iou() for name, own_counts in counts.items()}
        lesion, lung = counts.get("lesion"), counts.get("lung")
        true_involvement = None
        if lesion is not None and lung is not None and lung.true_pixels:
            true_involvement = lesion.true_pixels / lung.true_pixels
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
            healthy_lung_dice=dice.get("healthy_lung"),
            iou={name: value for name, value in iou.items() if value is not None},
            mean_iou=mean_iou(iou),
            surface_dice={
                name: value
                for name, surface in self._surfaces.items()
                if name in counts and (value := surface.dice()) is not None
            },
            slice_dice={
                name: float(np.mean(values)) for name, values in self._slice_dice.items() if name in counts
            },
            reliability=self._reliability,
            reliability_untempered=self._untempered,
            true_lesion_pixels=lesion.true_pixels if lesion else 0,
            predicted_lesion_pixels=lesion.predicted_pixels if lesion else 0,
            common_lesion_pixels=lesion.true_positive if lesion else 0,
        )

    def _is_unlabelled(self, name: str) -> bool:
        """True where no slice shows the group and some leave it open: its source does not label it.

        Slices without a lesion do decide that there is no ground-glass, even where the source says
        nothing of kinds; a score from them alone would be 0 for a model that marks one pixel.
        """
        return name in self._left_open and not self._counts[name].true_pixels


def _surface(sample: TrainingSample, label_map: npt.NDArray[np.uint8], name: str) -> SurfaceCounts:
    known = truth_of(sample.partial_labels, GROUPS[name])
    if known is None:
        return SurfaceCounts()
    truth, looked_at = known
    in_pixels = sample.spacing_mm is None
    return surface_counts(
        np.isin(label_map, GROUPS[name]),
        truth,
        tolerance=SURFACE_TOLERANCE_PIXELS if in_pixels else SURFACE_TOLERANCE_MM,
        spacing=sample.spacing_mm or (1.0, 1.0),
        looked_at=looked_at,
    )
