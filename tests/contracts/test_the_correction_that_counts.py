"""Training, export and grades take the same correction of a slice: each had a rule of its own before."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.derived.grade_resolution import open_studies
from chestct.derived.severity import ensure_severity
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import LESIONS
from chestct.prediction import SlicePrediction
from chestct.study import Study
from lungloop.exporting import export_dataset
from training.data.snapshot_choice import take_snapshot

GEOMETRY = Geometry((4, 4, 2), np.diag([-10.0, 10.0, 8.0, 1.0]))
# 2 of 4 pixels of the right lung are lesion.
PREDICTED = np.array([[0, 0, 0, 0], [1, 1, 0, 3], [3, 3, 0, 3], [0, 0, 0, 0]], np.uint8)


def drawn(lesion_pixels: int) -> np.ndarray:
    label_map = np.where(PREDICTED == 1, np.uint8(3), PREDICTED)
    label_map[1:3, :2].flat[:lesion_pixels] = 1
    return label_map


def corrected_slice(catalog: Catalog, *corrections: tuple[str, int, int, bool]) -> None:
    """The first slice of a graded study, by (annotator, hour, lesion pixels, whether ground truth)."""
    rng = np.random.default_rng(1)
    slices = tuple(rng.integers(-1000, 400, (4, 4)).astype(np.int16) for _ in range(2))
    study, _ = catalog.studies.add(
        Study("s", "p", slices, Intensity.HU, Path("s"), geometry=GEOMETRY), "nifti"
    )
    for record in catalog.slices.of_study(study.id):
        found = SlicePrediction(PREDICTED, 0.5, 0.25, lesion_expected=2.0, lesion_deviation=0.5)
        catalog.predictions.add(record.id, "base-1", found)
    ensure_severity(catalog, study.id, "base-1", None)
    for number, (annotator, hour, pixels, ground_truth) in enumerate(corrections):
        catalog.corrections.add(
            slice_id=catalog.slices.by_index("s", 0).id,
            project_uid="1:2026",
            task_id=1,
            annotation_id=number,
            annotation_updated_at=f"2026-03-01T{hour:02}:00:00Z",
            state=CorrectionState.SUBMITTED,
            annotator=annotator,
            via="sync",
            label_map=drawn(pixels),
            ground_truth=ground_truth,
        )


def assert_all_take(catalog: Catalog, pixels: int, out: Path) -> None:
    (chosen,) = catalog.corrections.chosen()
    np.testing.assert_array_equal(catalog.storage.read_label_map(chosen.label_map_path or ""), drawn(pixels))
    (trained,) = take_snapshot(catalog, "base-1").corrections
    assert (trained.correction_id, trained.label_map_path) == (chosen.id, chosen.label_map_path)
    export_dataset(catalog, out, "png")
    with (out / "dataset.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["annotator"] == chosen.annotator
    np.testing.assert_array_equal(np.asarray(Image.open(out / row["mask"])), drawn(pixels))
    (study,) = open_studies(catalog, "base-1")
    added = pixels - np.isin(PREDICTED, LESIONS).sum()
    assert study.uncertainty.corrected[0] - study.uncertainty.predicted[0] == added


def test_a_ground_truth_counts_over_a_newer_correction_for_all(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")) as catalog:
        corrected_slice(catalog, ("chief", 8, 4, True), ("resident", 9, 1, False))
        assert_all_take(catalog, 4, tmp_path / "out")


def test_without_one_the_newest_counts_for_all_even_if_it_came_first(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")) as catalog:
        corrected_slice(catalog, ("resident", 9, 1, False), ("chief", 8, 4, False))
        assert_all_take(catalog, 1, tmp_path / "out")


def test_of_equal_times_the_last_received_counts_for_all(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")) as catalog:
        corrected_slice(catalog, ("resident", 9, 1, False), ("chief", 9, 4, False))
        assert_all_take(catalog, 4, tmp_path / "out")
