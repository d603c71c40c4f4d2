"""What a reader paints on a slice lies on the same voxels in every file that leaves, however it was stored.

No test here turns an array itself. Each voxel of a source holds a number of its own, the "reader" paints by
the numbers that the slice shows, and an independent reader of the result must find each label on the voxel
with that number.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
import SimpleITK
from dicom_series import SERIES, write_series

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.dicom_source import read_headers
from chestct.formats.dicom_seg import MadeBy, write_dicom_seg
from chestct.formats.layouts import discover
from chestct.formats.nifti import read_nifti, write_label_map_nifti
from chestct.study import Study
from lungloop.exporting import export_dataset
from lungloop.importing import import_studies
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.results import read_label_map

CONFIG: LabelConfig = parse_label_config(
    '<View><Image name="image" value="$image"/><BrushLabels name="lesions" toName="image">'
    '<Label value="Ground glass"/><Label value="Consolidation"/><Label value="Lung"/></BrushLabels></View>'
)
NAMES = {1: "Ground glass", 2: "Consolidation", 3: "Lung"}
# Every way to store a volume along the patient's axes: 6 orders of axes times 8 signs.
ORIENTATIONS = [
    "".join(pair[sign] for pair, sign in zip(order, signs, strict=True))
    for order in itertools.permutations(("LR", "PA", "IS"))
    for signs in itertools.product((0, 1), repeat=3)
]
WORLD = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}
SPACING_MM = {0: 0.5, 1: 0.75, 2: 8.0}
LENGTHS = {0: 5, 1: 4, 2: 3}
LOWEST = -1000  # HU of the first voxel; -1000 is a multiple of 4
OBLIQUE = np.array([[0.96, -0.28, 0, 0], [0.28, 0.96, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ np.array(
    [[1, 0, 0, 0], [0, 0.8, -0.6, 0], [0, 0.6, 0.8, 0], [0, 0, 0, 1]]
)

Array = npt.NDArray[Any]


def write_numbered_nifti(path: Path, codes: str, turn: Array | None = None) -> Array:
    """A volume stored along the named axes whose voxels are all different; returns the stored array."""
    shape = tuple(LENGTHS[WORLD[code][0]] for code in codes)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, code in enumerate(codes):
        row, sign = WORLD[code]
        affine[row, axis] = sign * SPACING_MM[row]
    affine[:3, 3] = (-12.5, 30.25, -70)
    stored = (np.arange(np.prod(shape)) + LOWEST).astype(np.int16).reshape(shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(stored, affine if turn is None else turn @ affine), path)
    return stored


def painted_as_in_the_browser(alpha: npt.NDArray[np.uint8]) -> list[int]:
    """Label Studio's brush RLE of a red region with soft edges, packed value by value."""
    rgba = np.zeros((*alpha.shape, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 230, alpha
    values = rgba.ravel().tolist()
    bits = f"{len(values):032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    for first in range(0, len(values), 8):
        part = values[first : first + 8]
        bits += f"000{len(part) - 1:03b}" + "".join(f"{value:08b}" for value in part)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


def read_by_a_reader(pixels: Array) -> npt.NDArray[np.uint8]:
    """The label map of an annotation in which each pixel was painted with the label number mod 4."""
    labels = (pixels.astype(int) % 4).astype(np.uint8)
    height, width = labels.shape
    # Inside a stroke the brush leaves 128 to 255, at its edge outside up to 127.
    soft = np.random.default_rng(int(pixels.min()) + 2000).integers(0, 128, labels.shape)
    regions = [
        {
            "type": "brushlabels",
            "from_name": "lesions",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": painted_as_in_the_browser((soft + 128 * (labels == label)).astype(np.uint8)),
                "brushlabels": [name],
            },
        }
        for label, name in NAMES.items()
    ]
    return read_label_map(regions, CONFIG, height, width)


def corrected(slices: Sequence[Array]) -> npt.NDArray[np.uint8]:
    return np.stack([read_by_a_reader(one) for one in slices])


def assert_labels_lie_on_their_numbers(mask: Path, stored: Array, source: Path) -> None:
    """nibabel and SimpleITK both find number mod 4 on each voxel, where the source has that voxel."""
    by_nibabel, original = nib.load(mask), nib.load(source)
    np.testing.assert_array_equal(by_nibabel.affine, original.affine)
    assert by_nibabel.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(by_nibabel.dataobj), stored % 4)
    by_itk, itk_source = SimpleITK.ReadImage(str(mask)), SimpleITK.ReadImage(str(source))
    # SimpleITK's arrays are (k, j, i).
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(by_itk).T, stored % 4)
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_array_equal(getattr(by_itk, name)(), getattr(itk_source, name)())


