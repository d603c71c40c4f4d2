import numpy as np

from chestct.formats.kaggle import CHANNELS
from chestct.formats.kaggle_arrays import one_hot
from chestct.labels import Label


def test_channels_are_ground_glass_consolidation_lung_background_as_on_kaggle():
    assert CHANNELS == (Label.GROUND_GLASS, Label.CONSOLIDATION, Label.LUNG, Label.BACKGROUND)
    label_map = np.array([[1, 2], [3, 0]], np.uint8)
    expected = [[[1, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 1, 0], [0, 0, 0, 1]]]
    assert one_hot(label_map).tolist() == expected
    assert one_hot(label_map).dtype == np.uint8
