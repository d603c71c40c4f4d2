from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

MOSMED_AFFINE = np.array([[-0.5, 0, 0, 90], [0, 0.5, 0, -90], [0, 0, 8.0, -100], [0, 0, 0, 1.0]])


@pytest.fixture
def affine() -> np.ndarray:
    """LAS, foot first, 0.5 x 0.5 x 8 mm: MosMedData's way."""
    return MOSMED_AFFINE.copy()


@pytest.fixture
def save_nifti() -> Callable[..., Path]:
    """Writes a stored array with nibabel's own writer."""

    def save(path: Path, stored: np.ndarray, affine: np.ndarray = MOSMED_AFFINE) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(stored, affine), path)
        return path

    return save


@pytest.fixture
def save_picture() -> Callable[..., Path]:
    """Writes pixels with Pillow in the format of the name."""

    def save(path: Path, pixels: np.ndarray) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return save


@pytest.fixture
def chest() -> np.ndarray:
    """(6, 5, 4) stored int16: air with a marker at the patient's right-anterior-head corner."""
    stored = np.full((6, 5, 4), -1000, dtype=np.int16)
    stored[0, 4, 3] = 40
    return stored


@pytest.fixture
def slope() -> np.ndarray:
    """(70, 80) uint8 whose grey grows from left to right."""
    return np.tile(np.arange(80, dtype=np.uint8) * 3, (70, 1))
