import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from chestct.errors import InputError
from chestct.labels import COLOURS_RGB, Label
from chestct.render.overlay import montage, overlay, png_bytes

GREY = np.full((5, 5), 100, dtype=np.uint8)


def block(label: Label) -> np.ndarray:
    label_map = np.zeros((5, 5), dtype=np.uint8)
    label_map[1:4, 1:4] = label
    return label_map


def test_a_lesion_is_filled_and_outlined_and_the_rest_stays_grey():
    shown = overlay(GREY, block(Label.CONSOLIDATION), opacity=0.5)
    assert shown[0, 0].tolist() == [100, 100, 100]
    assert shown[2, 2].tolist() == [165, 65, 65]  # halfway from grey to (230, 30, 30)
    assert shown[1, 1].tolist() == list(COLOURS_RGB[Label.CONSOLIDATION])


def test_the_lung_is_outlined_only():
    shown = overlay(GREY, block(Label.LUNG), opacity=0.5)
    assert shown[2, 2].tolist() == [100, 100, 100]
    assert shown[1, 1].tolist() == list(COLOURS_RGB[Label.LUNG])


def test_a_class_without_a_colour_stays_unmarked():
    shown = overlay(GREY, block(Label.LUNG), colours={Label.CONSOLIDATION: (255, 0, 0)})
    assert (shown == 100).all()


def test_opacity_0_changes_nothing():
    assert (overlay(GREY, block(Label.GROUND_GLASS), opacity=0.0) == 100).all()


@pytest.mark.parametrize("opacity", [-0.1, 1.1, float("nan")])
def test_an_impossible_opacity_is_refused(opacity):
    with pytest.raises(InputError, match="0 to 1"):
        overlay(GREY, block(Label.LUNG), opacity=opacity)


def test_a_label_map_of_another_size_is_refused():
    with pytest.raises(InputError, match="shape"):
        overlay(GREY, np.zeros((5, 6), dtype=np.uint8))


def test_a_contact_sheet_runs_row_by_row():
    pictures = [np.full((2, 2), value, dtype=np.uint8) for value in (10, 20, 30)]
    sheet = montage(pictures, columns=2, tile=2, gap=1)
    assert sheet.shape == (5, 5, 3)
    assert [sheet[0, 0, 0], sheet[0, 3, 0], sheet[3, 0, 0], sheet[3, 3, 0]] == [10, 20, 30, 0]
    assert sheet[2].max() == 0


def test_a_contact_sheet_shrinks_what_is_larger_than_a_tile():
    wide = np.full((8, 16, 3), 7, dtype=np.uint8)
    assert montage([wide], tile=4).shape == (2, 4, 3)


def test_an_empty_contact_sheet_is_refused():
    with pytest.raises(InputError):
        montage([])


@settings(max_examples=20, deadline=None)
@given(arrays.arrays(np.uint8, st.sampled_from([(3, 4), (4, 3, 3)])))
def test_png_keeps_every_pixel(picture):
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(picture)))), picture)
