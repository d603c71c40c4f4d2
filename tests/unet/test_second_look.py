import numpy as np

from chestct.labels import Label
from chestct.unet.second_look import lung_box


def seen(lung: np.ndarray) -> np.ndarray:
    """(4, H, W) probabilities of a first look that is certain."""
    probabilities = np.zeros((4, *lung.shape), np.float32)
    probabilities[Label.LUNG], probabilities[Label.BACKGROUND] = lung, ~lung
    return probabilities


def test_small_lungs_get_a_second_look_with_a_margin():
    lung = np.zeros((100, 200), bool)
    lung[30:80, 50:150] = True
    # 8 % of 50 rows and of 100 columns on each side.
    assert lung_box(seen(lung)) == (slice(26, 84), slice(42, 158))


def test_lungs_at_the_edge_stay_inside_the_picture():
    lung = np.zeros((100, 100), bool)
    lung[:50, :50] = True
    assert lung_box(seen(lung)) == (slice(0, 54), slice(0, 54))


def test_lungs_that_fill_the_picture_get_one_look():
    assert lung_box(seen(np.ones((100, 100), bool))) is None


def test_hardly_any_lung_gets_one_look():
    lung = np.zeros((100, 100), bool)
    lung[:10, :10] = True
    assert lung_box(seen(lung)) is None


def test_stray_pixels_do_not_widen_the_box():
    lung = np.zeros((100, 100), bool)
    lung[40:60, 40:60] = True
    lung[0, 0] = lung[99, 99] = True
    assert lung_box(seen(lung)) == (slice(38, 61), slice(38, 61))


def test_lesions_count_as_lung():
    lung = np.zeros((100, 100), bool)
    lung[40:60, 40:60] = True
    ill = seen(lung)
    ill[[Label.LUNG, Label.CONSOLIDATION]] = ill[[Label.CONSOLIDATION, Label.LUNG]]
    assert lung_box(ill) == lung_box(seen(lung))
