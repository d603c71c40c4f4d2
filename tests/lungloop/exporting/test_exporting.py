import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from dicom_series import SERIES, geometry_of, write_series
from PIL import Image
from pycocotools.coco import COCO

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.errors import InputError
from chestct.formats.kaggle import read_kaggle
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.partial_labels import from_given_label_map
from chestct.study import Study
from lungloop.exporting import COLUMNS, FORMATS, export_dataset
from lungloop.exporting.dataset import _WRITERS

# RAS: columns and rows are both flipped for the reader, so a wrong turn shows at once.
RAS = np.diag([1.0, 1.0, 8.0, 1.0])


@pytest.fixture
def catalog(tmp_path):
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", str(tmp_path / "storage")) as opened:
        yield opened


def add_volume(catalog: Catalog) -> None:
    rng = np.random.default_rng(3)
    slices = tuple(rng.integers(-1000, 200, (6, 4)).astype(np.int16) for _ in range(3))
    geometry = Geometry((4, 6, 3), RAS)
    catalog.studies.add(Study("study_0001", "P1", slices, Intensity.HU, Path("a.nii.gz"), geometry), "nifti")


def correct(
    catalog: Catalog,
    index: int,
    label_map: np.ndarray,
    at: str,
    annotation_id: int = 1,
    study: str = "study_0001",
) -> None:
    catalog.corrections.add(
        slice_id=catalog.slices.by_index(study, index).id,
        project_uid="1:2026",
        task_id=index + 1,
        annotation_id=annotation_id,
        annotation_updated_at=at,
        state=CorrectionState.SUBMITTED,
        annotator="a@b.org",
        lead_time_seconds=12.5,
        label_map=label_map,
        via="sync",
    )


def marked(value: int) -> np.ndarray:
    label_map = np.zeros((6, 4), np.uint8)
    label_map[0, 0] = value
    label_map[5, 1] = 2
    return label_map


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "dataset.csv").open(newline="") as stream:
        reader = csv.DictReader(stream)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        return list(reader)


def test_a_png_mask_is_the_label_map_that_was_submitted(catalog, tmp_path):
    add_volume(catalog)
    correct(catalog, 1, marked(1), "2026-03-01T09:00:00Z")
    report = export_dataset(catalog, tmp_path / "out", "png")
    (row,) = rows_of(tmp_path / "out")
    assert (report.rows, report.studies, report.warnings) == (1, 1, ())
    assert (row["study"], row["slice"], row["lead_time_seconds"]) == ("study_0001", "1", "12.500")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / row["mask"])), marked(1))
    assert np.asarray(Image.open(tmp_path / "out" / row["image"])).shape == (6, 4)


def test_a_nifti_mask_lies_on_its_study(catalog, tmp_path):
    add_volume(catalog)
    correct(catalog, 2, marked(1), "2026-03-01T09:00:00Z")
    export_dataset(catalog, tmp_path / "out", "nifti")
    (row,) = rows_of(tmp_path / "out")
    mask, image = (nibabel.load(tmp_path / "out" / row[name]) for name in ("mask", "image"))
    np.testing.assert_array_equal(mask.affine, RAS)
    assert mask.shape == image.shape == (4, 6, 3)
    stored = np.asarray(mask.dataobj)
    # The reader's top left pixel is the patient's right-anterior corner: the last voxel in RAS.
    assert stored[3, 5, 2] == 1
    assert stored[2, 0, 2] == 2
    assert np.count_nonzero(stored) == 2
    hu = np.asarray(image.dataobj)
    np.testing.assert_array_equal(
        hu[3, 5, 2], catalog.slices.read_pixels(catalog.slices.by_index("study_0001", 2))[0, 0]
    )


@pytest.mark.parametrize(("all_versions", "masks"), [(False, 1), (True, 2)])
def test_the_newest_correction_counts_unless_all_are_asked_for(catalog, tmp_path, all_versions, masks):
    add_volume(catalog)
    correct(catalog, 0, marked(1), "2026-03-01T09:00:00Z")
    correct(catalog, 0, marked(3), "2026-03-02T09:00:00Z")
    export_dataset(catalog, tmp_path / "out", "png", all_versions=all_versions)
    rows = rows_of(tmp_path / "out")
    assert len({row["mask"] for row in rows}) == masks
    newest = next(row for row in rows if row["mask"].endswith("/0000.png"))
    assert np.asarray(Image.open(tmp_path / "out" / newest["mask"]))[0, 0] == 3


