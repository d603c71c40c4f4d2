"""`severity` grades studies by a model or by given masks; a bad input is an entry, the rest is done."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from rare_phantoms import cut_stack

from chestct.errors import InputError
from chestct.formats.images import write_label_map_png
from chestct.formats.nifti import write_label_map_nifti, write_volume_nifti
from chestct.intensity import Intensity
from chestct.labels import Label
from chestct.phantoms import Phantom, phantom_study
from chestct.prediction import SlicePrediction
from chestct.severity.grading import InvolvementCalibration, SeverityRule, severity_of_predictions
from lungloop import cli
from lungloop.grading import by_mask, by_model, grade_inputs

RULE = SeverityRule()


class Knowing:
    """Answers with the truth of a phantom, and a doubt of 1 % of its lung."""

    version = "knowing-1"

    def __init__(self, phantom: Phantom, calibration: InvolvementCalibration | None = None) -> None:
        self.involvement_calibration = calibration
        self._truth = phantom.label_map

    def segment_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        *,
        slices_apart_mm: float | None = None,
    ) -> list[SlicePrediction]:
        uncertainty = 0.01 * np.count_nonzero(self._truth) / len(self._truth)
        return [
            SlicePrediction(
                truth,
                score=0.5,
                entropy_mean=0.1,
                lesion_expected=float(np.isin(truth, [1, 2]).sum()),
                lesion_deviation=uncertainty,
            )
            for truth in self._truth
        ]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return phantom_study(3, shape=(8, 64, 64), involvement=(0.35, 0.1))


@pytest.fixture
def files(phantom: Phantom, tmp_path: Path) -> tuple[Path, Path]:
    """A study and its label map."""
    study, labels = tmp_path / "study.nii.gz", tmp_path / "truth.nii.gz"
    write_volume_nifti(study, np.stack(phantom.study.slices), phantom.geometry)
    write_label_map_nifti(labels, phantom.label_map, phantom.geometry)
    return study, labels


def test_a_model_and_the_same_masks_given_agree(phantom: Phantom, files: tuple[Path, Path]) -> None:
    study, labels = files
    (by_a_model,) = grade_inputs([study], by_model(Knowing(phantom), RULE))
    (given,) = grade_inputs([study], by_mask(labels, RULE))
    assert by_a_model["percent"] == given["percent"]
    assert given["grade"] == "CT-2"
    assert given["percent"]["right"] == pytest.approx(100 * phantom.involvement[0])
    assert (by_a_model["model_version"], given["model_version"]) == ("knowing-1", None)


def test_the_cards_calibration_makes_the_interval(phantom: Phantom, files: tuple[Path, Path]) -> None:
    card = {"involvement": {"quantile": 2.0, "level": 0.9, "studies": 20, "eps": 0.5}}
    segmenter = Knowing(phantom, InvolvementCalibration.of_card(card))
    (entry,) = grade_inputs([files[0]], by_model(segmenter, RULE))
    low, high = entry["interval_percent"]
    # Slices 36 mm apart are nearly independent: the doubt of 8 slices of 1/8 % each is 0.35 to 0.5 points.
    assert 2 * (0.35 + 0.5) <= (high - low) / 2 <= 2 * (0.5 + 0.5)
    assert (low + high) / 2 == pytest.approx(entry["percent"]["worst"])


def test_a_bad_input_is_an_entry_and_the_rest_is_done(files: tuple[Path, Path], tmp_path: Path) -> None:
    study, labels = files
    (tmp_path / "bad.nii.gz").write_text("no volume")
    report = grade_inputs([tmp_path / "bad.nii.gz", study, tmp_path / "gone"], by_mask(labels, RULE))
    assert [("error" in entry) for entry in report] == [True, False, True]
    assert grade_inputs([tmp_path / "gone"], by_mask(labels, RULE))[0]["error"] == "does not exist"


def test_masks_of_lesions_alone_or_of_other_values_or_places_are_refused(
    phantom: Phantom, files: tuple[Path, Path], tmp_path: Path
) -> None:
    study, _ = files
    mask = tmp_path / "mask.nii.gz"

    def refusal(content: npt.NDArray[np.uint8]) -> str:
        write_volume_nifti(mask, content, phantom.geometry)
        return grade_inputs([study], by_mask(mask, RULE))[0]["error"]

    lesion = np.isin(phantom.label_map, [1, 2]).astype(np.uint8)
    assert "is a mask of 0 and 1; expected a label map" in refusal(lesion)
    assert "holds the values 0, 7" in refusal(7 * lesion)
    write_label_map_nifti(mask, phantom.label_map[:4], _half(phantom))
    assert "they must agree" in grade_inputs([study], by_mask(mask, RULE))[0]["error"]


def _half(phantom: Phantom):
    return cut_stack(phantom, 0, 4).geometry


def test_pictures_of_several_sizes_come_one_by_one_with_percents_and_no_grade(tmp_path: Path) -> None:
    for name, side in (("a.png", 64), ("b.png", 80)):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(np.full((side, side), 200, np.uint8)).save(tmp_path / "in" / name)
    label_map = np.full((64, 64), Label.LUNG, np.uint8)
    label_map[:16] = Label.GROUND_GLASS
    write_label_map_png(tmp_path / "labels.png", label_map)
    first, second = grade_inputs([tmp_path / "in"], by_mask(tmp_path / "labels.png", RULE))
    assert (first["kind"], first["grade"], first["percent"]["whole"]) == ("image", None, 25.0)
    assert "they must agree" in second["error"]


def test_the_command_prints_json_or_a_table_and_exits_by_the_contract(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, labels = (str(file) for file in files)
    assert cli.run(["severity", study, "--mask", labels, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["grade"] == "CT-2"
    assert entry["rule"]["deciding"] == "worst_lung"
    assert cli.run(["severity", study, "--mask", labels, "--rule", "whole"]) == 0
    assert "CT-1" in capsys.readouterr().out  # 35 and 10 %: less than a quarter of both
    assert cli.run(["severity", str(tmp_path / "gone"), "--mask", labels]) == 1
    assert cli.run(["severity", study, study, "--mask", labels]) == 2
    assert cli.run(["severity", study, "--mask", labels, "--rule", "best-lung"]) == 2


def test_predictions_of_several_sizes_are_refused() -> None:
    predictions = [
        SlicePrediction(np.zeros((side, side), np.uint8), score=0.5, entropy_mean=0.1) for side in (4, 5)
    ]
    with pytest.raises(InputError, match="expected slices of one size"):
        severity_of_predictions(predictions, None, Intensity.PICTURE, model_version="x")
