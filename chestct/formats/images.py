"""Pictures of slices: 8-bit PNG and JPEG, and label maps as PNG.

Grey levels carry an unknown window, so a picture never counts as HU. Colour is accepted where it is
grey in disguise (three equal channels, JPEG's rounding allowed) or where a few marks were drawn on
it; then the luminance counts. Pixels are taken as stored: an EXIF turn is not applied, so that a
label map fits the file's own rows and columns.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from chestct.errors import InputError
from chestct.formats.folders import failed, reading, visible
from chestct.intensity import Intensity
from chestct.labels import Label
from chestct.study import FailedInput, Study

SUFFIXES = (".png", ".jpg", ".jpeg")
MIN_SIDE, MAX_SIDE = 64, 4096
# JPEG stores colour apart from brightness; rounding alone moves channels this far apart.
_GREY_TOLERANCE = 12
# Arrows and scale bars stay far below this share of a slice; a photograph is far above.
_MAX_COLOURED_FRACTION = 0.05
_GREY_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
# What Pillow 13 raises for damaged files, beside OSError.
_DAMAGED = (SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error, OSError)


def is_picture_name(path: Path) -> bool:
    """Whether the name promises a PNG or JPEG."""
    return path.name.lower().endswith(SUFFIXES)


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 grey levels of one picture.

    Raises:
        InputError: not a readable 8-bit grey PNG or JPEG of 64 to 4096 pixels a side.
    """
    with _opened(path) as image:
        if min(image.size) < MIN_SIDE:
            width, height = image.size
            raise InputError(path, f"is {width} x {height} pixels; expected {MIN_SIDE} to {MAX_SIDE} a side")
        if image.mode not in _GREY_MODES:
            raise InputError(
                path, f"stores {image.mode} pixels (16 bits or more); expected 8 bits, or NIfTI for HU"
            )
        if image.mode in ("L", "1"):
            return _decoded(path, image, "L")
        return _grey(path, _decoded(path, image, "RGBA"))


def read_image_study(path: Path) -> Study:
    """A single picture as a study of one slice."""
    return _study(path, [path], [read_picture(path)])


def read_image_folder(folder: Path) -> Iterator[Study | FailedInput]:
    """The pictures directly in a folder as one study; each unreadable one is named first.

    Segmentation results (`*.label.png`, `*.overlay.png`) and masks (`*_mask.png`) are left out.
    """
    files, pixels = [], []
    for path in visible(folder):
        if is_picture_name(path) and not is_mask_name(path) and path.is_file():
            try:
                pixels.append(read_picture(path))
                files.append(path)
            except InputError as error:
                yield failed(path, error)
    if files:
        yield _study(folder, files, pixels)


def is_mask_name(path: Path) -> bool:
    """Whether a file's name says that it is a mask or a result, not an image of a patient."""
    stem = path.name.lower().removesuffix(".gz").rsplit(".", 1)[0]
    words = ("mask", "masks", "msk", "seg", "label", "labels", "overlay")
    return stem.endswith(tuple(f"{mark}{word}" for mark in "._-" for word in words))


def read_label_map_png(path: Path) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 values of Label from a single-channel PNG.

    Raises:
        InputError: unreadable, more than one channel, or a pixel is none of 0, 1, 2, 3.
    """
    with _opened(path) as image:
        if image.mode not in ("L", "P"):
            raise InputError(path, f"stores {image.mode} pixels; expected a label map in one 8-bit channel")
        label_map = _decoded(path, image, None)
    if label_map.max() > max(Label):
        raise InputError(
            path, f"holds values up to {label_map.max()}; expected a label map of 0 to {int(max(Label))}"
        )
    return label_map


def read_mask_picture(path: Path) -> npt.NDArray[np.bool_]:
    """(H, W) booleans from a picture of a mask: bright (above 127) is inside."""
    with _opened(path) as image:
        if image.mode not in ("L", "1", "P"):
            raise InputError(path, f"stores {image.mode} pixels; expected a mask in one channel, 0 and 255")
        return _decoded(path, image, "L") > 127


def write_label_map_png(path: Path, label_map: npt.NDArray[np.uint8]) -> None:
    """A label map as single-channel PNG, bit-exact; written beside and renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with reading(path):
        Image.fromarray(label_map).save(beside, format="PNG")
        beside.replace(path)


def _study(source: Path, files: list[Path], pixels: list[npt.NDArray[np.uint8]]) -> Study:
    name = source.name if source.is_dir() else source.stem
    return Study(
        name=name,
        patient=name,
        slices=tuple(pixels),
        intensity=Intensity.PICTURE,
        source=source,
        slice_names=tuple(file.name for file in files),
    )


def _opened(path: Path) -> Image.Image:
    """The picture with its size checked and nothing decoded yet."""
    too_large = f"is larger than {MAX_SIDE} pixels a side; expected {MIN_SIDE} to {MAX_SIDE}"
    with reading(path):
        path.open("rb").close()
    try:
        image = Image.open(path, formats=("PNG", "JPEG"))
    # Pillow warns of, then refuses, pictures whose header claims a great many pixels.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(path, too_large) from error
    except _DAMAGED as error:
        raise InputError(path, "is not a readable PNG or JPEG picture") from error
    if max(image.size) > MAX_SIDE:
        image.close()
        raise InputError(path, too_large)
    return image


def _decoded(path: Path, image: Image.Image, mode: str | None) -> npt.NDArray[np.uint8]:
    """Decoded pixels, converted to a mode of Pillow unless that is None (palette indices stay)."""
    try:
        if image.mode in ("CMYK", "YCbCr"):
            image = image.convert("RGB")
        return np.array(image if mode in (None, image.mode) else image.convert(mode), dtype=np.uint8)
    except _DAMAGED as error:
        raise InputError(path, f"is damaged or cut off ({error}); copy or download it again") from error


def _grey(path: Path, rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W, 4) uint8 to luminance on black, refused where it is a picture in colour."""
    channels = rgba[..., :3].astype(np.int16)
    coloured = float((np.ptp(channels, axis=-1) > _GREY_TOLERANCE).mean())
    if coloured > _MAX_COLOURED_FRACTION:
        raise InputError(
            path, f"is a colour picture ({coloured:.0%} of its pixels); expected a CT slice in grey levels"
        )
    # ITU-R BT.601, as Pillow's own conversion to grey; equal channels come out unchanged.
    luminance = (channels @ np.array([299, 587, 114], dtype=np.int64) + 500) // 1000
    return (luminance * rgba[..., 3] // 255).astype(np.uint8)
