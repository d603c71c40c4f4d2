"""Counts by hand on four pixels by four."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chestct.errors import InputError
from chestct.labels import LESIONS, Label
from chestct.reader_study.changes import changes_between, class_dice

_PREDICTED = np.array([[0, 1, 1, 3], [0, 1, 1, 3], [0, 2, 3, 3], [0, 3, 3, 3]], np.uint8)


def test_each_class_counts_what_it_gained_and_lost():
    corrected = _PREDICTED.copy()
    corrected[0, 1] = Label.BACKGROUND  # ground-glass cleared
    corrected[1, 1] = Label.CONSOLIDATION  # ground-glass is consolidation
    corrected[3, 1:3] = Label.GROUND_GLASS  # two pixels drawn
    found = changes_between(corrected, _PREDICTED, "base-1")
    assert (found.ground_glass_added, found.ground_glass_removed) == (2, 2)
    assert (found.consolidation_added, found.consolidation_removed) == (1, 0)
    assert found.changed == 4  # the pixel that changed its kind counts once
    assert (found.lesion_before, found.lesion_after) == (5, 6)
    assert found.dice == pytest.approx(2 * 4 / (5 + 6))
    assert (found.changed_of(Label.GROUND_GLASS), found.changed_of(Label.CONSOLIDATION)) == (4, 1)
    assert found.sure is None


def test_lung_against_background_is_no_change():
    corrected = np.where(_PREDICTED == Label.LUNG, Label.BACKGROUND, _PREDICTED).astype(np.uint8)
    found = changes_between(corrected, _PREDICTED, "base-1")
    assert (found.changed, found.dice) == (0, 1.0)


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    empty = np.zeros((4, 4), np.uint8)
    assert changes_between(empty, empty, "base-1").dice == 1.0
    assert changes_between(empty, _PREDICTED, "base-1").dice == 0.0


def test_sure_pixels_are_read_off_the_smaller_picture_of_doubt():
    cleared = np.zeros((4, 4), np.uint8)
    # The upper half is sure (0), the lower is not (255): one of the five lesion pixels is below.
    uncertainty = np.array([[0, 0], [255, 255]], np.uint8)
    assert changes_between(cleared, _PREDICTED, "base-1", uncertainty).sure == 4


def test_masks_of_two_slices_are_refused():
    with pytest.raises(InputError, match=r"\(4, 4\) and \(2, 2\)"):
        changes_between(np.zeros((4, 4), np.uint8), np.zeros((2, 2), np.uint8), "base-1")
    with pytest.raises(InputError, match="LUNG"):
        changes_between(_PREDICTED, _PREDICTED, "base-1").changed_of(Label.LUNG)


def test_dice_between_readers_has_no_value_where_neither_marks_the_class():
    empty = np.zeros((4, 4), np.uint8)
    assert class_dice(empty, empty, LESIONS) is None
    assert class_dice(empty, _PREDICTED, LESIONS) == 0.0
    assert class_dice(_PREDICTED, _PREDICTED, (Label.CONSOLIDATION,)) == 1.0


_MAPS = arrays(np.uint8, (5, 3), elements=st.integers(0, 3))


@given(_MAPS, _MAPS)
def test_what_one_side_adds_the_other_removes(first, second):
    there, back = changes_between(first, second, "v"), changes_between(second, first, "v")
    assert there.ground_glass_added == back.ground_glass_removed
    assert there.consolidation_removed == back.consolidation_added
    assert (there.changed, there.dice) == (back.changed, back.dice)
    assert there.lesion_after - there.lesion_before == (
        there.ground_glass_added
        - there.ground_glass_removed
        + there.consolidation_added
        - there.consolidation_removed
    )
