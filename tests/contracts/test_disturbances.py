"""The robustness benchmark must score what the model said, not its own geometry."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from chestct.labels import Label
from chestct.partial_labels import from_label_map

_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "_disturbances.py"
MOVED = (
    *("150 px", "1024 px", "crop to the lungs", "padded by a quarter", "16:9 by padding"),
    *("left-right flipped", "upside down", "rotated by 90 degrees", "rotated by 10 degrees"),
)


@pytest.fixture(scope="module")
def disturbances():
    name = "benchmark_disturbances"
    specification = importlib.util.spec_from_file_location(name, _SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module: ModuleType = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture
def known(disturbances):
    """White with a black corner-shaped lung, so that no turn leaves it as it is; wider than tall."""
    lung = np.zeros((240, 300), bool)
    lung[60:180, 70:130] = lung[140:180, 70:230] = True
    label_map = np.where(lung, Label.LUNG, Label.BACKGROUND).astype(np.uint8)
    return disturbances.KnownSlice(
        np.where(lung, 0.1, 0.9).astype(np.float32), from_label_map(label_map), "made up", "nobody"
    )


def dark_is_lung(picture: np.ndarray) -> np.ndarray:
    return np.where(picture < 0.5, Label.LUNG, Label.BACKGROUND).astype(np.uint8)


@pytest.mark.parametrize("name", MOVED)
def test_what_moves_pixels_is_undone_on_the_label_map(disturbances, known, name):
    shown = disturbances.DISTURBANCES[name](known)
    found = shown.undo(dark_is_lung(shown.picture))
    truth = dark_is_lung(known.picture)
    assert found.shape == truth.shape
    inner = (slice(50, -50), slice(60, -60))  # a small rotation loses the corners
    assert (found[inner] == truth[inner]).mean() > 0.98


@pytest.mark.parametrize("name", ["padded by a quarter", "rotated by 90 degrees", "150 px", "1024 px"])
def test_what_moves_pixels_changes_the_picture(disturbances, known, name):
    assert disturbances.DISTURBANCES[name](known).picture.shape != known.picture.shape


def test_every_disturbance_gives_a_picture_again(disturbances, known):
    for name, disturb in disturbances.DISTURBANCES.items():
        shown = disturb(known)
        assert shown.picture.dtype == np.float32, name
        assert 0 <= shown.picture.min() <= shown.picture.max() <= 1, name
        assert name in MOVED or shown.picture.shape == known.picture.shape, name


def test_what_keeps_pixels_in_place_changes_their_grey(disturbances, known):
    textured = np.clip(
        known.picture + np.random.default_rng(0).normal(0, 0.1, known.picture.shape), 0.05, 0.9
    )
    other = disturbances.KnownSlice(textured.astype(np.float32), known.partial_labels, "made up", "nobody")
    for name in set(disturbances.DISTURBANCES) - set(MOVED):
        assert np.abs(disturbances.DISTURBANCES[name](other).picture - textured).mean() > 0.005, name
