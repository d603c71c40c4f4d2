"""Conformal calibration: the rank is the finite-sample one, and held-out coverage keeps its promise."""

import json
from pathlib import Path

import numpy as np
import pytest

from chestct import partial_labels
from chestct.errors import TrainingDataError
from chestct.intensity import Intensity
from chestct.labels import SeverityGrade
from chestct.model.card import ModelCard
from chestct.phantoms import phantom_study
from chestct.prediction import SlicePrediction
from chestct.severity.interval import InvolvementCalibration
from chestct.study import Study
from training.severity_calibration import (
    HeldOutStudy,
    conformal_quantile,
    involvement_calibration,
    measured,
    with_involvement,
)


def study(percent: float, truth: float | SeverityGrade, uncertainty: float = 1.0) -> HeldOutStudy:
    return HeldOutStudy("s", percent, uncertainty, truth)


def test_the_score_counts_doubts_between_measured_and_true() -> None:
    assert study(20.0, 23.0, uncertainty=1.0).score(eps=0.5) == 2.0


@pytest.mark.parametrize(
    ("percent", "score"), [(30.0, 0.0), (25.0, 0.0), (22.0, 2.0), (53.0, 2.0), (100.0, 100 / 3)]
)
def test_a_grade_counts_only_what_lies_outside_of_it(percent: float, score: float) -> None:
    # CT-2 reaches from 25 to 50; a doubt of 1 and eps of 0.5 are 1.5 points.
    assert study(percent, SeverityGrade.CT_2).score(eps=0.5) == pytest.approx(score)


@pytest.mark.parametrize(("count", "rank"), [(9, 9), (10, 10), (19, 18), (20, 19), (99, 90)])
def test_the_quantile_is_the_score_of_rank_n_plus_1_times_level(count: int, rank: int) -> None:
    assert conformal_quantile(list(range(count, 0, -1)), 0.9) == rank


def test_too_few_studies_are_refused_with_the_least_that_would_do() -> None:
    with pytest.raises(TrainingDataError, match="9 are the least"):
        conformal_quantile([1.0] * 8, 0.9)
    assert conformal_quantile([1.0, 2.0, 3.0], 0.75) == 3.0


def test_new_studies_are_covered_at_the_stated_rate() -> None:
    # Errors of a heavy tail, in proportion to the doubt: calibrated on 50, asked of 50, 200 times over.
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(200):
        uncertainties = rng.uniform(0.2, 4.0, 100)
        truths = np.full(100, 50.0)
        measured_percents = truths + uncertainties * rng.standard_t(3, 100)
        rows = [
            study(percent, truth, uncertainty)
            for percent, truth, uncertainty in zip(measured_percents, truths, uncertainties, strict=True)
        ]
        found = involvement_calibration(rows[:50])
        for row in rows[50:]:
            low, high = found.interval(row.percent, row.uncertainty_percent)
            covered.append(low <= row.truth <= high)
    # (n + 1) level = 45.9, so the rank is 46 and the expected rate 46 / 51 = 0.902.
    assert np.mean(covered) == pytest.approx(46 / 51, abs=0.015)


def test_the_card_keeps_the_calibration_beside_the_temperature_and_gives_it_back() -> None:
    calibration = InvolvementCalibration(quantile=1.5, level=0.9, studies=20, eps=0.5)
    card = with_involvement(ModelCard("v", "unet", calibration={"temperature": 1.3}), calibration)
    stored = json.loads(json.dumps(card.as_dict()))["calibration"]
    assert stored == {
        "temperature": 1.3,
        "involvement": {"quantile": 1.5, "level": 0.9, "studies": 20, "eps": 0.5},
    }
    assert InvolvementCalibration.of_card(stored) == calibration
    assert InvolvementCalibration.of_card({"temperature": 1.3}) is None


class Overlooking:
    """Sees the truth but for every second lesion pixel, which it calls lung."""

    version = "overlooking-1"
    involvement_calibration = None

    def __init__(self, label_maps: np.ndarray) -> None:
        self._label_maps = label_maps

    def segment_study(
        self, slices, intensity: Intensity, *, slices_apart_mm: float | None = None
    ) -> list[SlicePrediction]:
        seen = self._label_maps.copy()
        seen[..., ::2][np.isin(seen[..., ::2], [1, 2])] = 3
        return [SlicePrediction(one, 0.5, 0.1, lesion_expected=0.0, lesion_deviation=0.0) for one in seen]


def test_a_study_with_masks_is_measured_against_them_and_one_with_a_grade_against_that() -> None:
    phantom = phantom_study(2, shape=(4, 64, 64), involvement=(0.4, 0.2))
    model = Overlooking(phantom.label_map)
    row = measured(phantom.labelled_study(), model)
    assert row.truth == pytest.approx(40.0, abs=1.5)
    assert row.percent == pytest.approx(20.0, abs=2.0)
    assert row.uncertainty_percent > 5  # expects 0 lesion pixels where it drew many
    assert measured(phantom.study, model).truth is SeverityGrade.CT_1


def test_a_study_of_which_nothing_is_known_is_left_out() -> None:
    phantom = phantom_study(2, shape=(4, 64, 64))
    given = partial_labels.from_label_map(phantom.label_map[0])
    half = Study("s", "p", phantom.study.slices, Intensity.HU, Path("s"), phantom.geometry, {0: given})
    assert measured(half, Overlooking(phantom.label_map)) is None
