"""The lungs are told apart where they touch, where one is missing, and where the stack ends in them."""

import nibabel as nib
import numpy as np
import pytest
from rare_phantoms import cut_stack, true_sides, with_touching_lungs, without_lung
from scipy import ndimage

from chestct.geometry import Geometry
from chestct.phantoms import Phantom, phantom_study
from chestct.settings import Settings
from chestct.severity.lungs import Side, sides_of

MM = (1.0, 1.0, 1.0)
SHAPES = [(12, 64, 64), (24, 128, 128), (72, 64, 64)]


@pytest.fixture(scope="module", params=range(len(SHAPES)), ids=lambda number: str(SHAPES[number]))
def phantom(request: pytest.FixtureRequest) -> Phantom:
    return phantom_study(request.param, shape=SHAPES[request.param])


def wrong_share(phantom: Phantom) -> float:
    """Lung voxels on the wrong side / all lung voxels."""
    lung = phantom.label_map > 0
    found = sides_of(lung, phantom.geometry.spacing_mm)
    assert np.array_equal(found > 0, lung)  # the union is the lung
    return float((found != true_sides(phantom)).sum() / lung.sum())


def test_the_patients_right_lung_lies_on_the_pictures_left() -> None:
    lung = np.array([[[1, 1, 0, 1], [1, 1, 0, 1]]], bool)
    assert sides_of(lung, MM).tolist() == [[[1, 1, 0, 2], [1, 1, 0, 2]]]
    assert (Side.RIGHT, Side.LEFT) == (1, 2)


def test_no_lung_has_no_side() -> None:
    assert not sides_of(np.zeros((2, 4, 4), bool), MM).any()


def test_lungs_that_are_apart_are_told_without_a_single_wrong_voxel(phantom: Phantom) -> None:
    assert wrong_share(phantom) == 0.0


@pytest.mark.parametrize("depth_mm", [10.0, 25.0, 40.0])
def test_touching_lungs_are_split_where_they_meet(phantom: Phantom, depth_mm: float) -> None:
    touching = with_touching_lungs(phantom, depth_mm)
    bodies, _ = ndimage.label(touching.label_map > 0)
    assert np.bincount(bodies.ravel())[1:].max() > 0.85 * (touching.label_map > 0).sum()
    assert wrong_share(touching) < 0.015


def test_a_single_lung_stays_one_on_its_side(phantom: Phantom) -> None:
    for removed, left_over in ((Side.RIGHT, Side.LEFT), (Side.LEFT, Side.RIGHT)):
        alone = without_lung(phantom, removed)
        found = sides_of(alone.label_map > 0, alone.geometry.spacing_mm)
        assert set(np.unique(found)) == {0, left_over}


@pytest.mark.parametrize(("first", "stop"), [(0.0, 0.5), (0.5, 1.0), (0.4, 0.6), (0.7, 1.0), (0.0, 0.35)])
def test_a_stack_that_ends_inside_the_lungs_is_told_too(phantom: Phantom, first: float, stop: float) -> None:
    slices = len(phantom.label_map)
    ends = round(first * slices), round(stop * slices)
    assert wrong_share(cut_stack(phantom, *ends)) == 0.0
    assert wrong_share(cut_stack(with_touching_lungs(phantom), *ends)) < 0.02
    alone = cut_stack(without_lung(phantom, Side.LEFT), *ends)
    assert wrong_share(alone) == 0.0


def test_spacing_is_counted_in_millimetres_and_not_in_voxels() -> None:
    # The same touching lungs with every other slice left out: voxels are twice as long along the body.
    touching = with_touching_lungs(phantom_study(1, shape=(48, 64, 64)))
    every, other = touching.label_map > 0, touching.label_map[::2] > 0
    between, rows, columns = touching.geometry.spacing_mm
    fine = sides_of(every, (between, rows, columns))[::2]
    coarse = sides_of(other, (2 * between, rows, columns))
    assert (fine != coarse).sum() < 0.01 * other.sum()


def test_windpipe_and_strays_go_with_the_nearer_lung_and_are_no_lung_of_their_own() -> None:
    phantom = phantom_study(0, shape=(24, 128, 128))
    alone = without_lung(phantom, Side.LEFT)
    lung = alone.label_map > 0
    lung[12:, 60:66, 62:67] = True  # a windpipe in the middle
    lung[2:4, 20:24, 110:114] = True  # gas in the stomach taken for lung
    assert set(np.unique(sides_of(lung, alone.geometry.spacing_mm))) == {0, Side.RIGHT}


def test_a_small_lung_that_is_apart_is_still_a_lung() -> None:
    lung = np.zeros((4, 20, 40), bool)
    lung[:, 2:18, 2:18] = True
    lung[:2, 4:10, 30:36] = True  # 72 of 1096 voxels: 7 %
    found = sides_of(lung, MM)
    assert (found == Side.LEFT).sum() == 72


@pytest.mark.parametrize("name", ["id001", "id002"])
def test_two_real_pairs_of_lungs_are_two_of_plausible_size(name: str) -> None:
    folder = Settings.load().shared_data
    if folder is None:
        pytest.skip("the shared research data is not on this machine (LUNGLOOP_SHARED_DATA)")
    path = folder / "lung3d-hu" / f"{name}-128x128x64-msk.nii.gz"
    image = nib.load(path)
    geometry = Geometry(image.shape, image.affine)
    lung = np.asarray(geometry.to_view(np.asarray(image.dataobj) > 127))
    found = sides_of(lung, geometry.spacing_mm)
    right, left = ((found == side).sum() * geometry.voxel_volume_ml for side in (Side.RIGHT, Side.LEFT))
    assert np.array_equal(found > 0, lung)
    assert 0.3 < left / (left + right) < 0.5  # the left lung is the smaller one, the heart lies there
    assert left > 1000
    columns = np.arange(lung.shape[2])
    centre = [float((found == side).sum(axis=(0, 1)) @ columns / (found == side).sum()) for side in Side]
    assert (centre[1] - centre[0]) * geometry.spacing_mm[2] > 80
