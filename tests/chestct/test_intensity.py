import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chestct.intensity import Intensity, as_hu, as_picture, unit_range, windowed


def test_the_lung_window_maps_its_edges_to_0_and_1_and_its_centre_to_one_half():
    assert windowed(np.array([-1350, -600, 150], dtype=np.int16)).tolist() == [0.0, 0.5, 1.0]


def test_values_outside_the_window_are_clipped():
    assert windowed(np.array([-3000, 3000], dtype=np.int16)).tolist() == [0.0, 1.0]


@given(st.lists(st.integers(-32768, 32767), min_size=2, max_size=20))
def test_denser_tissue_is_never_darker(values):
    ordered = np.sort(np.array(values, dtype=np.int16))
    assert (np.diff(windowed(ordered)) >= 0).all()
    assert (np.diff(as_picture(ordered[None], Intensity.HU).astype(int)) >= 0).all()


def test_the_same_tissue_looks_the_same_in_every_slice():
    dark, bright = np.array([[-850, -1000]]), np.array([[-850, 700]])
    assert windowed(dark)[0, 0] == windowed(bright)[0, 0]


def test_a_picture_passes_through_and_is_scaled_by_255():
    picture = np.array([[0, 51, 255]], dtype=np.uint8)
    assert as_picture(picture, Intensity.PICTURE).tolist() == [[0, 51, 255]]
    assert np.allclose(unit_range(picture, Intensity.PICTURE), [[0.0, 0.2, 1.0]])


def test_hu_go_through_the_window_on_the_way_to_the_network():
    assert unit_range(np.array([[-600]], dtype=np.int16), Intensity.HU).tolist() == [[0.5]]


def test_padding_becomes_air_and_metal_the_highest_hu():
    raw = np.array([-3604.2, -2048.0, -999.6, 40.4, 9000.0])
    assert as_hu(raw).tolist() == [-1024, -1024, -1000, 40, 3071]


@given(arrays.arrays(np.int16, (3, 3)))
def test_as_hu_twice_is_as_hu_once(raw):
    once = as_hu(raw)
    assert once.dtype == np.int16
    assert np.array_equal(as_hu(once), once)
