import numpy as np
import pytest

from chestct.labels import Label
from chestct.partial_labels import UNKNOWN, from_label_map, from_lesion_label_map
from training.data.augment import Augmentation, lung_box


@pytest.fixture(scope="module")
def augmentation() -> Augmentation:
    return Augmentation()


def chest() -> tuple[np.ndarray, np.ndarray]:
    """A 64 x 64 picture: bright body, two dark lungs, one grey lesion."""
    label_map = np.zeros((64, 64), np.uint8)
    label_map[16:48, 8:28] = label_map[16:48, 36:56] = Label.LUNG
    label_map[30:40, 10:20] = Label.GROUND_GLASS
    image = np.choose(label_map, [0.8, 0.5, 0.7, 0.1]).astype(np.float32)
    return image, label_map


def test_a_view_is_of_the_asked_size_and_in_range(augmentation):
    image, label_map = chest()
    for seed in range(20):
        view, partial_labels = augmentation(image, from_label_map(label_map), 96, seed)
        assert view.shape == partial_labels.shape == (96, 96)
        assert view.dtype == np.float32
        assert view.min() >= 0
        assert view.max() <= 1


def test_the_same_seed_gives_the_same_view(augmentation):
    image, label_map = chest()
    first = augmentation(image, from_label_map(label_map), 64, 5)
    again = augmentation(image, from_label_map(label_map), 64, 5)
    other = augmentation(image, from_label_map(label_map), 64, 6)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_no_label_is_invented(augmentation):
    image, label_map = chest()
    allowed = {*np.unique(from_label_map(label_map)).tolist(), int(UNKNOWN)}
    for seed in range(20):
        _, partial_labels = augmentation(image, from_label_map(label_map), 64, seed)
        assert set(np.unique(partial_labels).tolist()) <= allowed


def test_the_crop_keeps_the_whole_lung():
    _, label_map = chest()
    rows, columns = lung_box(from_label_map(label_map), np.zeros(4))
    assert (rows, columns) == (slice(16, 48), slice(8, 56))


def test_without_labelled_lung_nothing_is_cropped():
    _, label_map = chest()
    lesions_only = from_lesion_label_map(np.where(label_map == Label.LUNG, 0, label_map).astype(np.uint8))
    assert lung_box(lesions_only, np.zeros(4)) == (slice(0, 64), slice(0, 64))
