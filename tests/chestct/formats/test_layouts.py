import itertools
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct import partial_labels
from chestct.errors import InputError
from chestct.formats.folders import natural_key
from chestct.formats.layouts import LAYOUTS, discover
from chestct.formats.nifti import read_mask_nifti
from chestct.settings import Settings
from chestct.study import FailedInput, Study


def names(found):
    return [item.name if isinstance(item, Study) else f"! {item.source.name}" for item in found]


@pytest.fixture
def mixed(tmp_path, save_nifti, save_picture, chest, slope):
    """Volumes, pictures, masks, hidden and foreign files in one tree."""
    save_nifti(tmp_path / "a/scan10.nii.gz", chest)
    save_nifti(tmp_path / "a/scan2.nii", chest)
    save_nifti(tmp_path / "a/scan2_mask.nii.gz", np.zeros(chest.shape, np.int16))
    save_nifti(tmp_path / "a/.hidden.nii.gz", chest)
    save_picture(tmp_path / "b/1.png", slope)
    save_picture(tmp_path / "b/2.jpg", slope)
    save_picture(tmp_path / "b/masks/1.png", slope)
    (tmp_path / "readme.txt").write_text("about this folder")
    (tmp_path / "__MACOSX").mkdir()
    save_nifti(tmp_path / "__MACOSX/scan.nii.gz", chest)
    return tmp_path


def test_a_tree_gives_volumes_and_picture_folders_in_counting_order(mixed):
    assert names(discover([mixed])) == ["scan2", "scan10", "b"]


def test_a_layout_narrows_what_is_read(mixed):
    assert names(discover([mixed], "nifti")) == ["scan2", "scan10"]
    assert names(discover([mixed], "images")) == ["b"]


def test_a_file_named_itself_is_read_whatever_its_name(mixed):
    assert names(discover([mixed / "a/scan2_mask.nii.gz", mixed / "b/2.jpg"])) == ["scan2_mask", "2"]


def test_studies_are_read_one_at_a_time(mixed):
    found = discover([mixed])
    assert next(found).name == "scan2"
    (mixed / "a/scan10.nii.gz").write_text("changed before its turn")
    assert names(found) == ["! scan10.nii.gz", "b"]


def test_a_bad_file_is_reported_and_the_batch_goes_on(mixed):
    (mixed / "a/scan2.nii").write_text("broken")
    (mixed / "b/1.png").write_text("broken")
    found = list(discover([mixed]))
    assert names(found) == ["! scan2.nii", "scan10", "! 1.png", "b"]
    assert all(item.reason for item in found if isinstance(item, FailedInput))


def test_same_names_get_their_folder_before_them_and_stay_strangers(tmp_path, save_nifti, chest):
    for part in ("a", "b", "c/b"):
        save_nifti(tmp_path / part / "scan.nii.gz", chest)
    found = list(discover([tmp_path]))
    assert names(found) == ["scan", "b-scan", "b-scan-2"]
    assert [item.patient for item in found] == names(found)


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "mosmed"])
def test_an_empty_folder_is_refused_with_what_was_expected(tmp_path, layout):
    with pytest.raises(InputError, match=r"expected|does not exist"):
        list(discover([tmp_path], layout))


def test_a_missing_path_alone_is_refused_and_among_others_reported(mixed):
    with pytest.raises(InputError, match="does not exist"):
        list(discover([mixed / "nowhere"]))
    assert names(discover([mixed / "nowhere", mixed / "b"])) == ["! nowhere", "b"]


@pytest.mark.parametrize("layout", ["DICOM", "xray"])
def test_an_unknown_layout_is_refused_at_the_call(mixed, layout):
    with pytest.raises(InputError, match="auto, nifti, dicom, kaggle, images"):
        discover([mixed], layout)


def test_no_paths_are_refused_at_the_call():
    with pytest.raises(InputError, match="missing"):
        discover([])


def test_an_archive_is_read_like_the_folder_that_was_packed(mixed):
    archive = shutil.make_archive(str(mixed.parent / "packed"), "zip", mixed)
    found = list(discover([Path(archive)]))
    assert names(found) == ["scan2", "scan10", "b"]
    assert [item.source for item in found] == [
        Path(archive) / part for part in ("a/scan2.nii", "a/scan10.nii.gz", "b")
    ]
    assert found[0].slices[0].shape == (5, 6)


