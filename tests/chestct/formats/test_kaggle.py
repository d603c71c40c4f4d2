"""Kaggle's arrays: HU, classes in the seed's order, and headers that lie."""

import numpy as np
import pytest

from chestct import partial_labels
from chestct.errors import InputError
from chestct.formats.kaggle import label_map_of_channels, read_kaggle
from chestct.formats.layouts import discover
from chestct.intensity import Intensity
from chestct.labels import Label
from chestct.study import FailedInput, Study


@pytest.fixture
def slices():
    """(3, 64, 72) HU: -1600 padding, air, tissue."""
    hu = np.full((3, 64, 72), -1000.0, np.float32)
    hu[:, 0, 0] = -1600
    hu[:, 10:50, 10:50] = 30.4
    return hu


def written(path, array):
    np.save(path, array)
    return path


def one_hot(*channels):
    """A mask pixel of these channels."""
    return [float(channel in channels) for channel in range(4)]


def test_channels_are_ground_glass_consolidation_lung_background():
    mask = np.array([[one_hot(0), one_hot(1), one_hot(2), one_hot(3)]])
    assert label_map_of_channels(mask).tolist() == [
        [Label.GROUND_GLASS, Label.CONSOLIDATION, Label.LUNG, Label.BACKGROUND]
    ]


def test_overlaps_go_to_the_denser_finding_and_background_is_what_nobody_claims():
    mask = np.array([[one_hot(0, 1), one_hot(0, 2), one_hot(1, 2), one_hot(2, 3), one_hot()]])
    assert label_map_of_channels(mask).tolist() == [
        [Label.CONSOLIDATION, Label.GROUND_GLASS, Label.CONSOLIDATION, Label.LUNG, Label.BACKGROUND]
    ]


@pytest.mark.parametrize("trailing", [(), (1,)])
def test_slices_are_clipped_hu_in_their_order_read_one_at_a_time(tmp_path, slices, trailing):
    study = read_kaggle(written(tmp_path / "images_medseg.npy", slices.reshape(*slices.shape, *trailing)))
    assert (study.name, study.intensity, len(study.slices)) == ("images_medseg", Intensity.HU, 3)
    first = study.slices[0]
    assert first.dtype == np.int16
    assert (first[0, 0], first[0, 1], first[20, 20]) == (-1024, -1000, 30)
    assert study.geometry is None


def test_masks_beside_the_slices_are_labels_of_record(tmp_path, slices):
    masks = np.zeros((3, 64, 72, 4), np.float32)
    masks[..., 3] = 1
    masks[1, 5, 6] = one_hot(0)
    masks[1, 5, 7] = one_hot(2)
    written(tmp_path / "images_medseg.npy", slices)
    written(tmp_path / "masks_medseg.npy", masks)
    (study,) = discover([tmp_path], "kaggle")
    assert len(study.partial_labels) == 3
    assert study.partial_labels[1][5, 6] == partial_labels.bits(Label.GROUND_GLASS)
    assert study.partial_labels[1][5, 7] == partial_labels.bits(Label.LUNG)
    assert study.partial_labels[1][0, 0] == partial_labels.bits(Label.BACKGROUND)
    # No lung was drawn in slice 0: its pixels are background or lung, which nobody says.
    assert study.partial_labels[0][0, 0] == partial_labels.NOT_LESION


def test_all_slices_of_a_source_are_one_patient_and_that_is_told(tmp_path, slices):
    for name in ("images_medseg", "test_images_medseg", "images_radiopedia"):
        written(tmp_path / f"{name}.npy", slices)
    found = list(discover([tmp_path]))
    assert [(one.name, one.patient) for one in found] == [
        ("images_medseg", "kaggle-medseg"),
        ("images_radiopedia", "kaggle-radiopedia"),
        ("test_images_medseg", "kaggle-medseg"),
    ]
    assert all("count as one patient" in one.notes[0] for one in found)


def test_masks_of_another_shape_fail_their_slices_only(tmp_path, slices):
    written(tmp_path / "images_a.npy", slices)
    written(tmp_path / "masks_a.npy", np.zeros((3, 64, 72, 3)))
    written(tmp_path / "images_b.npy", slices)
    failed, study = discover([tmp_path])
    assert "masks_a.npy: has the shape (3, 64, 72, 3); expected (3, 64, 72, 4)" in failed.reason
    assert isinstance(study, Study)


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        read_kaggle(path)
    assert caught.value.source == str(path)
    assert "\n" not in str(caught.value)


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    refused(tmp_path / "a.npy", "read safely")
    import pickle

    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap()))
    refused(tmp_path / "b.npy", "is no NumPy array")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("descr", "shape", "match"),
    [
        ("<f4", "(1000000, 1000, 1000)", "read safely"),
        ("<f4", "(99999999999999999999, 512, 512)", "read safely"),
        ("<f4", "(-1, 512, 512)", "read safely"),
        ("<f4", "(3, 64)" + " " * 50_000, "read safely"),
        ("<c8", "(1, 64, 64)", "stores complex64"),
        ("|S8", "(1, 64, 64)", "expected integers"),
        ("<f4", "(1, 64, 64, 3)", "expected .N, H, W."),
        ("<f4", "(0, 64, 64)", "read safely|expected .N, H, W."),
        ("<f4", "(1, 2, 2)", "expected 64 to 4096"),
        ("<f4", "(1, 64, 5000)", "expected 64 to 4096"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path, descr, shape, match):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(4, "little")[:2] + header + bytes(2**21)
    (tmp_path / "a.npy").write_bytes(content)
    refused(tmp_path / "a.npy", match)


def test_cut_off_empty_and_other_files_are_refused(tmp_path, slices):
    path = written(tmp_path / "a.npy", slices)
    path.write_bytes(path.read_bytes()[:-10])
    refused(path, "read safely")
    path.write_bytes(b"")
    refused(path, "is no NumPy array")


def test_nan_is_told_with_its_slice(tmp_path, slices):
    slices[1, 3, 3] = np.nan
    study = read_kaggle(written(tmp_path / "a.npy", slices))
    with pytest.raises(InputError, match="NaN or infinite numbers in slice 1"):
        study.slices[1]


def test_numbers_that_cannot_be_hu_are_told(tmp_path, slices):
    study = read_kaggle(written(tmp_path / "a.npy", np.clip(slices, 0, 255)))
    assert any("the darkest pixel of the first slice is 0" in note for note in study.notes)


def test_an_array_named_itself_is_read_and_a_bad_one_reported(tmp_path, slices):
    written(tmp_path / "volume.npy", slices)
    (tmp_path / "bad.npy").write_text("no array")
    study, failed = discover([tmp_path / "volume.npy", tmp_path / "bad.npy"])
    assert (study.name, study.patient) == ("volume", "kaggle-volume")
    assert isinstance(failed, FailedInput)
