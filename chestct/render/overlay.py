"""Pictures of slices for people: findings over grey, and contact sheets."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from chestct.errors import InputError
from chestct.labels import COLOURS_RGB, LESIONS, Label

Picture = npt.NDArray[np.uint8]


def overlay(
    picture: Picture,
    label_map: npt.NDArray[np.uint8],
    colours: Mapping[Label, tuple[int, int, int]] = COLOURS_RGB,
    opacity: float = 0.4,
) -> Picture:
    """A slice with its findings in colour: lesions filled, every class outlined.

    The lung is only outlined: a filled lung would hide the slice.

    Args:
        picture: (H, W) uint8 grey levels.
        label_map: (H, W) uint8 values of Label.
        colours: RGB of each class to show; a class that is absent stays unmarked.
        opacity: of the fill, in [0, 1]; outlines are drawn at twice that.
    Returns:
        (H, W, 3) uint8 RGB.
    Raises:
        InputError: shapes differ or the opacity lies outside [0, 1].
    """
    if picture.shape != label_map.shape:
        raise InputError("label map", f"has the shape {label_map.shape}, its picture {picture.shape}")
    if not 0.0 <= opacity <= 1.0:
        raise InputError("opacity", f"is {opacity}; expected 0 to 1")
    blended = np.repeat(picture[:, :, None], 3, axis=2).astype(np.float32)
    for label, colour in colours.items():
        of_class = label_map == label
        share = np.where(_outline(of_class), min(1.0, 2.0 * opacity), opacity if label in LESIONS else 0.0)
        share = (share * of_class)[:, :, None].astype(np.float32)
        blended += share * (np.array(colour, dtype=np.float32) - blended)
    return np.rint(blended).astype(np.uint8)


def _outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels of the mask with a neighbour (up, down, left, right) outside it."""
    padded = np.pad(mask, 1)
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~surrounded


def montage(pictures: Sequence[Picture], columns: int = 6, tile: int = 256, gap: int = 4) -> Picture:
    """A contact sheet, row by row in the order given.

    Args:
        pictures: (H, W) grey or (H, W, 3) RGB, uint8; sizes may differ.
        columns: pictures in a row (fewer where there are fewer pictures).
        tile: longest side of a picture on the sheet in pixels; larger ones shrink to it, smaller stay.
        gap: black pixels between pictures.
    Returns:
        (H, W, 3) uint8 RGB.
    Raises:
        InputError: no pictures, or a size below 1.
    """
    if not pictures or columns < 1 or tile < 1 or gap < 0:
        raise InputError(
            "contact sheet",
            f"of {len(pictures)} pictures in {columns} columns of {tile} pixels cannot be drawn; "
            "expected 1 or more of each",
        )
    tiles = [_thumbnail(picture, tile) for picture in pictures]
    height, width = (max(small.shape[axis] for small in tiles) for axis in (0, 1))
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), dtype=np.uint8)
    for index, small in enumerate(tiles):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
    return sheet


def _thumbnail(picture: Picture, longest: int) -> Picture:
    rgb = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    height, width = rgb.shape[:2]
    if max(height, width) <= longest:
        return rgb
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))


def png_bytes(picture: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file of (H, W) grey or (H, W, 3) RGB uint8 pixels, lossless."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, format="PNG")
    return file.getvalue()
