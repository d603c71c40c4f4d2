import numpy as np

from chestct.labels import Label
from chestct.partial_labels import bits, from_label_map, from_lesion_label_map
from training.data.transplant import has_room, transplanted

LUNG, BACKGROUND, CONSOLIDATION = bits(Label.LUNG), bits(Label.BACKGROUND), bits(Label.CONSOLIDATION)


def healthy() -> tuple[np.ndarray, np.ndarray]:
    """64 x 64: tissue at 0.9, two lungs at 0.2."""
    label_map = np.zeros((64, 64), np.uint8)
    label_map[8:56, 4:30] = label_map[8:56, 34:60] = Label.LUNG
    return np.where(label_map == Label.LUNG, 0.2, 0.9).astype(np.float32), from_label_map(label_map)


def diseased(level: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """A crop to the lungs (0.1, unlabelled) with one consolidation, tissue below."""
    image = np.full((64, 64), 0.1, np.float32)
    image[54:] = 0.8
    label_map = np.zeros((64, 64), np.uint8)
    label_map[20:36, 20:36] = Label.CONSOLIDATION
    image[20:36, 20:36] = level
    return image, from_lesion_label_map(label_map)


def test_the_lesion_brings_its_kind_into_a_labelled_lung_and_nothing_else():
    image, known = healthy()
    for seed in range(10):
        _, mixed = transplanted(image, known, *diseased(), seed)
        changed = mixed != known
        assert changed.any()
        assert (mixed[changed] == CONSOLIDATION).all()
        assert (known[changed] == LUNG).all()


def test_grey_levels_are_carried_from_one_picture_s_scale_to_the_other_s():
    image, known = healthy()
    mixed_image, mixed = transplanted(image, known, *diseased(0.45), seed=1)
    # Halfway between lung (0.1) and tissue (0.8) there, so halfway between 0.2 and 0.9 here.
    inside = mixed == CONSOLIDATION
    assert np.isclose(np.median(mixed_image[inside]), 0.55, atol=0.02)
    assert np.array_equal(mixed_image[known == BACKGROUND], image[known == BACKGROUND])


def test_without_a_lesion_or_without_room_the_slice_is_given_back():
    image, known = healthy()
    donor = diseased()
    assert transplanted(image, known, image, known, seed=0) == (image, known)
    assert not has_room(donor[1])
    assert transplanted(*donor, *donor, seed=0) == donor


def test_the_same_seed_gives_the_same_slice():
    image, known = healthy()
    first, again = (transplanted(image, known, *diseased(), seed=4) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
