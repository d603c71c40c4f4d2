"""How wide the interval of an involvement must be, from held-out studies: split conformal prediction.

    python -m training.severity_calibration STUDIES... --model V [--write]

measures every study of the paths that comes with masks of lesions and lungs, or with a grade, and puts the
result into the version's card. The studies must be none that the version was fitted on.
Source: Lei et al. 2018, "Distribution-free predictive inference for regression".
"""

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct.errors import TrainingDataError
from chestct.formats.layouts import discover
from chestct.inference.segmenter import Segmenter
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.labels import LESIONS, Label, SeverityGrade
from chestct.model.card import ModelCard, read_card, write_card
from chestct.partial_labels import membership
from chestct.settings import Settings
from chestct.severity.grading import (
    SeverityRule,
    severity_of,
    severity_of_predictions,
    uncertainty_percent_of,
)
from chestct.severity.interval import CARD_KEY, InvolvementCalibration
from chestct.study import FailedInput, Study

LEVEL = 0.9
# Percentage points (our choice): below it an involvement is not read to begin with.
EPS_PERCENT = 0.5
_RULE = SeverityRule()


@dataclasses.dataclass(frozen=True)
class HeldOutStudy:
    """What a model measured in a study, beside what is known of it.

    Args:
        percent: deciding percent as the model sees it, in [0, 100].
        uncertainty_percent: the model's uncertainty of it, in percentage points.
        truth: the true percent; or the grade where that is all that is known.
    """

    name: str
    percent: float
    uncertainty_percent: float
    truth: float | SeverityGrade

    def score(self, eps: float = EPS_PERCENT, rule: SeverityRule = _RULE) -> float:
        """How many uncertainties the truth lies away: s = |p - measured| / (uncertainty + eps).

        Of a grade, only what the measured percent lies outside of it counts, in the same units, so that
        studies of both kinds mix: max(0, lower - measured, measured - upper) / (uncertainty + eps).
        """
        if isinstance(self.truth, SeverityGrade):
            lower, upper = rule.bounds_of(self.truth)
            away = max(0.0, lower - self.percent, self.percent - upper)
        else:
            away = abs(self.truth - self.percent)
        return away / (self.uncertainty_percent + eps)


def conformal_quantile(scores: Sequence[float], level: float = LEVEL) -> float:
    """The ceil((n + 1) level)-th smallest of n scores: the next study's is no larger at that rate.

    Raises:
        TrainingDataError: too few scores for the level (9 studies are the least for 0.9).
    """
    # The rounding keeps 10 * 0.9 at 9, where floats make it 9.000000000000002.
    rank = math.ceil(round((len(scores) + 1) * level, 9))
    if rank > len(scores):
        least = math.ceil(round(level / (1.0 - level), 9))
        raise TrainingDataError(
            f"{len(scores)} held-out studies cannot give an interval at {level:.0%}: {least} are the least"
        )
    return float(np.sort(np.asarray(scores, dtype=np.float64))[rank - 1])


def involvement_calibration(
    studies: Sequence[HeldOutStudy], level: float = LEVEL, eps: float = EPS_PERCENT
) -> InvolvementCalibration:
    """What the model's card keeps.

    Raises:
        TrainingDataError: too few studies for the level.
    """
    quantile = conformal_quantile([study.score(eps) for study in studies], level)
    return InvolvementCalibration(quantile=quantile, level=level, studies=len(studies), eps=eps)


def with_involvement(card: ModelCard, calibration: InvolvementCalibration) -> ModelCard:
    """The card with the interval's calibration beside its temperature."""
    return dataclasses.replace(
        card, calibration={**card.calibration, CARD_KEY: dataclasses.asdict(calibration)}
    )


def measured(study: Study, segmenter: Segmenter) -> HeldOutStudy | None:
    """A held-out study as the model sees it; None where nothing is known of it, or without lung.

    Masks say more than a grade, so they are taken where every slice has one of lesions and lungs.
    """
    truth: float | SeverityGrade | None = study.grade
    label_maps = _true_label_maps(study)
    if label_maps is not None:
        truth = severity_of(label_maps, study.geometry, study.intensity).deciding_percent
    if truth is None:
        return None
    predictions = segmenter.segment_study(
        study.slices, study.intensity, slices_apart_mm=study.slices_apart_mm
    )
    found = severity_of_predictions(
        predictions, study.geometry, study.intensity, model_version=segmenter.version
    )
    uncertainty = uncertainty_percent_of(predictions, study.geometry)
    if found.deciding_percent is None or uncertainty is None:
        return None
    return HeldOutStudy(study.name, found.deciding_percent, uncertainty, truth)


def _true_label_maps(study: Study) -> npt.NDArray[np.uint8] | None:
    """(S, H, W) uint8 of the reference labels; a lesion of unknown kind counts as ground-glass."""
    slices = [study.partial_labels.get(index) for index in range(len(study.slices))]
    given = [partial_labels for partial_labels in slices if partial_labels is not None]
    if len(given) < len(slices):
        return None
    partial_labels = np.stack(given)
    lesion, lesion_decided = membership(partial_labels, LESIONS)
    lung, lung_decided = membership(partial_labels, (*LESIONS, Label.LUNG))
    if not lesion_decided.all() or not lung_decided.all():
        return None
    healthy = np.where(lung, np.uint8(Label.LUNG), np.uint8(Label.BACKGROUND))
    return np.where(lesion, np.uint8(Label.GROUND_GLASS), healthy)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the studies of a command line; 1 where there are too few."""
    parser = argparse.ArgumentParser(description="Calibrate the interval of the involvement.")
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--level", type=float, default=LEVEL)
    parser.add_argument("--write", action="store_true", help="put the result into the version's card")
    asked = parser.parse_args(arguments)
    weights_dir = Settings.load().weights_dir
    rows = list(_measured_of(asked.studies, UNetSegmenter.load(weights_dir, asked.model)))
    try:
        calibration = involvement_calibration(rows, asked.level)
    except TrainingDataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(dataclasses.asdict(calibration), indent=2) + "\n")
    if asked.write:
        card = with_involvement(read_card(weights_dir, asked.model), calibration)
        write_card(weights_dir / card.version, card)
    return 0


def _measured_of(paths: Sequence[Path], segmenter: Segmenter) -> Iterable[HeldOutStudy]:
    for found in discover(paths):
        row = None if isinstance(found, FailedInput) else measured(found, segmenter)
        name = found.source if isinstance(found, FailedInput) else found.name
        told = (
            "left out"
            if row is None
            else f"{row.percent:.2f} % +- {row.uncertainty_percent:.2f}, true {row.truth}"
        )
        sys.stderr.write(f"{name}: {told}\n")
        if row is not None:
            yield row


if __name__ == "__main__":
    sys.exit(main())
