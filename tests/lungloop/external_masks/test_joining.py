"""Masks of every kind joined to studies: by name, by geometry, or refused with a reason."""

import itertools
import json
import shutil
from pathlib import Path

import nibabel as nib
import nibabel.orientations as orientations
import numpy as np
import pytest
from PIL import Image

from chestct.errors import InputError
from chestct.formats.layouts import discover
from chestct.labels import Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, NOT_LESION, bits
from chestct.study import FailedInput, Study
from lungloop.external_masks import MasksAs, parse_mask_labels, with_masks
from ml_backend.label_studio import brush_rle

AFFINE = np.array([[-0.7, 0, 0, 90], [0, 0.6, 0, -80], [0, 0, 5.0, -100], [0, 0, 0, 1.0]])
GGO, CONS = bits(Label.GROUND_GLASS), bits(Label.CONSOLIDATION)


def volume(path: Path, stored: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(stored, affine), path)
    return path


def picture(path: Path, numbers: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numbers).save(path)
    return path


@pytest.fixture
def stored() -> np.ndarray:
    """(6, 5, 4) stored mask without symmetry: 1 and 2 each in a corner of their own."""
    mask = np.zeros((6, 5, 4), np.uint8)
    mask[0, 1, 3], mask[5, 4, 0] = 1, 2
    return mask


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return volume(tmp_path / "in/scan.nii.gz", np.full((6, 5, 4), -800, np.int16))


def joined(given, masks, text=None, masks_as=MasksAs.LABELS) -> Study:
    labels = None if text is None else parse_mask_labels(text)
    (study,) = with_masks(discover([given]), masks, labels, masks_as)
    assert isinstance(study, Study), study
    return study


def refusal(given, masks, text=None) -> str:
    labels = None if text is None else parse_mask_labels(text)
    found = list(with_masks(discover([given]), masks, labels))
    (failed,) = [one for one in found if isinstance(one, FailedInput)]
    assert "\n" not in failed.reason
    return failed.reason


def test_values_of_a_nifti_mask_go_by_the_mapping(tmp_path, scan, stored):
    mask = volume(tmp_path / "mask.nii.gz", stored)
    study = joined(scan, mask, "1=ground_glass,2=consolidation")
    back = study.geometry.to_stored(np.stack([study.partial_labels[index] for index in range(4)]))
    assert (back[0, 1, 3], back[5, 4, 0], back[1, 1, 1]) == (GGO, CONS, NOT_LESION)


@pytest.mark.parametrize(
    "turn",
    list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))[::5],
)
def test_a_mask_whose_axes_run_another_way_is_turned_onto_its_study(tmp_path, scan, stored, turn):
    axes, signs = turn
    ornt = np.array(list(zip(axes, signs, strict=True)))
    turned = orientations.apply_orientation(stored, ornt)
    affine = AFFINE @ orientations.inv_ornt_aff(ornt, stored.shape)
    straight = joined(scan, volume(tmp_path / "a.nii.gz", stored), "1=lesion,2=consolidation")
    study = joined(
        scan, volume(tmp_path / "b.nii.gz", np.ascontiguousarray(turned), affine), "1=lesion,2=consolidation"
    )
    for index in range(4):
        np.testing.assert_array_equal(study.partial_labels[index], straight.partial_labels[index])


def test_a_mask_that_lies_elsewhere_or_is_of_another_size_is_refused(tmp_path, scan, stored):
    moved = AFFINE.copy()
    moved[0, 3] += 5
    assert "beside its study" in refusal(
        scan, volume(tmp_path / "a.nii.gz", stored, moved), "1=lung,2=lesion"
    )
    flipped = np.diag([-1, 1, 1, 1]) @ AFFINE  # mirrored in the patient, not only in its axes
    assert "beside its study" in refusal(
        scan, volume(tmp_path / "b.nii.gz", stored, flipped), "1=lung,2=lesion"
    )
    assert "they must agree" in refusal(scan, volume(tmp_path / "c.nii.gz", stored[:5]), "1=lung,2=lesion")


def test_a_value_without_a_meaning_is_named(tmp_path, scan, stored):
    stored[stored == 2] = 7
    reason = refusal(scan, volume(tmp_path / "mask.nii.gz", stored))
    assert "holds the values 0, 1, 7" in reason
    assert "--mask-labels" in reason


def test_a_smoothly_resampled_mask_is_refused(tmp_path, scan, stored):
    assert "expected whole numbers" in refusal(
        scan, volume(tmp_path / "m.nii.gz", stored.astype(np.float32) / 3)
    )


def test_a_folder_joins_by_name_and_a_study_without_a_mask_is_told(tmp_path, scan, stored):
    volume(tmp_path / "in/other.nii.gz", np.full((6, 5, 4), -700, np.int16))
    volume(tmp_path / "masks/scan_seg.nii.gz", np.minimum(stored, 1))
    other, study = with_masks(discover([tmp_path / "in"]), tmp_path / "masks")
    assert isinstance(study, Study)
    assert (study.partial_labels[3] == LESION_KIND_UNKNOWN).sum() == 1
    assert isinstance(other, Study)
    assert not other.partial_labels
    assert "no mask of it was found" in other.notes[0]


