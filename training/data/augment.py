"""Random changes of a picture that do not change what a radiologist would draw on it.

Sources differ in window, contrast (CLAHE, per-slice min-max), field of view (whole body or a crop
to the lungs) and sharpness, far more than lungs do; the augmentations span these differences so
that HU in the lung window, exported pictures and journal figures look alike to the network.
"""

import math
import os

# albumentations 2.0.8 asks the package index for its newest version at import otherwise.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations
import cv2
import numpy as np
import numpy.typing as npt

from chestct.labels import Label
from chestct.partial_labels import UNKNOWN

# How far a picture's black and white may lie from the network's, as parts of the grey range:
# air of a body picture is 0, in the lung window of HU it is 0.23, hence the wide lower end.
_BLACK_POINT, _WHITE_POINT = (-0.40, 0.15), (0.68, 1.15)
_LOG_GAMMA = 0.3
_LUNG_MARGIN = (0.0, 0.12)
_CROP_TO_LUNG_CHANCE = 0.5


class WindowJitter(albumentations.ImageOnlyTransform):
    """Another window and gamma: grey levels through one random monotone curve."""

    def apply(self, img: np.ndarray, curve: np.ndarray, **params: object) -> np.ndarray:
        """Looks every pixel of the uint8 picture up in the curve."""
        return curve[img]

    def get_params(self) -> dict[str, np.ndarray]:
        """One curve: 256 uint8 values."""
        black = self.py_random.uniform(*_BLACK_POINT)
        white = self.py_random.uniform(*_WHITE_POINT)
        gamma = math.exp(self.py_random.uniform(-_LOG_GAMMA, _LOG_GAMMA))
        grey = np.clip((np.arange(256) / 255.0 - black) / (white - black), 0.0, 1.0) ** gamma
        return {"curve": np.rint(grey * 255.0).astype(np.uint8)}


class Augmentation:
    """Random views of samples; the same seed gives the same view.

    Args:
        turn_chance: of a picture that lies on its side or upside down, as screenshots and files
            with lost orientation do.
    """

    def __init__(self, turn_chance: float = 0.0) -> None:
        self._geometry = albumentations.Compose(
            [
                albumentations.D4(p=turn_chance),
                albumentations.HorizontalFlip(p=0.3),
                albumentations.Affine(
                    scale={"x": (0.72, 1.25), "y": (0.72, 1.25)},
                    translate_percent=(-0.06, 0.06),
                    rotate=(-14, 14),
                    shear=(-5, 5),
                    interpolation=cv2.INTER_LINEAR,
                    fill=0,
                    fill_mask=int(UNKNOWN),
                    p=0.9,
                ),
                albumentations.ElasticTransform(
                    alpha=30, sigma=6, fill_mask=int(UNKNOWN), approximate=True, p=0.15
                ),
            ]
        )
        self._grey = albumentations.Compose(
            [
                WindowJitter(p=0.8),
                albumentations.CLAHE(clip_limit=(1.0, 3.0), tile_grid_size=(8, 8), p=0.2),
                albumentations.OneOf(
                    [
                        albumentations.GaussianBlur(blur_limit=(3, 5)),
                        albumentations.Sharpen(alpha=(0.1, 0.4)),
                        albumentations.Downscale(scale_range=(0.5, 0.9)),
                    ],
                    p=0.3,
                ),
                albumentations.GaussNoise(std_range=(0.01, 0.05), p=0.25),
                albumentations.ImageCompression(quality_range=(50, 95), p=0.1),
            ]
        )

    def __call__(
        self, image: npt.NDArray[np.float32], partial_labels: npt.NDArray[np.uint8], size: int, seed: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """One random view.

        Args:
            image: (H, W) float32 in [0, 1].
            partial_labels: (H, W) uint8.
            size: side of the square result.
        Returns:
            (size, size) image and partial labels; pixels that came from outside are UNKNOWN.
        """
        rng = np.random.default_rng(seed)
        if rng.random() < _CROP_TO_LUNG_CHANCE:
            rows, columns = lung_box(partial_labels, rng.uniform(*_LUNG_MARGIN, size=4))
            image, partial_labels = image[rows, columns], partial_labels[rows, columns]
        picture, partial_labels = resized(np.rint(image * 255.0).astype(np.uint8), partial_labels, size)
        self._geometry.set_random_seed(int(rng.integers(2**31)))
        view = self._geometry(image=picture, mask=partial_labels)
        self._grey.set_random_seed(int(rng.integers(2**31)))
        grey = self._grey(image=view["image"])["image"]
        return grey.astype(np.float32) / 255.0, view["mask"]


def lung_box(partial_labels: npt.NDArray[np.uint8], margins: npt.NDArray[np.float64]) -> tuple[slice, slice]:
    """Rows and columns of what is known to be lung or lesion, widened by parts of its size.

    The whole picture where no lung is labelled, or too little of it to be a lung's cross-section.
    """
    inside = (partial_labels & (1 << int(Label.BACKGROUND))) == 0
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    height, width = partial_labels.shape
    lung_labelled = bool((partial_labels == 1 << int(Label.LUNG)).any())
    if not lung_labelled or len(columns) < width // 3 or len(rows) < height // 4:
        return slice(0, height), slice(0, width)
    tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    top, bottom = int(rows[0] - margins[0] * tall), int(rows[-1] + 1 + margins[1] * tall)
    left, right = int(columns[0] - margins[2] * wide), int(columns[-1] + 1 + margins[3] * wide)
    return slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))


def resized(
    picture: npt.NDArray[np.uint8], partial_labels: npt.NDArray[np.uint8], size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Picture (area-averaged when it shrinks) and candidates (nearest) at (size, size)."""
    smooth = cv2.INTER_AREA if size < min(picture.shape) else cv2.INTER_LINEAR
    return (
        cv2.resize(picture, (size, size), interpolation=smooth).astype(np.uint8),
        cv2.resize(partial_labels, (size, size), interpolation=cv2.INTER_NEAREST).astype(np.uint8),
    )
