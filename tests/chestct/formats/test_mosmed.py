import numpy as np
import pytest
from openpyxl import Workbook

from chestct import partial_labels
from chestct.errors import InputError
from chestct.formats.mosmed import read_mosmed, read_registry
from chestct.labels import LESIONS, SeverityGrade
from chestct.study import FailedInput, Study

ROWS = [
    ("study_id", "category", "study_file", "mask_file"),
    (1, "CT-0", "/studies/CT-0/study_0001.nii.gz", None),
    (2, "CT-3", "/studies/CT-1/study_0002.nii.gz", None),
]


@pytest.fixture
def folder(tmp_path, save_nifti, chest):
    """Three studies, stored under grades whose alphabetical order is not that of their numbers."""
    for grade, number in (("CT-1", 2), ("CT-0", 10), ("CT-0", 1)):
        save_nifti(tmp_path / "studies" / grade / f"study_{number:04d}.nii.gz", chest)
    (tmp_path / "studies" / ".DS_Store").touch()
    return tmp_path


def names(found):
    return [item.name if isinstance(item, Study) else item.source.name for item in found]


def test_studies_come_by_number_each_a_patient_graded_by_its_folder(folder):
    found = [item for item in read_mosmed(folder) if isinstance(item, Study)]
    assert names(found) == ["study_0001", "study_0002", "study_0010"]
    assert [study.patient for study in found] == names(found)
    assert [study.grade for study in found] == ["CT-0", "CT-1", "CT-0"]
    assert all(not study.partial_labels and study.split is None for study in found)


def save_workbook(path):
    workbook = Workbook()
    for row in ROWS:
        workbook.active.append(row)
    workbook.save(path)


def save_csv(path):
    path.write_text("\ufeff" + "".join(",".join(str(cell or "") for cell in row) + "\n" for row in ROWS))


@pytest.mark.parametrize(("name", "save"), [("xlsx", save_workbook), ("csv", save_csv)])
def test_the_registrys_grade_wins_over_the_folders(folder, name, save):
    save(folder / f"dataset_registry.{name}")
    assert [study.grade for study in read_mosmed(folder)] == ["CT-0", "CT-3", "CT-0"]


def test_ids_may_be_written_out(tmp_path):
    (tmp_path / "dataset_registry.csv").write_text("study_id,category\nstudy_0007,CT-4\n8,unknown\n9\n")
    assert read_registry(tmp_path / "dataset_registry.csv") == {"study_0007": SeverityGrade.CT_4}


@pytest.mark.parametrize("content", [b"PK\x03\x04 no zip", b"", b"study,grade\n1,CT-0\n", b"\xff\xfe\x00"])
@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_a_damaged_registry_is_reported_and_the_studies_go_on(folder, content, suffix):
    (folder / f"dataset_registry.{suffix}").write_bytes(content)
    found = list(read_mosmed(folder))
    assert isinstance(found[0], FailedInput)
    assert "folder names" in found[0].reason
    assert [study.grade for study in found[1:]] == ["CT-0", "CT-1", "CT-0"]


def test_a_binary_mask_becomes_lesion_of_unknown_kind_in_every_slice(folder, save_nifti, chest):
    mask = np.zeros(chest.shape, dtype=np.int16)
    mask[0, 4, 3] = 1
    save_nifti(folder / "masks" / "study_0002_mask.nii.gz", mask)
    study = list(read_mosmed(folder))[1]
    assert sorted(study.partial_labels) == [0, 1, 2, 3]
    assert study.partial_labels[3][0, 0] == partial_labels.LESION_KIND_UNKNOWN
    assert (study.partial_labels[0] == partial_labels.NOT_LESION).all()
    assert study.slices[3][0, 0] == 40  # the mask lies on the marker


def test_a_full_label_map_wins_over_the_binary_mask(folder, save_nifti, chest):
    label_map = np.full(chest.shape, 3, dtype=np.uint8)
    label_map[0, 4, 3] = 2
    save_nifti(folder / "labels" / "study_0002_labels.nii.gz", label_map)
    save_nifti(folder / "masks" / "study_0002_mask.nii.gz", np.zeros(chest.shape, dtype=np.int16))
    study = list(read_mosmed(folder))[1]
    _, decided = partial_labels.membership(np.stack(list(study.partial_labels.values())), LESIONS[:1])
    assert decided.all()
    assert study.partial_labels[3][0, 0] == 0b0100


@pytest.mark.parametrize("fault", ["shape", "affine", "damaged", "values"])
def test_a_mask_that_does_not_fit_fails_its_study_and_no_other(folder, save_nifti, chest, affine, fault):
    mask = np.zeros(chest.shape, dtype=np.int16)
    if fault == "values":
        mask[0, 0, 0], mask[1, 0, 0] = 1, 2
    if fault == "affine":
        affine[0, 3] += 30
    path = save_nifti(
        folder / "masks/study_0002_mask.nii.gz", mask[:, :, 1:] if fault == "shape" else mask, affine
    )
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:40])
    found = list(read_mosmed(folder))
    assert names(found) == ["study_0001", "study_0002.nii.gz", "study_0010"]
    assert isinstance(found[1], FailedInput)
    assert "study_0002_mask.nii.gz" in found[1].reason


def test_a_damaged_study_fails_alone(folder):
    (folder / "studies/CT-0/study_0001.nii.gz").write_text("lost")
    found = list(read_mosmed(folder))
    assert isinstance(found[0], FailedInput)
    assert "not a NIfTI volume" in found[0].reason
    assert len(found) == 3


def test_masks_without_studies_are_refused_with_what_was_expected(tmp_path):
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match=r"expected studies/CT-1/study_0001\.nii\.gz"):
        list(read_mosmed(tmp_path))