def test_npy_arrays_are_in_the_seeds_class_order_and_in_the_order_of_the_table(catalog, tmp_path):
    add_volume(catalog)
    grey = np.arange(25, dtype=np.uint8).reshape(5, 5)
    catalog.studies.add(Study("loose", "P2", (grey,), Intensity.PICTURE, Path("b")), "images")
    correct(catalog, 2, marked(3), "2026-03-01T09:00:00Z", annotation_id=2)
    correct(catalog, 0, marked(1), "2026-03-02T09:00:00Z")
    correct(catalog, 0, np.ones((5, 5), np.uint8), "2026-03-02T09:00:00Z", annotation_id=3, study="loose")
    report = export_dataset(catalog, tmp_path / "out", "npy")
    assert (report.rows, report.warnings) == (3, ())
    assert [(row["slice"], row["image"], row["mask"]) for row in rows_of(tmp_path / "out")] == [
        ("0", "images_6x4_hu.npy", "masks_6x4_hu.npy"),
        ("2", "images_6x4_hu.npy", "masks_6x4_hu.npy"),
        ("0", "images_5x5_picture.npy", "masks_5x5_picture.npy"),
    ]
    images, masks = (np.load(tmp_path / "out" / f"{kind}_6x4_hu.npy") for kind in ("images", "masks"))
    assert (images.shape, masks.shape) == ((2, 6, 4, 1), (2, 6, 4, 4))
    for item, index in enumerate((0, 2)):
        expected = catalog.slices.read_pixels(catalog.slices.by_index("study_0001", index))
        np.testing.assert_array_equal(images[item, ..., 0], expected)
    assert masks[0, 0, 0].tolist() == [1, 0, 0, 0]
    assert masks[0, 5, 1].tolist() == [0, 1, 0, 0]
    assert masks[1, 0, 0].tolist() == [0, 0, 1, 0]
    assert masks[0, 3, 3].tolist() == [0, 0, 0, 1]
    pictures = np.load(tmp_path / "out/images_5x5_picture.npy")
    np.testing.assert_array_equal(pictures[0, ..., 0], grey)


def test_npy_arrays_come_back_through_our_own_reader_of_kaggle_arrays(catalog, tmp_path):
    pixels = np.random.default_rng(1).integers(-1000, 200, (2, 64, 80)).astype(np.int16)
    labels = np.random.default_rng(2).integers(0, 4, (2, 64, 80)).astype(np.uint8)
    catalog.studies.add(Study("study_0001", "P1", tuple(pixels), Intensity.HU, Path("a")), "nifti")
    for index, label_map in enumerate(labels):
        correct(catalog, index, label_map, "2026-03-01T09:00:00Z", annotation_id=index + 1)
    export_dataset(catalog, tmp_path / "out", "npy")
    study = read_kaggle(tmp_path / "out/images_64x80_hu.npy")
    np.testing.assert_array_equal(np.stack(list(study.slices)), pixels)
    for index, label_map in enumerate(labels):
        np.testing.assert_array_equal(study.partial_labels[index], from_given_label_map(label_map))


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
@pytest.mark.parametrize("name", ["annotations.json", "annotations-polygons.json"])
def test_coco_annotations_draw_the_submitted_label_map(catalog, tmp_path, name):
    add_volume(catalog)
    correct(catalog, 1, marked(1), "2026-03-01T09:00:00Z")
    correct(catalog, 2, np.zeros((6, 4), np.uint8), "2026-03-01T09:00:00Z", annotation_id=2)
    export_dataset(catalog, tmp_path / "out", "coco")
    coco = COCO()
    coco.dataset = json.loads((tmp_path / "out" / name).read_text())
    coco.createIndex()
    first, second = coco.loadImgs(coco.getImgIds())
    assert (first["file_name"], first["width"], first["height"]) == ("images/study_0001/0001.png", 4, 6)
    assert np.asarray(Image.open(tmp_path / "out" / first["file_name"])).shape == (6, 4)
    assert (second["slice"], coco.getAnnIds(imgIds=[second["id"]])) == (2, [])
    drawn = np.zeros((6, 4), np.uint8)
    for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[first["id"]])):
        drawn[coco.annToMask(annotation) > 0] = annotation["category_id"]
    np.testing.assert_array_equal(drawn, marked(1))
    assert [row["mask"] for row in rows_of(tmp_path / "out")] == ["annotations.json"] * 2


@pytest.mark.parametrize("file_format", ["nifti", "coco"])
def test_older_versions_are_pictures_beside_one_mask_a_slice(catalog, tmp_path, file_format):
    add_volume(catalog)
    correct(catalog, 0, marked(1), "2026-03-01T09:00:00Z")
    correct(catalog, 0, marked(3), "2026-03-02T09:00:00Z")
    export_dataset(catalog, tmp_path / "out", file_format, all_versions=True)
    older, newest = rows_of(tmp_path / "out")
    assert older["mask"].startswith("masks/study_0001/0000.version-")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / older["mask"])), marked(1))
    assert newest["mask"] != older["mask"]
    assert newest["image"] == older["image"]


