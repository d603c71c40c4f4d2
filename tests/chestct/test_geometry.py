import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestct.errors import InputError
from chestct.geometry import Geometry

# Every way to store a volume along the patient's axes: 6 orders of axes times 8 signs.
ORIENTATIONS = [
    "".join(pair[sign] for pair, sign in zip(order, signs, strict=True))
    for order in itertools.permutations(("LR", "PA", "IS"))
    for signs in itertools.product((0, 1), repeat=3)
]
SPACING_MM = {"L": 0.5, "R": 0.5, "P": 0.75, "A": 0.75, "I": 8.0, "S": 8.0}
LENGTHS = {"L": 5, "R": 5, "P": 4, "A": 4, "I": 3, "S": 3}


def volume_with_markers(codes: str) -> tuple[np.ndarray, Geometry]:
    """Zeros with 7 at the patient's right-anterior-head corner and 2 one voxel to the left of it.

    Built by hand, without nibabel's orientation functions: along an axis named R the index grows to
    the right, so the patient's right is its last voxel.
    """
    shape = tuple(LENGTHS[code] for code in codes)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    world = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}
    corner, beside = [], []
    for axis, code in enumerate(codes):
        row, sign = world[code]
        affine[row, axis] = sign * SPACING_MM[code]
        at = shape[axis] - 1 if code in "RAS" else 0
        corner.append(at)
        beside.append(at + {"R": -1, "L": 1}.get(code, 0))
    stored = np.zeros(shape, dtype=np.int16)
    stored[tuple(corner)], stored[tuple(beside)] = 7, 2
    return stored, Geometry(stored.shape, affine)


def test_there_are_48_orientations_and_nibabel_names_them_alike():
    assert len(set(ORIENTATIONS)) == 48
    for codes in ORIENTATIONS:
        assert nib.aff2axcodes(volume_with_markers(codes)[1].affine) == tuple(codes)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_the_patients_right_and_front_come_up_at_the_pictures_top_left(codes):
    stored, geometry = volume_with_markers(codes)
    view = geometry.to_view(stored)
    head = 0 if geometry.head_first else 2
    assert view.shape == geometry.view_shape == (3, 4, 5)
    assert view[head, 0, 0] == 7
    assert view[head, 0, 1] == 2
    assert np.count_nonzero(view) == 2


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_slices_keep_the_order_of_the_file(codes):
    stored, geometry = volume_with_markers(codes)
    assert geometry.head_first is ("I" in codes)
    axis = next(index for index, code in enumerate(codes) if code in "IS")
    numbered = np.zeros(stored.shape, dtype=np.int16)
    numbered += np.arange(3, dtype=np.int16).reshape([3 if index == axis else 1 for index in range(3)])
    assert [int(part.max()) for part in geometry.to_view(numbered)] == [0, 1, 2]


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_to_stored_undoes_to_view(codes):
    stored, geometry = volume_with_markers(codes)
    distinct = np.arange(stored.size, dtype=np.int16).reshape(stored.shape)
    assert np.array_equal(geometry.to_stored(geometry.to_view(distinct)), distinct)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_spacing_follows_the_view_and_the_voxel_volume_stays(codes):
    _, geometry = volume_with_markers(codes)
    assert geometry.spacing_mm == (8.0, 0.75, 0.5)
    assert geometry.voxel_volume_ml == pytest.approx(0.003)


def test_mosmeds_las_is_turned_as_its_readme_shows():
    stored, geometry = volume_with_markers("LAS")
    assert np.array_equal(geometry.to_view(stored)[2], np.rot90(stored[:, :, 2]))


@settings(max_examples=50, deadline=None)
@given(
    codes=st.sampled_from(ORIENTATIONS),
    tilt=st.floats(-0.5, 0.5),
    about=st.sampled_from([(0, 1), (0, 2), (1, 2)]),
)
def test_a_tilted_gantry_is_turned_like_the_nearest_straight_one(codes, tilt, about):
    stored, straight = volume_with_markers(codes)
    turn = np.eye(4)
    first, second = about
    turn[first, first] = turn[second, second] = np.cos(tilt)
    turn[first, second], turn[second, first] = -np.sin(tilt), np.sin(tilt)
    tilted = Geometry(stored.shape, turn @ straight.affine)
    assert np.array_equal(tilted.to_view(stored), straight.to_view(stored))
    assert tilted.voxel_volume_ml == pytest.approx(straight.voxel_volume_ml)


PARALLEL = np.array([[-0.5, 0, 1e17, 0], [0, 0.5, 0, 0], [0, 0, 8.0, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    "affine",
    [np.diag([1.0, 0.0, 1.0, 1.0]), np.diag([1.0, np.nan, 1.0, 1.0]), PARALLEL],
    ids=["zero", "not a number", "two axes parallel in float64"],
)
def test_an_affine_without_volume_is_refused(affine):
    with pytest.raises(InputError, match="above 0 mm"):
        Geometry((4, 4, 4), affine)
