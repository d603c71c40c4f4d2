import dataclasses
from pathlib import Path

import numpy as np
import pytest
from dicom_series import SERIES, write_series

from chestct.catalog.storage import Storage
from chestct.dicom_source import pseudonymous, read_headers
from chestct.errors import InputError, NotFoundError
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import SeverityGrade, Split

HALF = np.array([[2, 2, 9, 9]] * 4, np.uint8)  # candidates: ground-glass known, the rest not lesion
OTHER = np.full((4, 4), 9, np.uint8)


def test_a_study_comes_back_as_it_was_given(catalog, make_study):
    geometry = Geometry((4, 4, 2), np.diag([0.7, -0.7, 8.0, 1.0]))
    study = make_study(patient="p1", geometry=geometry, grade=SeverityGrade.CT_1, partial_labels={1: HALF})
    record, created = catalog.studies.add(study, "mosmed")
    assert created
    assert (record.name, record.patient, record.layout, record.slice_count) == (
        "study_0001",
        "p1",
        "mosmed",
        2,
    )
    assert (record.grade, record.intensity, record.source) == (
        SeverityGrade.CT_1,
        Intensity.HU,
        "/in/study_0001",
    )
    assert record.geometry.stored_shape == (4, 4, 2)
    assert record.geometry.affine.tolist() == geometry.affine.tolist()
    first, second = catalog.slices.of_study(record.id)
    assert [(part.index, part.width, part.height, part.has_reference_labels) for part in (first, second)] == [
        (0, 4, 4, False),
        (1, 4, 4, True),
    ]
    for part, pixels in zip((first, second), study.slices, strict=True):
        assert catalog.slices.read_pixels(part).dtype == np.int16
        assert catalog.slices.read_pixels(part).tolist() == pixels.tolist()
        assert catalog.slices.read_picture(part).startswith(b"\x89PNG")
    assert catalog.slices.reference_labels(first.id) is None
    assert catalog.slices.reference_labels(second.id).tolist() == HALF.tolist()
    assert catalog.slices.by_index("study_0001", 1) == second == catalog.slices.get(second.id)
    assert catalog.slices.by_picture(second.picture_path) == second
    assert catalog.slices.by_picture("picture/00/none.png") is None


def test_pictures_of_several_sizes_are_kept_with_their_names(catalog, make_study):
    pictures = [np.zeros((4, 6), np.uint8), np.full((8, 4), 255, np.uint8)]
    study = make_study(slices=pictures, intensity=Intensity.PICTURE, slice_names=("a.png", "b.png"))
    record, _ = catalog.studies.add(study, "images")
    parts = catalog.slices.of_study(record.id)
    assert [(part.name, part.height, part.width) for part in parts] == [("a.png", 4, 6), ("b.png", 8, 4)]
    assert catalog.slices.read_pixels(parts[1]).tolist() == pictures[1].tolist()
    assert parts[0].pixels_path == parts[0].picture_path  # an 8-bit picture is stored once
    assert record.geometry is None


def test_the_same_content_is_once_whatever_its_path_name_or_patient(catalog, make_study):
    first, _ = catalog.studies.add(make_study(), "nifti")
    again = make_study("copy", patient="somebody else", source=Path("/elsewhere"))
    assert catalog.studies.add(again, "nifti") == (first, False)
    assert len(catalog.studies.all()) == 1
    assert len(catalog.slices.all()) == 2


def test_another_geometry_is_another_study(catalog, make_study):
    for spacing in (8.0, 5.0):
        catalog.studies.add(
            make_study(geometry=Geometry((4, 4, 2), np.diag([1.0, 1.0, spacing, 1.0]))), "nifti"
        )
    assert len(catalog.studies.all()) == 2


def test_a_taken_name_gets_a_part_of_the_contents_hash_each_time_the_same(catalog, make_study):
    catalog.studies.add(make_study(seed=0), "nifti")
    other, created = catalog.studies.add(make_study(seed=1), "nifti")
    assert created
    assert other.name == f"study_0001-{other.key[:8]}"
    assert catalog.studies.add(make_study(seed=1), "nifti") == (other, False)
    assert catalog.studies.by_name(other.name) == other


def test_labels_and_a_grade_that_come_later_are_added_to_the_known_study(catalog, make_study):
    catalog.studies.add(make_study(), "nifti")
    record, created = catalog.studies.add(
        make_study(grade=SeverityGrade.CT_2, partial_labels={0: HALF}), "mosmed"
    )
    assert not created
    assert record.grade is SeverityGrade.CT_2
    assert (
        catalog.slices.reference_labels(catalog.slices.by_index("study_0001", 0).id).tolist() == HALF.tolist()
    )
    catalog.studies.add(make_study(), "nifti")  # without labels again: nothing is taken away
    parts = catalog.slices.all()
    assert [(part.index, part.has_reference_labels) for part in parts] == [(0, True), (1, False)]


