"""Voxels out of a NIfTI file that nobody vouches for.

The header is judged before anything is read, and voxels are decompressed slab by slab straight into
the wanted type: a header that lies, a zip bomb or a cut-off download costs a bounded amount of
memory and ends in one sentence that names the file. nibabel reads the header; its own image
loading would first expand whatever the file claims.
"""

import gzip
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError

from chestct.errors import InputError
from chestct.files import reading, refusing
from chestct.geometry import Geometry

# 512 x 512 x 2048, or 1024 x 1024 x 512: twice the longest chest CT; 1 GiB as int16.
MAX_VOXELS = 2**29
# Bounds one slab too: 4096 x 4096 of 64 bits is 128 MiB.
MAX_SIDE = 4096
# DEFLATE cannot expand a byte further than this (zlib's technical notes: 1032:1).
_MAX_EXPANSION = 1032
_HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_SINGLE_FILE_MAGIC = {348: b"n+1", 540: b"n+2"}
_TAIL_BYTES = 2**20
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)

Slab = npt.NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class NiftiSource:
    """A NIfTI file whose header was found believable; its voxels are still on disk.

    Args:
        path: the file.
        geometry: stored shape (three axes) and affine.
        dtype: type of the stored numbers.
        scaling: slope and intercept from stored numbers to values; None where there is none.
        data_offset: bytes before the first voxel, after decompression.
    """

    path: Path
    geometry: Geometry
    dtype: np.dtype
    scaling: tuple[float, float] | None
    data_offset: int

    def read(self, convert: Callable[[Slab], Slab], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
        """All voxels in stored axes, converted slab by slab along the last axis.

        Args:
            convert: (I, J) scaled values to the wanted numbers; may raise ValueError with a reason.
            dtype: type of the result.
        Raises:
            InputError: the file is cut off, damaged, or holds NaN or infinite voxels.
        """
        shape = self.geometry.stored_shape
        volume = np.empty(shape, dtype, order="F")
        slab_bytes = shape[0] * shape[1] * self.dtype.itemsize
        not_finite = 0
        with (
            reading(self.path),
            refusing(self.path, (ValueError,), "{error}"),
            refusing(self.path, _DAMAGED, "is damaged or cut off ({error}); copy or download it again"),
            _decompressed(self.path) as stream,
        ):
            _skip(stream, self.data_offset)
            for index in range(shape[2]):
                raw = _read_exactly(stream, slab_bytes)
                slab = np.frombuffer(raw, self.dtype).reshape(shape[:2], order="F")
                finite = np.isfinite(slab)
                not_finite += slab.size - int(np.count_nonzero(finite))
                volume[:, :, index] = convert(self._scaled(slab) if finite.all() else np.zeros_like(slab))
            # Reading to the end makes gzip compare its checksum; a longer tail is not ours.
            stream.read(_TAIL_BYTES)
        if not_finite:
            raise InputError(
                self.path,
                f"holds {not_finite} voxels that are NaN or infinite; expected a number in each voxel, "
                "write the padding as -1024 HU",
            )
        return volume

    def _scaled(self, slab: Slab) -> Slab:
        if self.scaling is None:
            return slab
        slope, intercept = self.scaling
        return slab.astype(np.float64) * slope + intercept


def open_nifti(path: Path) -> NiftiSource:
    """Judges the header of a `.nii` or `.nii.gz` file (told apart by content, not by name).

    4-D files whose further axes have length 1 count as 3-D, a 2-D file as one slice. The affine is
    the sform, else the qform, else nibabel's LAS guess from the voxel size.

    Raises:
        InputError: not NIfTI, more than one volume, too large, longer than the file can be, an
            unusable type, affine or unit.
    """
    no_nifti = "is not a NIfTI volume, or one that was cut off ({error}); expected .nii or .nii.gz"
    with reading(path), refusing(path, _DAMAGED, no_nifti), _decompressed(path) as stream:
        block = _read_exactly(stream, 348)
        size = _header_size(path, block)
        header = _HEADERS[size](block + _read_exactly(stream, size - 348), check=False)
    if bytes(header["magic"].tobytes()[:3]) != _SINGLE_FILE_MAGIC[size]:
        raise InputError(path, "is not a single-file NIfTI; convert a .hdr/.img pair to .nii.gz")
    shape = _three_axes(path, header)
    dtype = _number_type(path, header)
    damaged = (HeaderDataError, KeyError, ValueError, OverflowError)
    with refusing(path, damaged, "has a damaged header ({error}); expected a valid NIfTI header"):
        offset = int(header.get_data_offset())
        slope, intercept = header.get_slope_inter()
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise InputError(path, f"measures voxels in {unit}; expected mm")
    _refuse_overclaim(path, shape, dtype, max(offset, size))
    try:
        geometry = Geometry(shape, affine)
    except InputError as error:
        raise InputError(path, f"its {error.source} {error.reason}") from error
    # nibabel gives None for a slope of 0, which the standard defines as "not scaled".
    scaling = None if slope is None else (float(slope), float(intercept or 0.0))
    return NiftiSource(
        path=path,
        geometry=geometry,
        dtype=dtype,
        scaling=None if scaling == (1.0, 0.0) else scaling,
        data_offset=max(offset, size),
    )


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _decompressed(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path, "rb") if _is_gzip(path) else path.open("rb")


def _read_exactly(stream: BinaryIO | gzip.GzipFile, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError(f"it ends {count - len(data)} bytes too early")
    return data


def _skip(stream: BinaryIO | gzip.GzipFile, count: int) -> None:
    while count > 0:
        count -= len(_read_exactly(stream, min(count, _TAIL_BYTES)))


def _header_size(path: Path, block: bytes) -> int:
    for order in "<>":
        (size,) = struct.unpack(f"{order}i", block[:4])
        if size in _HEADERS:
            return size
    raise InputError(path, "is not a NIfTI volume, whatever its name says; expected .nii or .nii.gz")


def _three_axes(path: Path, header: nib.Nifti1Header) -> tuple[int, int, int]:
    count = int(header["dim"][0])
    lengths = [int(length) for length in header["dim"][1 : 1 + max(0, count)]]
    if not 2 <= count <= 7 or min(lengths) < 1:
        raise InputError(path, f"has the dimensions {lengths}; expected three axes of at least 1 voxel")
    if any(length != 1 for length in lengths[3:]):
        raise InputError(
            path,
            f"has {count} axes of {lengths} voxels; expected one 3-D volume, split the series into files",
        )
    first, second, third = (*lengths[:3], 1)[:3]
    if max(first, second, third) > MAX_SIDE or first * second * third > MAX_VOXELS:
        raise InputError(
            path,
            f"claims {first} x {second} x {third} voxels; at most {MAX_SIDE} along an axis and {MAX_VOXELS} "
            "in all are read",
        )
    return first, second, third


def _number_type(path: Path, header: nib.Nifti1Header) -> np.dtype:
    unknown = "has an unknown data type ({error}); expected numbers"
    with refusing(path, (HeaderDataError, KeyError), unknown):
        dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or dtype.names is not None:
        raise InputError(
            path, f"stores voxels as {dtype}; expected integers or real numbers of up to 64 bits"
        )
    return dtype


def _refuse_overclaim(path: Path, shape: tuple[int, int, int], dtype: np.dtype, offset: int) -> None:
    with reading(path):
        size = path.stat().st_size
        most = size * _MAX_EXPANSION if _is_gzip(path) else size
    claimed = offset + shape[0] * shape[1] * shape[2] * dtype.itemsize
    if claimed > most:
        raise InputError(
            path,
            f"claims {' x '.join(map(str, shape))} voxels, which {size} bytes cannot hold; it is cut off "
            "or its header is damaged",
        )