def test_an_archive_in_a_folder_is_read_too(mixed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outer")
    shutil.make_archive(str(folder / "packed"), "zip", mixed)
    assert names(discover([folder], "nifti")) == ["scan2", "scan10"]


def test_a_bad_member_is_named_below_its_archive(mixed):
    (mixed / "a/scan2.nii").write_text("broken")
    archive = Path(shutil.make_archive(str(mixed.parent / "bad"), "zip", mixed))
    failed = next(discover([archive]))
    assert failed.source == archive / "a/scan2.nii"
    assert "lungloop-" not in failed.reason


def test_an_archive_of_nothing_says_what_was_expected(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "about")
    (failed,) = discover([tmp_path / "a.zip"])
    assert failed.source == tmp_path / "a.zip"
    assert "holds nothing to read" in failed.reason


def test_broken_dicom_is_one_line_a_folder_not_one_a_slice(mixed):
    for index in range(20):
        (mixed / "b" / f"{index}.dcm").write_bytes(b"\0" * 128 + b"DICM")
    found = list(discover([mixed]))
    assert names(found) == [f"! {mixed.name}", "scan2", "scan10", "b"]
    assert "20 DICOM files cannot be read" in found[0].reason


def test_an_unknown_file_says_what_was_expected(mixed):
    (failed,) = discover([mixed / "readme.txt"])
    assert "expected .nii.gz" in failed.reason


def test_a_link_in_a_circle_ends(mixed):
    (mixed / "a/loop").symlink_to(mixed, target_is_directory=True)
    assert names(discover([mixed])) == ["scan2", "scan10", "b"]


def test_known_data_sets_are_recognised_wherever_they_lie(tmp_path, save_nifti, save_picture, chest, slope):
    save_nifti(tmp_path / "mosmed/studies/CT-2/study_0009.nii.gz", chest)
    (tmp_path / "medseg").mkdir()
    (tmp_path / "medseg/slices.csv").write_text("slice,official_split,split\n0,official-train,train\n")
    save_picture(tmp_path / "medseg/image/000.png", slope)
    save_picture(tmp_path / "medseg/mask/000.png", np.zeros_like(slope))
    found = list(discover([tmp_path]))
    assert names(found) == ["medseg-000", "study_0009"]
    assert found[1].grade == "CT-2"
    assert names(discover([tmp_path / "mosmed"], "mosmed")) == ["study_0009"]
    assert names(discover([tmp_path / "mosmed"], "nifti")) == ["study_0009"]


def test_natural_order_counts_as_people_do():
    assert sorted(["s10", "s2", "S1", "s02", "s", "1"], key=natural_key) == [
        "1",
        "s",
        "S1",
        "s02",
        "s2",
        "s10",
    ]


@given(st.lists(st.text(max_size=12), unique=True, max_size=8))
def test_no_two_names_tie_in_natural_order(listed):
    assert len({natural_key(name) for name in listed}) == len(listed)


@pytest.fixture
def shared_data():
    folder = Settings.load().shared_data
    if folder is None:
        pytest.skip("the shared research data is not on this machine (LUNGLOOP_SHARED_DATA)")
    return folder


def test_real_data_sets_read_without_a_failure(shared_data):
    volume = next(discover([shared_data / "covid-ct-seg"]))
    slices = list(itertools.islice(discover([shared_data / "medseg"]), 10))
    chest = next(discover([shared_data / "lung3d-hu"]))
    assert (volume.name, volume.patient, volume.split, len(volume.slices)) == (
        "coronacases_001",
        "C01",
        "train",
        159,
    )
    assert all(isinstance(item, Study) and item.partial_labels for item in slices)
    assert min(int(part.min()) for part in chest.slices) == -1024  # -3604 of ringing became air


def test_a_real_mosmed_mask_fits_a_study_made_on_its_grid(shared_data, tmp_path, save_nifti):
    path = shared_data / "mosmed-masks/masks/study_0255_mask.nii.gz"
    mask, geometry = read_mask_nifti(path)
    save_nifti(
        tmp_path / "studies/CT-1/study_0255.nii.gz",
        np.full(geometry.stored_shape, -850, np.int16),
        geometry.affine,
    )
    (tmp_path / "masks").symlink_to(path.parent)
    (study,) = discover([tmp_path])
    assert study.grade == "CT-1"
    assert (
        sum(
            int((known == partial_labels.LESION_KIND_UNKNOWN).sum())
            for known in study.partial_labels.values()
        )
        == mask.sum()
    )


def test_a_header_that_claims_gigabytes_is_refused_inside_an_archive_too(tmp_path, save_nifti, chest):
    path = save_nifti(tmp_path / "in/huge.nii", chest)
    raw = bytearray(path.read_bytes())
    raw[40:56] = struct.pack("<8h", 3, 1024, 1024, 1024, 1, 1, 1, 1)  # dim: 2 GiB of int16
    path.write_bytes(raw)
    save_nifti(tmp_path / "in/good.nii.gz", chest)
    archive = Path(shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "in"))
    good, failed = discover([archive])
    assert good.name == "good"
    assert failed.source == archive / "huge.nii"
    assert "claims 1024 x 1024 x 1024 voxels" in failed.reason
