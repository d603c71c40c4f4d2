import csv

import numpy as np
import pytest
from PIL import Image

from chestct.errors import InputError
from chestct.labels import Label
from chestct.partial_labels import UNKNOWN, from_label_map, from_lesion_label_map, from_masks
from chestct.prediction import most_probable
from training.data.dataset import TrainingSample
from training.data.labelled_folder import read_labelled_folder
from training.evaluate import calibrate, fit_temperature, score_patients, summarise
from training.evaluate.patient_score import PatientScore
from training.evaluate.reliability import negative_log_likelihood
from training.evaluate.summary import reliability_of
from training.evaluate.worst import WorstSlices


class Reader:
    """A fake model that reads the class off the grey level: 0, 0.25, 0.5, 0.75 are classes 0 to 3."""

    def __init__(self, certainty: float = 1.0) -> None:
        self._certainty = certainty

    def unit_probabilities(self, image: np.ndarray) -> np.ndarray:
        labels = np.rint(image * 4).astype(int)
        rest = (1 - self._certainty) / 3
        return np.where(np.arange(4)[:, None, None] == labels, self._certainty, rest).astype(np.float32)

    def label_map(self, probabilities: np.ndarray) -> np.ndarray:
        return most_probable(probabilities)


def sample(seen: str, partial_labels: np.ndarray, patient: str = "p") -> TrainingSample:
    image = np.array([[int(value) / 4 for value in seen]], np.float32)
    return TrainingSample(image, partial_labels.reshape(1, -1), "a", patient, "s")


def labels(text: str) -> np.ndarray:
    return np.array([[int(value) for value in text]], np.uint8)


def test_pixels_are_pooled_over_the_slices_of_a_patient():
    (score,) = score_patients(
        Reader(),
        [sample("1133", from_label_map(labels("1333"))), sample("1333", from_label_map(labels("1133")))],
    )
    # 2 pixels right, 1 too many, 1 missed.
    assert score.lesion_dice == pytest.approx(4 / 6)
    assert score.ground_glass_dice == pytest.approx(4 / 6)
    assert score.consolidation_dice is None
    assert score.lung_dice == 1.0
    assert score.involvement_predicted == score.involvement_true == pytest.approx(3 / 8)
    assert score.slices == 2
    assert (score.true_lesion_pixels, score.predicted_lesion_pixels, score.common_lesion_pixels) == (3, 3, 2)


def test_patients_are_told_apart_and_come_in_order():
    truth = from_label_map(labels("11"))
    scores = score_patients(Reader(), [sample("11", truth, "b"), sample("33", truth, "a")])
    assert [(score.patient, score.lesion_dice) for score in scores] == [("a", 0.0), ("b", 1.0)]


def test_a_healthy_patient_called_healthy_is_right():
    (score,) = score_patients(Reader(), [sample("0033", from_label_map(labels("0033")))])
    assert score.lesion_dice == 1.0


def test_a_healthy_patient_called_ill_is_wrong():
    (score,) = score_patients(Reader(), [sample("0013", from_label_map(labels("0033")))])
    assert score.lesion_dice == 0.0


def test_a_class_that_the_source_does_not_label_has_no_score():
    lesion, lung = np.array([[True, False]]), np.array([[True, True]])
    (merged,) = score_patients(Reader(), [sample("13", from_masks(lesion, lung))])
    assert (merged.lesion_dice, merged.ground_glass_dice, merged.lung_dice) == (1.0, None, 1.0)
    (lesions_only,) = score_patients(Reader(), [sample("13", from_lesion_label_map(labels("10")))])
    assert (lesions_only.ground_glass_dice, lesions_only.lung_dice) == (1.0, None)
    assert lesions_only.involvement_true is None
    assert lesions_only.involvement_predicted == 0.5


def test_likelihood_counts_labelled_pixels_that_may_be_lung():
    probabilities = np.tile(np.array([0.1, 0.2, 0.3, 0.4], np.float32)[:, None, None], (1, 1, 4))
    known = np.concatenate(
        [from_label_map(labels("20")), from_lesion_label_map(labels("0")), [[UNKNOWN]]], axis=1
    )
    losses = negative_log_likelihood(probabilities, known)
    # Consolidation, and "background or lung"; sure background and the unknown pixel are left out.
    assert losses == pytest.approx([-np.log(0.3), -np.log(0.5)])


