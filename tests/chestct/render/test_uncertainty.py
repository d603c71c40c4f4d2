import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.errors import InputError
from chestct.render.uncertainty import uncertainty_picture, uncertainty_table


def brightness(colour: np.ndarray) -> np.ndarray:
    """Relative luminance of RGB in [0, 255], as WCAG weighs the parts, without its gamma."""
    return colour @ np.array([0.2126, 0.7152, 0.0722])


def test_where_the_model_is_certain_the_slice_shows_through_dimmed():
    picture = np.array([[0, 100, 200]], np.uint8)
    shown = uncertainty_picture(picture, np.zeros((1, 3), np.uint8))
    assert shown.tolist() == [[[0, 0, 0], [55, 55, 55], [110, 110, 110]]]


def test_uncertainty_is_brighter_than_the_brightest_bone_and_yellow():
    shown = uncertainty_picture(np.full((2, 2), 255, np.uint8), np.array([[255, 0], [0, 0]], np.uint8))
    red, green, blue = (int(part) for part in shown[0, 0])
    assert brightness(shown[0, 0]) > brightness(shown[1, 1]) + 60
    assert min(red, green) > blue + 40


def test_more_uncertainty_is_never_darker():
    shown = uncertainty_picture(np.zeros((1, 256), np.uint8), np.arange(256, dtype=np.uint8)[None])
    assert (np.diff(brightness(shown[0])) >= -0.5).all()
    assert (np.diff(uncertainty_table()[:, 3]) >= 0).all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9))
def test_the_picture_has_the_size_of_its_slice(height: int, width: int, rows: int, columns: int):
    shown = uncertainty_picture(np.zeros((height, width), np.uint8), np.full((rows, columns), 200, np.uint8))
    assert shown.shape == (height, width, 3)
    assert shown.dtype == np.uint8
    # One value everywhere stays one colour whatever the sizes.
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 1


def test_an_uncertainty_map_lies_over_the_same_part_of_the_slice():
    uncertainty = np.array([[0, 0], [255, 255]], np.uint8)
    shown = uncertainty_picture(np.zeros((8, 4), np.uint8), uncertainty)
    assert (shown[:2] == 0).all()
    assert (shown[6:].max(axis=2) > 200).all()


@pytest.mark.parametrize("uncertainty", [np.zeros((2, 2), np.float32), np.zeros((0, 2), np.uint8)])
def test_what_is_no_uncertainty_map_is_named(uncertainty: np.ndarray):
    with pytest.raises(InputError, match=r"uncertainty map.*expected uint8"):
        uncertainty_picture(np.zeros((2, 2), np.uint8), uncertainty)
