"""What values and names mean, and what is known of a pixel then."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.errors import InputError, SettingsError
from chestct.intensity import Intensity
from chestct.labels import LESIONS, Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, NOT_LESION, UNKNOWN, bits, from_given_label_map
from lungloop.external_masks.prelabels import prelabel
from lungloop.external_masks.targets import (
    LABEL_MAP,
    Target,
    parse_mask_labels,
    partial_labels_of_targets,
    targets_of_values,
)

MASK = Path("mask.nii.gz")


def targets(values, labels=None, is_label_map=False):
    return targets_of_values(MASK, np.array(values), labels, is_label_map=is_label_map).tolist()


def known(drawn, *named):
    found = partial_labels_of_targets(np.array(drawn, np.uint8), frozenset(named))
    return None if found is None else found.tolist()


def test_a_mapping_is_value_or_name_equals_class():
    assert parse_mask_labels("1=ground_glass, 2 = consolidation,Healthy Lung=lung,4=lesion") == {
        "1": Target.GROUND_GLASS,
        "2": Target.CONSOLIDATION,
        "healthy_lung": Target.LUNG,
        "4": Target.LESION,
    }


@pytest.mark.parametrize("text", ["", "1", "1=tumour", "=lung", "1=lung,1=lesion", "1=lung,,2=lesion"])
def test_another_mapping_is_refused(text):
    with pytest.raises(SettingsError, match="--mask-labels"):
        parse_mask_labels(text)


def test_values_go_by_the_mapping_and_0_is_background():
    labels = parse_mask_labels("7=ground_glass,9=lesion")
    assert targets([[0, 7, 9]], labels) == [[Target.BACKGROUND, Target.GROUND_GLASS, Target.LESION]]


@pytest.mark.parametrize("value", [1, 255])
def test_a_binary_mask_is_a_lesion_of_unknown_kind(value):
    assert targets([[0, value]]) == [[Target.BACKGROUND, Target.LESION]]


@pytest.mark.parametrize(
    ("values", "labels", "is_label_map"),
    [
        ([[0, 7]], None, False),
        ([[0, 1, 7]], None, False),
        ([[0, 1, 2, 7]], None, True),
        ([[0, 1, 7]], {"1": Target.LUNG}, False),
        ([[0, -1, 1]], None, False),
    ],
)
def test_a_value_that_nothing_explains_is_named_with_all_values(values, labels, is_label_map):
    with pytest.raises(InputError, match="holds the values") as caught:
        targets(values, labels, is_label_map)
    assert ", ".join(str(value) for value in sorted(values[0])) in str(caught.value)
    assert "--mask-labels" in str(caught.value)


def test_a_mask_of_lesions_says_nothing_of_the_lung():
    assert known([[0, 1, 2, 4]], Target.GROUND_GLASS, Target.CONSOLIDATION, Target.LESION) == [
        [NOT_LESION, bits(Label.GROUND_GLASS), bits(Label.CONSOLIDATION), LESION_KIND_UNKNOWN]
    ]


def test_with_lung_drawn_the_rest_is_background():
    assert known([[0, 3, 4]], Target.LUNG, Target.LESION) == [
        [bits(Label.BACKGROUND), bits(Label.LUNG), LESION_KIND_UNKNOWN]
    ]


def test_a_mask_of_lungs_alone_says_nothing_of_lesions_in_them():
    assert known([[0, 3]], Target.LUNG) == [[bits(Label.BACKGROUND), bits(Label.LUNG, *LESIONS)]]
    assert known([[0, 0]], Target.LUNG) is None


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_the_projects_own_label_map_means_what_it_always_meant(values):
    label_map = np.array([values], np.uint8)
    drawn = targets_of_values(MASK, label_map, None, is_label_map=True)
    named = frozenset(LABEL_MAP.values())
    np.testing.assert_array_equal(partial_labels_of_targets(drawn, named), from_given_label_map(label_map))


def test_a_pre_label_keeps_what_is_known_and_splits_the_rest_by_density():
    partial_labels = np.full((9, 9), NOT_LESION, np.uint8)
    partial_labels[:, 1:8] = LESION_KIND_UNKNOWN
    partial_labels[0, 0], partial_labels[0, 8] = bits(Label.LUNG), bits(Label.LUNG, *LESIONS)
    partial_labels[4, 4] = bits(Label.GROUND_GLASS)
    pixels = np.full((9, 9), -600, np.int16)
    pixels[:, 4:] = 30
    label_map = prelabel(partial_labels, pixels, Intensity.HU)
    assert label_map[0].tolist() == [3, 1, 1, 1, 2, 2, 2, 2, 3]
    assert label_map[4].tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 0]


def test_a_lone_dense_pixel_makes_no_consolidation():
    pixels = np.full((9, 9), -600, np.int16)
    pixels[4, 4] = 30
    lesion = np.full((9, 9), LESION_KIND_UNKNOWN, np.uint8)
    assert (prelabel(lesion, pixels, Intensity.HU) == Label.GROUND_GLASS).all()


def test_grey_levels_hint_at_no_kind_and_the_unknown_is_background():
    lesion = np.array([[LESION_KIND_UNKNOWN, UNKNOWN]], np.uint8)
    assert prelabel(lesion, np.array([[255, 255]], np.uint8), Intensity.PICTURE).tolist() == [[1, 0]]
