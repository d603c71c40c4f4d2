"""Pixels of a DICOM image as HU."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import UID

from chestct.errors import InputError
from chestct.files import refusing
from chestct.formats.dicom.header import DAMAGED, Header, read_dataset
from chestct.formats.nifti_stream import MAX_SIDE, MAX_VOXELS
from chestct.intensity import LOWEST_HU, as_hu

# Between air and fat, the densities that may lie at the edge of a chest CT.
_AIR_BELOW_HU = -500
_CONVERT = "unpack it with `gdcmconv --raw IN OUT` or `dcmdjpeg IN OUT` and read the result"
_NOT_UNPACKED = (
    "has pixels that cannot be unpacked ({error}); it is cut off or damaged, export it again, or " + _CONVERT
)


def is_stored_inverted(header: Header) -> bool:
    """Whether a MONOCHROME1 image stores inverted numbers, as some converters write it.

    By the standard (PS3.3 C.7.6.3.1.2) MONOCHROME1 only asks a viewer to show low values bright and
    changes no HU. Where that makes the image's edge dense and inverted numbers make it air, what lies
    around a patient decides.
    """
    with refusing(header.path, DAMAGED, _NOT_UNPACKED):
        dataset = read_dataset(header.path)
        if dataset.get("PhotometricInterpretation") != "MONOCHROME1" or header.frame is not None:
            return False
        stored = _stored(header.path, dataset)
        taken, turned = (
            np.median(_edge(_hu(dataset, pixels, None))) for pixels in (stored, _inverted(stored, dataset))
        )
        return bool(taken > _AIR_BELOW_HU >= turned)


def read_stack_hu(headers: list[Header], *, inverted: bool = False) -> list[npt.NDArray[np.int16]]:
    """(rows, columns) int16 HU of each image, in the given order; padding becomes air.

    Args:
        headers: of one series.
        inverted: as `is_stored_inverted` tells.
    Raises:
        InputError: an image holds no pixels, is cut off, or is packed in a way that is not read here.
    """
    rows, columns = headers[0].size
    if max(rows, columns) > MAX_SIDE or rows * columns * len(headers) > MAX_VOXELS:
        raise InputError(
            headers[0].path,
            f"claims {len(headers)} images of {rows} x {columns} pixels; at most {MAX_SIDE} a side and "
            f"{MAX_VOXELS} in all are read",
        )
    images: dict[int, npt.NDArray[np.int16]] = {}
    indices: dict[Path, list[int]] = {}
    for index, header in enumerate(headers):
        indices.setdefault(header.path, []).append(index)
    for path, of_file in indices.items():
        with refusing(path, DAMAGED, _NOT_UNPACKED):
            dataset = read_dataset(path)
            stored = _stored(path, dataset)
            stored = _inverted(stored, dataset) if inverted else stored
            for index in of_file:
                frame = headers[index].frame
                image = stored if frame is None else stored[frame]
                if image.shape != (rows, columns):
                    raise InputError(
                        path,
                        f"holds pixels of the shape {image.shape}; expected {(rows, columns)} by its tags",
                    )
                images[index] = _hu(dataset, image, frame)
    return [images[index] for index in range(len(headers))]


def _stored(path: Path, dataset: pydicom.Dataset) -> npt.NDArray[np.generic]:
    """Stored numbers, (rows, columns) or (frames, rows, columns)."""
    if "PixelData" not in dataset:
        raise InputError(path, "holds no pixels; expected a CT image, export the series with its images")
    # A damaged file may hold several, joined by a backslash.
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    try:
        readable = get_decoder(syntax).is_available
    except NotImplementedError:
        readable = False
    if not readable:
        raise InputError(path, f"is packed as {syntax.name} ({syntax}), which is not read here; {_CONVERT}")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if int(dataset.Rows) * int(dataset.Columns) * frames > MAX_VOXELS:
        raise InputError(path, f"claims {dataset.Rows} x {dataset.Columns} x {frames} pixels")
    pixels = dataset.pixel_array
    return pixels[0] if pixels.ndim == 3 and frames == 1 else pixels


def _inverted(stored: npt.NDArray[np.generic], dataset: pydicom.Dataset) -> npt.NDArray[np.generic]:
    """White for black within the bits that are stored."""
    signed = int(dataset.get("PixelRepresentation") or 0) == 1
    highest = -1 if signed else (1 << int(dataset.get("BitsStored") or 16)) - 1
    return (highest - stored.astype(np.int32)).astype(np.int32)


def _edge(image: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def _hu(
    dataset: pydicom.Dataset, stored: npt.NDArray[np.generic], frame: int | None
) -> npt.NDArray[np.int16]:
    numbers = apply_modality_lut(stored, dataset if frame is None else _rescale(dataset, frame))
    if not np.isfinite(numbers).all():
        raise ValueError("slope and intercept give no finite HU")
    pixels = as_hu(numbers)
    padding = dataset.get("PixelPaddingValue")
    if padding is not None:
        ends = sorted((int(padding), int(dataset.get("PixelPaddingRangeLimit", padding))))
        pixels[np.greater_equal(stored, ends[0]) & np.less_equal(stored, ends[1])] = LOWEST_HU
    return pixels


def _rescale(dataset: pydicom.Dataset, frame: int) -> pydicom.Dataset:
    """Slope and intercept of a frame: its own, or those that all frames share."""
    own = dataset.PerFrameFunctionalGroupsSequence[frame]
    for groups in (own, *(dataset.get("SharedFunctionalGroupsSequence") or [])):
        if "PixelValueTransformationSequence" in groups:
            return groups.PixelValueTransformationSequence[0]
    return pydicom.Dataset()
