"""Writes slices and masks as Kaggle's `covid-segmentation` keeps them.

Two files a group: `images_<group>.npy` (N, H, W, 1) and `masks_<group>.npy` (N, H, W, 4) uint8. Slices
are appended one at a time, so a data set never has to fit in memory.

Source: Kaggle `covid-segmentation`, its data page.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.files import writing
from chestct.formats.kaggle import CHANNELS


def one_hot(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(..., H, W) uint8 values of Label to (..., H, W, 4): exactly one channel of a pixel is 1."""
    return np.stack([label_map == label for label in CHANNELS], axis=-1).astype(np.uint8)


class GrowingArray:
    """A .npy file that grows along its first axis and is whole after `close`.

    Args:
        path: the file to make.
        item_shape, dtype: of one item.
    """

    def __init__(self, path: Path, item_shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.path = path
        self._item_shape, self._dtype = item_shape, np.dtype(dtype)
        self._count = 0
        with writing(path):
            self._file = path.open("wb")
        self._write_header()
        self._header_bytes = self._file.tell()

    def append(self, item: npt.NDArray[np.generic]) -> None:
        """Adds one item.

        Raises:
            InputError: of another shape or type than the first.
        """
        if item.shape != self._item_shape or item.dtype != self._dtype:
            raise InputError(
                self.path,
                f"holds {self._dtype} of {self._item_shape}, but {item.dtype} of {item.shape} came",
            )
        with writing(self.path):
            self._file.write(np.ascontiguousarray(item).tobytes())
        self._count += 1

    def close(self) -> None:
        """Writes the final count into the header; again does nothing."""
        if self._file.closed:
            return
        with writing(self.path), self._file:
            self._file.seek(0)
            self._write_header()
            if self._file.tell() != self._header_bytes:
                raise InputError(self.path, f"cannot count {self._count} items in its header")

    def _write_header(self) -> None:
        # NumPy pads the header so that the first axis may grow to 21 digits in place.
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._count, *self._item_shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


class KaggleArrays:
    """Images and masks of slices of one size.

    Args:
        folder: where the two files are made.
        group: their names' ending ("512x512_hu").
        shape: (H, W) of every slice.
        dtype: of the image: int16 HU or uint8 grey levels.
    """

    def __init__(self, folder: Path, group: str, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        self._images = GrowingArray(folder / f"images_{group}.npy", (*shape, 1), dtype)
        self._masks = GrowingArray(folder / f"masks_{group}.npy", (*shape, len(CHANNELS)), np.uint8)

    @property
    def names(self) -> tuple[str, str]:
        """File names of images and masks."""
        return self._images.path.name, self._masks.path.name

    def append(self, pixels: npt.NDArray[np.generic], label_map: npt.NDArray[np.uint8]) -> None:
        """Adds one slice: (H, W) pixels and (H, W) uint8 values of Label."""
        self._images.append(pixels[..., None])
        self._masks.append(one_hot(label_map))

    def close(self) -> None:
        """Makes both files whole."""
        self._images.close()
        self._masks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