def test_the_temperature_makes_an_overconfident_model_honest():
    # It says 0.97 and is right 4 times in 5.
    truth = from_label_map(labels("11113" * 20))
    temperature = fit_temperature(Reader(0.97), [sample("1" * 100, truth)])
    assert temperature > 1.5
    scaled = (np.array([0.97, 0.01, 0.01, 0.01])) ** (1 / temperature)
    assert scaled[0] / scaled.sum() == pytest.approx(0.8, abs=0.02)


def test_without_labels_the_temperature_changes_nothing():
    assert fit_temperature(Reader(), []) == 1.0
    assert fit_temperature(Reader(), [sample("11", np.full((1, 2), UNKNOWN))]) == 1.0


def test_a_summary_has_means_with_intervals_and_says_how_many():
    scores = [
        PatientScore("a", 0.4, lung_dice=0.9, involvement_predicted=0.1, involvement_true=0.2),
        PatientScore("b", 0.8, slices=3),
    ]
    summary = summarise(scores)
    assert (summary["patients"], summary["slices"]) == (2, 4)
    assert summary["lesion_dice"] == {"mean": 0.6, "interval": [0.4, 0.8], "patients": 2}
    assert summary["lung_dice"]["patients"] == 1
    assert "consolidation_dice" not in summary
    assert summary["involvement_error_percent"] == pytest.approx(10.0)


def test_every_figure_has_a_mean_and_an_interval_by_patient():
    truth = from_label_map(labels("0133"))
    summary = summarise(score_patients(Reader(), [sample("0133", truth, "a"), sample("0333", truth, "b")]))
    # b: ground-glass missed, one pixel too much healthy lung.
    assert summary["healthy_lung_dice"]["mean"] == pytest.approx((1 + 4 / 5) / 2)
    assert summary["lesion_iou"] == {"mean": 0.5, "interval": [0.0, 1.0], "patients": 2}
    # b: background 1, ground-glass 0, healthy lung 2/3; consolidation is on neither side.
    assert summary["mean_iou"]["mean"] == pytest.approx((1 + (1 + 0 + 2 / 3) / 3) / 2, abs=1e-4)
    assert summary["lung_surface_dice"]["mean"] == 1.0
    assert summary["lesion_dice_by_slice"]["mean"] == 0.5
    assert summary["involvement_error_points"]["mean"] == pytest.approx(100 / 3 / 2, abs=1e-4)
    for name in ("lesion_surface_dice", "ground_glass_iou", "ece", "nll"):
        assert summary[name]["interval"] is not None


def test_dice_by_slice_weighs_slices_and_not_pixels():
    # Slice 1: 1 pixel, missed. Slice 2: 3 pixels, found. Slice 3 shows nothing and does not count.
    slices = [("3333", "1333"), ("1113", "1113"), ("3333", "3333")]
    (score,) = score_patients(
        Reader(), [sample(seen, from_label_map(labels(truth))) for seen, truth in slices]
    )
    assert score.slice_dice["lesion"] == 0.5
    assert score.lesion_dice == pytest.approx(6 / 7)


def test_healthy_slices_give_no_score_to_a_kind_that_the_source_does_not_label():
    lung = np.ones((1, 2), bool)
    ill, healthy = np.array([[True, False]]), np.zeros((1, 2), bool)
    (score,) = score_patients(
        Reader(), [sample("13", from_masks(ill, lung)), sample("13", from_masks(healthy, lung))]
    )
    assert (score.ground_glass_dice, score.consolidation_dice) == (None, None)
    assert score.lesion_dice == pytest.approx(2 / 3)
    assert set(score.surface_dice) == {"lesion", "lung"}


def test_the_surface_tolerance_is_in_millimetres_where_the_slice_has_a_spacing():
    truth = from_label_map(labels("1333333"))
    # The model's pixel lies 2 columns off: within 2 pixels, but 6 mm away.
    (in_pixels,) = score_patients(Reader(), [sample("3313333", truth)])
    spaced = TrainingSample(sample("3313333", truth).image, truth, "a", "p", "s", spacing_mm=(3.0, 3.0))
    (in_mm,) = score_patients(Reader(), [spaced])
    assert in_pixels.surface_dice["lesion"] == 1.0
    assert in_mm.surface_dice["lesion"] == 0.0