@pytest.mark.parametrize("turn", [None, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_a_nifti_study_comes_back_bit_exact_in_every_orientation(tmp_path, codes, turn):
    stored = write_numbered_nifti(tmp_path / "ct.nii.gz", codes, turn)
    study = read_nifti(tmp_path / "ct.nii.gz")
    assert study.geometry is not None
    write_label_map_nifti(tmp_path / "mask.nii.gz", corrected(study.slices), study.geometry)
    assert_labels_lie_on_their_numbers(tmp_path / "mask.nii.gz", stored, tmp_path / "ct.nii.gz")


def assert_segments_lie_on_their_numbers(mask: Path, files: Sequence[Path]) -> None:
    """pydicom finds stored number mod 4 on each pixel of the source instance that a frame names."""
    seg = pydicom.dcmread(mask)
    sources = {str(one.SOPInstanceUID): one for one in map(pydicom.dcmread, files)}
    found = {uid: np.zeros((one.Rows, one.Columns), int) for uid, one in sources.items()}
    for pixels, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        position = groups.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(position, sources[source].ImagePositionPatient, atol=1e-6)
        found[source] += pixels * int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    for uid, source in sources.items():
        np.testing.assert_array_equal(found[uid], source.pixel_array % 4)


@pytest.mark.parametrize("name", SERIES)
def test_a_dicom_study_comes_back_on_its_own_pixels(tmp_path, name):
    files = write_series(tmp_path / "ct", SERIES[name])
    (study,) = discover([tmp_path / "ct"])
    assert isinstance(study, Study)
    assert study.geometry is not None
    view, headers = corrected(study.slices), read_headers(study.dicom_files)
    write_dicom_seg(tmp_path / "seg.dcm", view, study.geometry, headers, MadeBy.model("base-1"))
    assert_segments_lie_on_their_numbers(tmp_path / "seg.dcm", files)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}", str(tmp_path / "storage")) as opened:
        yield opened


def import_and_correct(catalog: Catalog, folder: Path) -> None:
    """The whole way in: files, catalog, a submitted annotation for each slice."""
    report = import_studies(catalog, discover([folder]), "auto")
    assert report.failed == []
    for found in catalog.slices.all():
        catalog.corrections.add(
            slice_id=found.id,
            project_uid="1:2026",
            task_id=found.id,
            annotation_id=found.id,
            annotation_updated_at="2026-03-01T09:00:00Z",
            state=CorrectionState.SUBMITTED,
            annotator="a@b.org",
            label_map=read_by_a_reader(catalog.slices.read_pixels(found)),
            via="sync",
        )


def test_through_the_catalog_nifti_exports_are_bit_exact(catalog, tmp_path):
    # One of each kind: MosMed's own order, all axes backward, sagittal and coronal order, oblique.
    kinds = {"LAS": None, "RPI": None, "ASR": None, "RIP": None, "SAL": OBLIQUE}
    stored = {
        codes: write_numbered_nifti(tmp_path / f"in/{codes}.nii.gz", codes, turn)
        for codes, turn in kinds.items()
    }
    # Alike in every number, studies of one shape and affine would be one.
    import_and_correct(catalog, tmp_path / "in")
    export_dataset(catalog, tmp_path / "out", "nifti")
    for codes, numbers in stored.items():
        source = tmp_path / f"in/{codes}.nii.gz"
        assert_labels_lie_on_their_numbers(tmp_path / f"out/masks/{codes}.nii.gz", numbers, source)
        image = nib.load(tmp_path / f"out/images/{codes}.nii.gz")
        np.testing.assert_array_equal(np.asarray(image.dataobj), numbers)


@pytest.mark.parametrize("name", ["axial, head first", "coronal", "tilted gantry"])
def test_through_the_catalog_dicom_exports_lie_on_the_source_pixels(catalog, tmp_path, name):
    files = write_series(tmp_path / "in", SERIES[name])
    import_and_correct(catalog, tmp_path / "in")
    report = export_dataset(catalog, tmp_path / "out", "dicom-seg")
    assert report.warnings == ()
    (mask,) = (tmp_path / "out/masks").glob("*.dcm")
    assert_segments_lie_on_their_numbers(mask, files)
