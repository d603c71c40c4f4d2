"""What happens to a slice on its way to us: windows, formats, sizes, turns; undone on the label map.

Pictures are (H, W) float32 in [0, 1]. Every random choice has a fixed seed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from chestct.labels import Label
from chestct.partial_labels import UNKNOWN, bits

Picture = npt.NDArray[np.float32]
LabelMap = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class KnownSlice:
    """A clean slice and its truth.

    Args:
        picture: (H, W) float32 in [0, 1].
        candidates: (H, W) uint8, see `chestct.partial_labels`.
        source, patient: scores are means over a source's patients.
        pixels_hu: (H, W) HU where the slice has them.
    """

    picture: Picture
    partial_labels: npt.NDArray[np.uint8]
    source: str
    patient: str
    pixels_hu: npt.NDArray[np.generic] | None = None


@dataclass(frozen=True, eq=False)
class Disturbed:
    """What the model is shown, and the way back.

    Args:
        picture: of any size.
        undo: from a label map of the picture's size to one of the clean slice's.
    """

    picture: Picture
    undo: Callable[[LabelMap], LabelMap] = lambda label_map: label_map


Disturbance = Callable[[KnownSlice], Disturbed]


def _curve(change: Callable[[Picture], npt.NDArray[np.floating]]) -> Disturbance:
    """A change of grey levels alone."""
    return lambda known: Disturbed(np.clip(change(known.picture), 0.0, 1.0).astype(np.float32))


def _window(black: float, white: float) -> Disturbance:
    """Another window: which grey levels of the clean picture become black and white."""
    return _curve(lambda picture: (picture - black) / (white - black))


def _clahe(known: KnownSlice) -> Disturbed:
    grey = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(_as_bytes(known.picture))
    return Disturbed(grey.astype(np.float32) / 255.0)


def _noise(known: KnownSlice) -> Disturbed:
    noise = np.random.default_rng(7).normal(0.0, 0.05, known.picture.shape)
    return Disturbed(np.clip(known.picture + noise, 0.0, 1.0).astype(np.float32))


def _blur(known: KnownSlice) -> Disturbed:
    sigma = 0.006 * known.picture.shape[1]
    return Disturbed(cv2.GaussianBlur(known.picture, (0, 0), sigma).astype(np.float32))


def _jpeg(known: KnownSlice) -> Disturbed:
    _, content = cv2.imencode(".jpg", _as_bytes(known.picture), [cv2.IMWRITE_JPEG_QUALITY, 30])
    grey = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    return Disturbed(grey.astype(np.float32) / 255.0)


def _sized(longer_side: int) -> Disturbance:
    """The picture enlarged or shrunk until its longer side has so many pixels."""

    def apply(known: KnownSlice) -> Disturbed:
        height, width = known.picture.shape
        scale = longer_side / max(height, width)
        size = (round(width * scale), round(height * scale))
        smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = np.clip(cv2.resize(known.picture, size, interpolation=smooth), 0.0, 1.0)
        return Disturbed(
            picture.astype(np.float32),
            lambda label_map: cv2.resize(label_map, (width, height), interpolation=cv2.INTER_NEAREST).astype(
                np.uint8
            ),
        )

    return apply


def _crop_to_lungs(known: KnownSlice) -> Disturbed:
    """The box of what may be lung with a twentieth to spare; as it is where lungs are unlabelled."""
    height, width = known.picture.shape
    lung = (known.partial_labels != UNKNOWN) & ((known.partial_labels & bits(Label.BACKGROUND)) == 0)
    rows, columns = np.flatnonzero(lung.any(axis=1)), np.flatnonzero(lung.any(axis=0))
    if not len(rows) or not (known.partial_labels == bits(Label.LUNG)).any():
        return Disturbed(known.picture)
    margin = max(1, width // 20)
    box = (
        slice(max(0, int(rows[0]) - margin), min(height, int(rows[-1]) + margin)),
        slice(max(0, int(columns[0]) - margin), min(width, int(columns[-1]) + margin)),
    )

    def undo(label_map: LabelMap) -> LabelMap:
        full = np.zeros((height, width), dtype=np.uint8)
        full[box] = label_map
        return full

    return Disturbed(np.ascontiguousarray(known.picture[box]), undo)


def _padded(share_rows: float, share_columns: float) -> Disturbance:
    """Black all round, as parts of the picture's own height and width."""

    def apply(known: KnownSlice) -> Disturbed:
        height, width = known.picture.shape
        top, left = int(share_rows * height), int(share_columns * width)
        return Disturbed(
            np.pad(known.picture, ((top, top), (left, left))),
            lambda label_map: label_map[top : top + height, left : left + width],
        )

    return apply


def _turned(
    turn: Callable[[npt.NDArray], npt.NDArray], back: Callable[[npt.NDArray], npt.NDArray]
) -> Disturbance:
    return lambda known: Disturbed(np.ascontiguousarray(turn(known.picture)), back)


def _rotated(degrees: float) -> Disturbance:
    """About the middle, corners black."""

    def apply(known: KnownSlice) -> Disturbed:
        height, width = known.picture.shape
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
        return Disturbed(
            cv2.warpAffine(known.picture, matrix, (width, height)).astype(np.float32),
            lambda label_map: cv2.warpAffine(
                label_map, matrix, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
            ).astype(np.uint8),
        )

    return apply


def _min_max(known: KnownSlice) -> Disturbed:
    """Each slice from its own darkest to its own brightest pixel, as some exports of CT are."""
    values = known.picture if known.pixels_hu is None else known.pixels_hu.astype(np.float32)
    low, high = values.min(), values.max()
    return Disturbed(((values - low) / max(float(high - low), 1e-6)).astype(np.float32))


def _as_bytes(picture: Picture) -> npt.NDArray[np.uint8]:
    return np.rint(picture * 255.0).astype(np.uint8)


DISTURBANCES: dict[str, Disturbance] = {
    "narrow window": _window(0.15, 0.85),
    "wide window": _window(-0.25, 1.25),
    "very low contrast": _curve(lambda picture: 0.35 + 0.3 * picture),
    "darker": _curve(lambda picture: picture - 0.2),
    "brighter": _curve(lambda picture: picture + 0.2),
    "soft-tissue end of the window": _window(0.5, 1.0),
    "gamma 0.6": _curve(lambda picture: picture**0.6),
    "gamma 1.6": _curve(lambda picture: picture**1.6),
    "CLAHE": _clahe,
    "min-max of each slice": _min_max,
    "inverted": _curve(lambda picture: 1.0 - picture),
    "noise": _noise,
    "blur": _blur,
    "JPEG quality 30": _jpeg,
    "150 px": _sized(150),
    "1024 px": _sized(1024),
    "crop to the lungs": _crop_to_lungs,
    "padded by a quarter": _padded(0.25, 0.25),
    "16:9 by padding": _padded(0.0, 0.39),
    "left-right flipped": _turned(np.fliplr, np.fliplr),
    "upside down": _turned(np.flipud, np.flipud),
    "rotated by 90 degrees": _turned(np.rot90, lambda label_map: np.rot90(label_map, -1)),
    "rotated by 10 degrees": _rotated(10.0),
}
