import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chestct import partial_labels
from chestct.errors import InputError
from chestct.labels import LESIONS, Label

GROUPS = [(Label.GROUND_GLASS,), (Label.CONSOLIDATION,), (Label.LUNG,), LESIONS, (*LESIONS, Label.LUNG)]
label_maps = arrays.arrays(np.uint8, (4, 4), elements=st.integers(0, 3))


def test_a_full_label_map_leaves_one_class_a_pixel():
    found = partial_labels.from_label_map(np.array([[0, 1], [2, 3]], dtype=np.uint8))
    assert found.tolist() == [[0b0001, 0b0010], [0b0100, 0b1000]]
    assert found.dtype == np.uint8


def test_a_readers_correction_says_nothing_of_the_lung():
    found = partial_labels.from_lesion_label_map(np.array([[0, 1], [2, 3]], dtype=np.uint8))
    assert found.tolist() == [[0b1001, 0b0010], [0b0100, 0b1000]]


def test_a_binary_mask_leaves_the_kind_of_lesion_open():
    lesion = np.array([[True, False]])
    assert partial_labels.from_masks(lesion, None).tolist() == [[0b0110, 0b1001]]


def test_a_lung_mask_decides_what_is_healthy_and_a_lesion_wins_over_it():
    lesion = np.array([[True, True, False, False]])
    lung = np.array([[True, False, True, False]])
    assert partial_labels.from_masks(lesion, lung).tolist() == [[0b0110, 0b0110, 0b1000, 0b0001]]


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(InputError, match="must agree"):
        partial_labels.from_masks(np.zeros((2, 2), bool), np.zeros((2, 3), bool))


def test_membership_of_each_kind_of_knowledge_by_hand():
    known = np.array([0b0001, 0b0010, 0b0110, 0b1001, 0b1111], dtype=np.uint8)
    inside, decided = partial_labels.membership(known, LESIONS)
    assert decided.tolist() == [True, True, True, True, False]
    assert inside.tolist() == [False, True, True, False, False]
    inside, decided = partial_labels.membership(known, (Label.GROUND_GLASS,))
    assert decided.tolist() == [True, True, False, True, False]
    assert inside.tolist() == [False, True, False, False, False]


@given(label_maps, st.sampled_from(GROUPS))
def test_full_knowledge_decides_every_group_as_the_label_map_says(label_map, group):
    inside, decided = partial_labels.membership(partial_labels.from_label_map(label_map), group)
    assert decided.all()
    assert np.array_equal(inside, np.isin(label_map, group))


@given(label_maps)
def test_partial_knowledge_never_rules_out_the_truth(label_map):
    lesion, lung = np.isin(label_map, LESIONS), label_map != Label.BACKGROUND
    truth = partial_labels.from_label_map(label_map)
    for partial in (
        partial_labels.from_lesion_label_map(label_map),
        partial_labels.from_masks(lesion, None),
        partial_labels.from_masks(lesion, lung),
    ):
        assert ((partial & truth) == truth).all()


def test_a_label_map_without_lung_says_nothing_about_lungs() -> None:
    lesions_only = np.array([[0, 1], [2, 0]], np.uint8)
    with_lung = np.array([[0, 1], [2, 3]], np.uint8)
    np.testing.assert_array_equal(
        partial_labels.from_given_label_map(lesions_only), partial_labels.from_lesion_label_map(lesions_only)
    )
    np.testing.assert_array_equal(
        partial_labels.from_given_label_map(with_lung), partial_labels.from_label_map(with_lung)
    )


def test_labels_tell_apart_what_shares_no_pixel():
    full = partial_labels.from_label_map(np.array([[0, 1, 2, 3]], dtype=np.uint8))
    assert partial_labels.told_apart(full) == ((0,), (1,), (2,), (3,))
    kinds_unknown = partial_labels.from_masks(
        np.array([[True, False, False]]), np.array([[True, True, False]])
    )
    assert partial_labels.told_apart(kinds_unknown) == ((0,), (1, 2), (3,))
    lungs_unknown = partial_labels.from_lesion_label_map(np.array([[0, 1, 2]], dtype=np.uint8))
    assert partial_labels.told_apart(lungs_unknown) == ((0, 3), (1,), (2,))


def test_classes_that_no_pixel_names_are_not_told_apart():
    healthy = partial_labels.from_label_map(np.array([[0, 3]], dtype=np.uint8))
    assert partial_labels.told_apart(healthy) == ((0,), (1, 2), (3,))
    unknown = np.full((1, 2), partial_labels.UNKNOWN)
    assert partial_labels.told_apart(unknown) == ((0, 1, 2, 3),)


@given(arrays.arrays(np.uint8, (3, 3), elements=st.integers(1, 15)))
def test_every_label_lies_inside_one_group_of_those_told_apart(known):
    groups = partial_labels.told_apart(known)
    assert sorted(label for group in groups for label in group) == list(Label)
    for value in known[known != partial_labels.UNKNOWN].tolist():
        assert sum(value & int(partial_labels.bits(*group)) != 0 for group in groups) == 1


def test_the_truth_of_a_group_is_known_only_where_every_pixel_looked_at_decides_it():
    known = partial_labels.from_masks(np.array([[True, False]]), None)
    assert partial_labels.truth_of(known, (Label.GROUND_GLASS,)) is None
    found = partial_labels.truth_of(np.array([[known[0, 0], partial_labels.UNKNOWN]]), LESIONS)
    assert found is not None
    assert [part.tolist() for part in found] == [[[True, False]], [[True, False]]]