def test_masks_of_which_none_fits_a_name_are_an_error(tmp_path, scan, stored):
    volume(tmp_path / "masks/typo.nii.gz", stored)
    assert "none of its masks is named like" in refusal(scan, tmp_path / "masks")


def test_one_mask_is_not_given_to_two_studies(tmp_path, scan, stored):
    volume(tmp_path / "in/two.nii.gz", np.full((6, 5, 4), -700, np.int16))
    mask = volume(tmp_path / "mask.nii.gz", np.minimum(stored, 1))
    found = list(with_masks(discover([tmp_path / "in"]), mask))
    assert [type(one).__name__ for one in found] == ["Study", "FailedInput"]
    assert "scan has taken it" in found[1].reason


def test_two_masks_of_one_name_are_told_apart_by_their_folder_or_refused(tmp_path):
    for case in ("a", "b"):
        picture(tmp_path / f"in/{case}/000.png", np.full((64, 64), 90, np.uint8))
        mask = np.zeros((64, 64), np.uint8)
        mask[0, : 1 + (case == "b")] = 255
        picture(tmp_path / f"given/{case}/masks/000.png", mask)
    found = list(with_masks(discover([tmp_path / "in"]), tmp_path / "given"))
    assert [int((one.partial_labels[0] == LESION_KIND_UNKNOWN).sum()) for one in found] == [1, 2]
    (tmp_path / "given/a/masks").rename(tmp_path / "given/x")
    (tmp_path / "given/b/masks").rename(tmp_path / "given/y")
    assert all(
        "have the same name" in one.reason
        for one in with_masks(discover([tmp_path / "in"]), tmp_path / "given")
    )


def test_slices_of_a_volume_may_be_pictures_in_a_folder_of_its_name(tmp_path, scan):
    for index in range(4):
        page = np.zeros((64, 64), np.uint8)
        picture(tmp_path / f"masks/scan/{index}.png", page)
    assert "has the shape (64, 64), its picture (5, 6)" in refusal(scan, tmp_path / "masks")
    big = volume(tmp_path / "in/big.nii.gz", np.full((70, 64, 3), -800, np.int16))
    for index in (2, 10, 1):
        page = np.zeros((64, 70), np.uint8)
        page[0, index] = 1
        picture(tmp_path / f"masks/big/{index}_mask.png", page)
    study = joined(big, tmp_path / "masks", "1=consolidation")
    assert [int(np.argwhere(study.partial_labels[place] == CONS)[0, 1]) for place in range(3)] == [1, 2, 10]


def test_a_mask_in_colours_or_of_seven_is_refused(tmp_path):
    picture(tmp_path / "in/000.png", np.full((64, 64), 90, np.uint8))
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[0, 0] = (255, 0, 0)
    assert "in colours" in refusal(tmp_path / "in", picture(tmp_path / "m/000.png", colours).parent)
    seven = np.zeros((64, 64), np.uint8)
    seven[0, 0] = 7
    assert "holds the values 0, 7" in refusal(tmp_path / "in", picture(tmp_path / "n/000.png", seven).parent)


def test_kaggle_masks_and_plain_arrays_join_loose_slices(tmp_path):
    np.save(tmp_path / "images_a.npy", np.full((2, 64, 64), -900, np.float32))
    (tmp_path / "given").mkdir()
    channels = np.zeros((2, 64, 64, 4), np.float32)
    channels[1, 0, 0, 1] = 1
    np.save(tmp_path / "given/masks_a.npy", channels)
    assert joined(tmp_path / "images_a.npy", tmp_path / "given").partial_labels[1][0, 0] == CONS
    values = np.zeros((2, 64, 64), np.uint8)
    values[0, 0, 0] = 5
    np.save(tmp_path / "plain.npy", values)
    study = joined(tmp_path / "images_a.npy", tmp_path / "plain.npy", "5=ground_glass")
    assert study.partial_labels[0][0, 0] == GGO


def test_masks_may_come_in_an_archive(tmp_path, scan, stored):
    volume(tmp_path / "masks/scan_mask.nii.gz", np.minimum(stored, 1))
    archive = Path(shutil.make_archive(str(tmp_path / "masks"), "zip", tmp_path / "masks"))
    assert (joined(scan, archive).partial_labels[3] == LESION_KIND_UNKNOWN).sum() == 1
    stored[0, 0, 0] = 7
    volume(tmp_path / "masks/scan_mask.nii.gz", stored)
    archive = Path(shutil.make_archive(str(tmp_path / "bad"), "zip", tmp_path / "masks"))
    assert f"{archive}/scan_mask.nii.gz: holds the values 0, 1, 2, 7" in refusal(scan, archive)