def test_labels_of_record_and_grades_never_change(catalog, make_study):
    catalog.studies.add(make_study(grade=SeverityGrade.CT_2, partial_labels={0: HALF}), "mosmed")
    with pytest.raises(InputError, match="never"):
        catalog.studies.add(make_study(partial_labels={0: OTHER}), "mosmed")
    with pytest.raises(InputError, match="CT-3"):
        catalog.studies.add(make_study(grade=SeverityGrade.CT_3), "mosmed")
    assert (
        catalog.slices.reference_labels(catalog.slices.by_index("study_0001", 0).id).tolist() == HALF.tolist()
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"slices": []}, "no slice"),
        ({"slices": [np.zeros((4, 4))]}, "float64"),
        ({"slices": [np.zeros((4, 4, 3), np.int16)]}, "shape"),
        ({"slices": [np.zeros((0, 4), np.int16)]}, "shape"),
        ({"intensity": Intensity.PICTURE}, "expected uint8"),
        ({"partial_labels": {7: HALF}}, r"\[7\]"),
        ({"partial_labels": {0: HALF[:2]}}, "labels of slice 0"),
        ({"partial_labels": {0: np.zeros((4, 4), np.uint8)}}, "1 to 15"),
        ({"partial_labels": {0: np.full((4, 4), 16, np.uint8)}}, "1 to 15"),
        ({"slice_names": ("a.png",)}, "names 1 slices"),
        ({"patient": ""}, "patient"),
        ({"patient": "a\0b"}, "patient"),
    ],
)
def test_a_damaged_study_is_refused_with_its_reason_and_leaves_no_row(catalog, make_study, given, reason):
    with pytest.raises(InputError, match=reason):
        catalog.studies.add(make_study(**given), "nifti")
    assert catalog.counts()["slices"] == 0


def test_slices_are_taken_one_at_a_time(catalog, make_study):
    alive: list[int] = []

    class Lazy(list):
        def __getitem__(self, index):
            alive.append(index)
            return np.full((4, 4), index, np.int16)

        def __len__(self):
            return 3

    catalog.studies.add(make_study(slices=Lazy()), "nifti")
    assert alive == [0, 1, 2, 0, 1, 2]  # once to name the content, once to store it


def test_an_import_that_breaks_off_leaves_no_row_and_can_be_repeated(catalog, make_study, monkeypatch):
    written = []
    real_write = Storage.write_bytes

    def breaks(self, *arguments):
        written.append(arguments)
        if len(written) == 3:
            raise KeyboardInterrupt
        return real_write(self, *arguments)

    monkeypatch.setattr(Storage, "write_bytes", breaks)
    with pytest.raises(KeyboardInterrupt):
        catalog.studies.add(make_study(), "nifti")
    assert catalog.counts()["studies"] == 0
    monkeypatch.undo()
    assert catalog.studies.add(make_study(), "nifti")[1]


def test_slices_come_in_the_order_of_their_ids_each_once(catalog, make_study):
    for seed in range(3):
        catalog.studies.add(make_study(f"s{seed}", seed=seed), "nifti")
    seen = [part.id for part in catalog.slices.all()]
    assert seen == sorted(set(seen))
    assert len(seen) == 6


def test_what_does_not_exist_is_named(catalog):
    for ask in (
        lambda: catalog.studies.by_name("nobody"),
        lambda: catalog.slices.get(99),
        lambda: catalog.slices.by_index("nobody", 0),
        lambda: catalog.slices.reference_labels(99),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_slices_can_be_asked_for_by_split(catalog, make_study):
    catalog.studies.add(make_study("a", seed=1, split=Split.TEST), "nifti")
    catalog.studies.add(make_study("b", seed=2, split=Split.TRAIN), "nifti")
    assert {part.study_name for part in catalog.slices.all(split=Split.TEST)} == {"a"}
    assert {part.study_name for part in catalog.slices.all(split=Split.TRAIN)} == {"b"}


def test_dicom_headers_are_kept_and_added_to_a_study_that_came_without(catalog, make_study, tmp_path):
    files = write_series(tmp_path / "ct", SERIES["coronal"])
    plain = make_study()
    record, _ = catalog.studies.add(plain, "nifti")
    assert (record.dicom_source_path, catalog.studies.dicom_headers(record)) == (None, [])
    record, created = catalog.studies.add(dataclasses.replace(plain, dicom_files=tuple(files)), "dicom")
    assert not created
    assert catalog.studies.dicom_headers(record) == pseudonymous(read_headers(files), record.patient)
    others = write_series(tmp_path / "other", SERIES["oblique"])
    record, _ = catalog.studies.add(dataclasses.replace(plain, dicom_files=tuple(others)), "dicom")
    assert catalog.studies.dicom_headers(record) == pseudonymous(read_headers(files), record.patient)


def test_the_storage_holds_where_dicom_instances_lie_and_not_whose_they_are(catalog, make_study, tmp_path):
    files = write_series(tmp_path / "ct", SERIES["coronal"])
    study = dataclasses.replace(make_study(), dicom_files=tuple(files))
    record, created = catalog.studies.add(study, "dicom")
    assert created
    assert record.dicom_source_path is not None
    data = catalog.storage.read_bytes(record.dicom_source_path)
    for private in ("Иван", "P-7", "19500101", "20260301", "Secret"):
        assert private.encode() not in data
    headers = catalog.studies.dicom_headers(record)
    assert {header.PatientID for header in headers} == {record.patient}
    assert [header.SOPInstanceUID for header in headers] == [
        header.SOPInstanceUID for header in read_headers(files)
    ]