def test_calibration_is_told_with_and_without_the_temperature():
    truth = from_label_map(labels("11113"))
    warm = Reader(0.8)  # what a model that says 0.97 gives after some temperature
    (score,) = score_patients(warm, [sample("11111", truth)], temperature=1.5)
    figures = score.figures()
    assert figures["ece"] == pytest.approx(0.0, abs=1e-6)
    sharper = 0.8**1.5 / (0.8**1.5 + 3 * (0.2 / 3) ** 1.5)
    assert figures["ece_without_temperature"] == pytest.approx(sharper - 0.8, abs=1e-6)
    assert [row["pixels"] for row in reliability_of([score])["served"]] == [5]


def test_a_fitted_temperature_lowers_the_calibration_error():
    found = calibrate(Reader(0.97), [sample("1" * 100, from_label_map(labels("11113" * 20)))])
    assert found["ece_before"] == pytest.approx(0.17)
    assert found["ece_after"] < 0.02


def test_the_worst_slices_are_kept_and_a_healthy_one_is_not_among_them():
    worst = WorstSlices(limit=2)
    truth = from_label_map(labels("1133"))
    seen = {"right": "1133", "half": "1333", "missed": "3333", "astray": "3311"}
    samples = [
        TrainingSample(sample(text, truth).image, truth, "a", "p", name) for name, text in seen.items()
    ]
    score_patients(Reader(), [*samples, sample("3333", from_label_map(labels("3333")))], on_slice=worst.add)
    # Both have Dice 0; the lesion drawn in the wrong place has more wrong pixels than the missed one.
    first, second = worst.worst_first()
    assert [first.name, second.name] == ["astray", "missed"]
    assert first.as_row() == {
        "patient": "p", "slice": "astray", "lesion_dice": 0.0, "missed_pixels": 2, "extra_pixels": 2,
    }  # fmt: skip
    assert first.truth.tolist() == [[True, True, False, False]]
    assert first.predicted.tolist() == [[False, False, True, True]]


def write_export(folder, rows: list[dict]) -> None:
    for name in ("images", "masks"):
        (folder / name).mkdir()
    label_map = np.zeros((64, 64), np.uint8)
    Image.fromarray(label_map + 90).save(folder / "images" / "0.png")
    Image.fromarray(label_map).save(folder / "masks" / "old.png")
    label_map[10:20, 10:20] = Label.CONSOLIDATION
    Image.fromarray(label_map).save(folder / "masks" / "new.png")
    with (folder / "dataset.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, ["study", "slice", "patient", "updated_at", "split", "image", "mask"])
        table.writeheader()
        table.writerows(rows)


def row(**given) -> dict:
    plain = {"study": "s", "slice": 0, "patient": "p", "updated_at": "2026-01-02T00:00:00+00:00"}
    return {**plain, "split": "test", "image": "images/0.png", "mask": "masks/new.png", **given}


def test_an_export_is_scored_on_the_newest_version_of_each_slice(tmp_path):
    older = row(mask="masks/old.png", updated_at="2026-01-01T00:00:00+00:00")
    write_export(tmp_path, [row(), older, row(slice=1, split="train")])
    labelled = read_labelled_folder(tmp_path)
    (held_out,) = labelled.samples["held_out"]
    assert held_out.shows(Label.CONSOLIDATION)
    assert len(labelled.samples["train"]) == 1
    assert labelled.failed == ()


def test_a_row_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path):
    write_export(
        tmp_path, [row(), row(slice=1, mask="masks/missing.png"), row(slice=2, mask="../secret.png")]
    )
    labelled = read_labelled_folder(tmp_path)
    assert sum(len(samples) for samples in labelled.samples.values()) == 1
    assert len(labelled.failed) == 2


def test_a_folder_without_labels_is_a_clear_error(tmp_path):
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="no labelled slice"):
        read_labelled_folder(tmp_path)


def test_one_patient_has_a_mean_but_no_interval():
    summary = summarise([PatientScore("P1", lesion_dice=0.5)])
    assert summary["lesion_dice"] == {"mean": 0.5, "interval": None, "patients": 1}