def test_a_dicom_study_exports_as_a_segmentation_of_its_instances_also_when_its_files_are_gone(
    catalog, tmp_path
):
    files, geometry = write_series(tmp_path / "ct", SERIES["coronal"]), geometry_of(SERIES["coronal"])
    pixels = np.zeros(geometry.view_shape, np.int16)
    catalog.studies.add(
        Study("study_0001", "P1", tuple(pixels), Intensity.HU, tmp_path, geometry, dicom_files=tuple(files)),
        "dicom",
    )
    uids = {str(pydicom.dcmread(file).SOPInstanceUID) for file in files}
    for file in files:
        file.unlink()
    rng = np.random.default_rng(2)
    view = rng.integers(0, 3, geometry.view_shape).astype(np.uint8)
    for index, label_map in enumerate(view):
        correct(catalog, index, label_map, "2026-03-01T09:00:00Z", annotation_id=index + 1)
    report = export_dataset(catalog, tmp_path / "out", "dicom-seg")
    assert (report.rows, report.warnings) == (len(view), ())
    rows = rows_of(tmp_path / "out")
    assert {(row["image"], row["mask"]) for row in rows} == {("", "masks/study_0001.dcm")}
    seg = pydicom.dcmread(tmp_path / "out/masks/study_0001.dcm")
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert (seg.PatientID, seg.PatientName, seg.StudyDate) == ("P1", "", "")
    referenced = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {one.ReferencedSOPInstanceUID for one in referenced} == uids
    assert seg.pixel_array.sum() == np.count_nonzero(view)


def test_studies_that_are_no_dicom_are_named_and_the_rest_is_exported(catalog, tmp_path):
    add_volume(catalog)
    files, geometry = write_series(tmp_path / "ct", SERIES["oblique"]), geometry_of(SERIES["oblique"])
    pixels = tuple(np.zeros(geometry.view_shape, np.int16))
    catalog.studies.add(
        Study("from_dicom", "P2", pixels, Intensity.HU, tmp_path, geometry, dicom_files=tuple(files)), "dicom"
    )
    correct(catalog, 1, marked(1), "2026-03-01T09:00:00Z")
    correct(
        catalog, 1, np.ones((4, 5), np.uint8), "2026-03-01T09:00:00Z", annotation_id=2, study="from_dicom"
    )
    report = export_dataset(catalog, tmp_path / "out", "dicom-seg")
    assert [row["study"] for row in rows_of(tmp_path / "out")] == ["from_dicom"]
    assert report.warnings == (
        "study_0001: did not come from DICOM, so there are no instances that a DICOM SEG could refer to; "
        "export it with --format nifti or png",
    )


def test_an_export_is_replaced_and_anything_else_left_alone(catalog, tmp_path):
    add_volume(catalog)
    export_dataset(catalog, tmp_path / "out", "png")
    assert rows_of(tmp_path / "out") == []
    correct(catalog, 0, marked(1), "2026-03-01T09:00:00Z")
    export_dataset(catalog, tmp_path / "out", "png")
    assert len(rows_of(tmp_path / "out")) == 1

    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.txt").write_text("mine")
    with pytest.raises(InputError, match="not an export of ours"):
        export_dataset(catalog, thesis, "png")
    assert (thesis / "chapter.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []


def test_loose_pictures_have_no_nifti_and_say_so(catalog, tmp_path):
    picture = np.arange(24, dtype=np.uint8).reshape(6, 4)
    catalog.studies.add(Study("study_0001", "P1", (picture,), Intensity.PICTURE, Path("a")), "images")
    correct(catalog, 0, marked(1), "2026-03-01T09:00:00Z")
    report = export_dataset(catalog, tmp_path / "out", "nifti")
    assert report.rows == 0
    assert "export them with --format png" in report.warnings[0]


def test_every_format_that_the_command_offers_has_a_writer():
    assert tuple(_WRITERS) == FORMATS == ("png", "nifti", "npy", "coco", "dicom-seg")


def test_progress_is_told_once_a_study(catalog, tmp_path):
    add_volume(catalog)
    correct(catalog, 1, marked(1), "2026-03-01T09:00:00Z")
    told = []
    export_dataset(
        catalog,
        tmp_path / "out",
        "npy",
        on_progress=lambda now: told.append((now.done, now.total, now.stage)),
    )
    assert told == [(1, 1, "study_0001")]


def test_an_unknown_format_names_those_that_exist(catalog, tmp_path):
    with pytest.raises(InputError, match="expected one of png, nifti, npy, coco"):
        export_dataset(catalog, tmp_path / "out", "jpeg")