def test_3d_slicers_own_format_says_what_to_do(tmp_path, scan):
    (tmp_path / "a.seg.nrrd").write_text("NRRD0004")
    with pytest.raises(InputError, match=r"save it as .nii.gz"):
        list(with_masks(discover([scan]), tmp_path / "a.seg.nrrd"))


def test_as_pre_labels_they_are_no_labels_of_record(tmp_path, scan, stored):
    mask = volume(tmp_path / "mask.nii.gz", np.minimum(stored, 1))
    study = joined(scan, mask, masks_as=MasksAs.PRELABELS)
    assert not study.partial_labels
    assert sum(int((one == Label.GROUND_GLASS).sum()) for one in study.prelabels.values()) == 2


def brush(mask: np.ndarray, name: str, **fields) -> dict:
    height, width = mask.shape
    value = {"format": "rle", "rle": brush_rle.encode(mask), "brushlabels": [name]}
    return {
        "type": "brushlabels", "original_width": width, "original_height": height, "image_rotation": 0,
        "value": value, **fields,
    }  # fmt: skip


@pytest.fixture
def slices(tmp_path) -> Path:
    for index in range(3):
        picture(tmp_path / f"case/{index:03d}.png", np.full((64, 70), 90 + index, np.uint8))
    return tmp_path / "case"


def square(row: int, size: int = 4) -> np.ndarray:
    mask = np.zeros((64, 70), bool)
    mask[row : row + size, :size] = True
    return mask


def exported(tmp_path, *tasks) -> Path:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{"id": place, **task} for place, task in enumerate(tasks)]))
    return path


def task(picture_name, *regions, **fields):
    return {"data": {"image": picture_name}, "annotations": [{"result": list(regions), **fields}]}


def test_brushes_of_a_label_studio_export_join_by_picture(tmp_path, slices):
    export = exported(
        tmp_path,
        task(
            "/data/upload/3/0a1b2c3d-000.png",
            brush(square(0), "Ground glass"),
            brush(square(2), "Consolidation"),
        ),
        task("/data/local-files/?d=storage/001.png"),
    )
    study = joined(slices, export)
    assert set(study.partial_labels) == {0, 1}
    assert (study.partial_labels[0] == CONS).sum() == 16
    assert (study.partial_labels[0] == GGO).sum() == 8  # where they overlap the denser finding wins
    assert (study.partial_labels[1] == NOT_LESION).all()  # looked at, nothing drawn


def test_brushes_join_by_study_and_slice_and_several_pictures_in_one_task(tmp_path, slices):
    by_place = {"data": {"image": "x.png", "study": "case", "slice": 2}}
    by_place["annotations"] = [{"result": [brush(square(5), "Consolidation")]}]
    several = {"data": {"images": ["a/000.png", "a/001.png"]}}
    several["annotations"] = [{"result": [brush(square(1), "Ground glass", item_index=1)]}]
    study = joined(slices, exported(tmp_path, by_place, several))
    assert (study.partial_labels[2] == CONS).sum() == 16
    assert (study.partial_labels[0] == NOT_LESION).all()
    assert (study.partial_labels[1] == GGO).sum() == 16


def test_the_newest_submitted_annotation_counts(tmp_path, slices):
    one = task("000.png", brush(square(0), "Lesion"), updated_at="2026-01-01")
    one["annotations"] += [
        {"result": [brush(square(0, 5), "Lesion")], "updated_at": "2026-01-03"},
        {"result": [], "updated_at": "2026-01-05", "was_cancelled": True},
    ]
    assert (joined(slices, exported(tmp_path, one)).partial_labels[0] == LESION_KIND_UNKNOWN).sum() == 25


def test_names_of_brushes_go_by_the_mapping_and_an_unknown_one_is_named(tmp_path, slices):
    export = exported(tmp_path, task("000.png", brush(square(0), "Матовое стекло")))
    with pytest.raises(InputError, match="a brush named 'Матовое стекло'"):
        joined(slices, export)
    study = joined(slices, export, "Матовое стекло=ground_glass")
    assert (study.partial_labels[0] == GGO).sum() == 16


def test_a_brush_of_another_size_a_damaged_one_and_a_polygon_are_refused(tmp_path, slices):
    assert "which is 70 x 64" in refusal(
        slices, exported(tmp_path, task("000.png", brush(square(0)[:, :60], "Lung")))
    )
    cut = brush(square(0), "Lung")
    cut["value"]["rle"] = cut["value"]["rle"][:9]
    assert "damaged brush" in refusal(slices, exported(tmp_path, task("000.png", cut)))
    with pytest.raises(InputError, match="polygonlabels region"):
        joined(
            slices, exported(tmp_path, task("000.png", {"type": "polygonlabels", "value": {"points": []}}))
        )


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("no json", "is no JSON"),
        ("{}", "no list of tasks"),
        ("[1]", "no list of tasks"),
        ("[]", "no submitted"),
    ],
)
def test_other_json_is_refused(tmp_path, slices, content, match):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=match):
        joined(slices, tmp_path / "a.json")
