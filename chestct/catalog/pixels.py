"""Arrays to bytes and back, without loss: PNG for 8 bits, npz for Hounsfield units."""

import hashlib
import io
import zipfile
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from chestct.errors import InputError
from chestct.labels import Label

# Above these levels zlib takes two to five times as long on CT for 1 % fewer bytes.
_PNG_LEVEL, _NPZ_LEVEL = 3, 1


def array_key(array: npt.NDArray[np.generic]) -> str:
    """sha256 over type, shape and values: the same pixels have the same key, however stored."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def to_png(array: npt.NDArray[np.uint8]) -> bytes:
    """(H, W) uint8 as a single-channel 8-bit PNG."""
    if array.dtype != np.uint8 or array.ndim != 2 or array.size == 0:
        raise InputError("picture", f"is {array.dtype} of shape {array.shape}; expected uint8 (H, W)")
    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(written, "PNG", compress_level=_PNG_LEVEL)
    return written.getvalue()


def label_map_png(label_map: npt.NDArray[np.uint8]) -> bytes:
    """(H, W) uint8 label map as PNG.

    Raises:
        InputError: not uint8 (H, W), or a value that is no Label.
    """
    if label_map.size and label_map.max() > max(Label):
        raise InputError("label map", f"holds the value {label_map.max()}; expected 0 to {max(Label)}")
    return to_png(label_map)


def from_png(data: bytes, source: str) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 out of a single-channel 8-bit PNG of ours.

    Raises:
        InputError: it is something else.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.mode != "L":
                raise InputError(source, f"is a PNG of mode {picture.mode}; expected 8-bit grey (L)")
            return np.array(picture, dtype=np.uint8)
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(source, f"is no readable PNG: {error}") from error


def to_npz(pixels_hu: npt.NDArray[np.int16]) -> bytes:
    """(H, W) int16 Hounsfield units, compressed; the same pixels give the same bytes."""
    written = io.BytesIO()
    with (
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=_NPZ_LEVEL) as archive,
        archive.open("pixels_hu.npy", "w") as member,
    ):
        np.lib.format.write_array(member, pixels_hu, allow_pickle=False)
    return written.getvalue()


def from_npz(data: bytes, source: str) -> npt.NDArray[np.int16]:
    """(H, W) int16 Hounsfield units out of `to_npz`; never unpickles.

    Raises:
        InputError: it is something else.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            pixels_hu = archive["pixels_hu"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(source, f"is no npz of Hounsfield units: {error}") from error
    if pixels_hu.dtype != np.int16 or pixels_hu.ndim != 2:
        raise InputError(source, f"holds {pixels_hu.dtype} {pixels_hu.shape}; expected int16 (H, W)")
    return pixels_hu
