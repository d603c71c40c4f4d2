"""Kaggle `covid-segmentation`: slices in HU as NumPy arrays, masks of four channels beside them.

    images_medseg.npy, images_radiopedia.npy, test_images_medseg.npy    (N, H, W) or (N, H, W, 1), HU
    masks_medseg.npy, masks_radiopedia.npy                              (N, H, W, 4), one-hot but not quite

Background is what no other channel claims, whatever channel 3 says; where others overlap the
denser finding wins, as in a reader's annotation: consolidation over ground-glass over lung.

Which slices are of one patient is not said, so all slices of a file, and of its `test_` file, count as
one patient: neighbours in one volume never come to stand on both sides of the train/test line.
Source: the competition's data page (kaggle.com/c/covid-segmentation).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from chestct import partial_labels
from chestct.errors import InputError
from chestct.files import reading, refusing
from chestct.formats.images import MIN_SIDE
from chestct.formats.nifti_stream import MAX_SIDE
from chestct.intensity import Intensity, as_hu
from chestct.labels import Label
from chestct.study import Study

# The largest file of the competition holds 829 slices.
MAX_SLICES = 20_000
# HU of a chest always go far below this; a picture of 8 bits and scaled numbers never do.
_NO_AIR_ABOVE_HU = -300
# Channel -> class: this order exists at the edges only, ours is that of Label. 42-EPOCHS, the student project
# this grew out of, was trained on it.
CHANNELS = (Label.GROUND_GLASS, Label.CONSOLIDATION, Label.LUNG, Label.BACKGROUND)
# The last one wins.
_PAINTED_IN_ORDER = (Label.LUNG, Label.GROUND_GLASS, Label.CONSOLIDATION)
_HEADER_BYTES = 4096
_MAGIC = b"\x93NUMPY"
# What numpy 2 raises for damaged or hostile headers, beside OSError.
_DAMAGED = (ValueError, TypeError, SyntaxError, EOFError, OverflowError, MemoryError)
_IMAGES = re.compile("images?", re.IGNORECASE)


class HuPlanes(Sequence[npt.NDArray[np.int16]]):
    """(H, W) int16 HU of an array on disk, each read when it is asked for.

    Args:
        source: the file, for messages.
        planes: (N, H, W) numbers, memory-mapped.
    """

    def __init__(self, source: Path, planes: npt.NDArray[np.generic]) -> None:
        self._source = source
        self._planes = planes

    def __len__(self) -> int:
        return len(self._planes)

    @overload
    def __getitem__(self, index: int) -> npt.NDArray[np.int16]: ...
    @overload
    def __getitem__(self, index: slice) -> "HuPlanes": ...
    def __getitem__(self, index: int | slice) -> "npt.NDArray[np.int16] | HuPlanes":
        if isinstance(index, slice):
            return HuPlanes(self._source, self._planes[index])
        plane = self._planes[index]
        if not np.isfinite(plane).all():
            raise InputError(
                self._source, f"holds NaN or infinite numbers in slice {index}; expected HU in each pixel"
            )
        return as_hu(plane)


class MaskPartialLabels(Mapping[int, npt.NDArray[np.uint8]]):
    """Slice index -> (H, W) partial labels of a mask array on disk.

    Args:
        channels: (N, H, W, 4), memory-mapped.
    """

    def __init__(self, channels: npt.NDArray[np.generic]) -> None:
        self._channels = channels

    def __len__(self) -> int:
        return len(self._channels)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._channels)))

    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]:
        if not 0 <= index < len(self._channels):
            raise KeyError(index)
        return partial_labels.from_given_label_map(label_map_of_channels(self._channels[index]))


def label_map_of_channels(channels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 values of Label of one (H, W, 4) mask."""
    label_map = np.zeros(channels.shape[:2], np.uint8)
    for label in _PAINTED_IN_ORDER:
        label_map[np.greater(channels[..., CHANNELS.index(label)], 0.5)] = label
    return label_map


def is_array_name(path: Path) -> bool:
    """Whether the name promises a NumPy array."""
    return path.name.lower().endswith(".npy")


def read_kaggle(path: Path) -> Study:
    """All slices of one array as a study; its masks, where they lie beside it, are reference labels.

    Raises:
        InputError: no array of HU slices, or masks that do not fit.
    """
    planes = _planes(path)
    notes = [
        "slices of an unknown number of patients: they count as one patient, so that none of them comes to "
        "stand on both sides of the train/test line"
    ]
    first = HuPlanes(path, planes)[0]
    if int(first.min()) > _NO_AIR_ABOVE_HU:
        notes.append(
            f"the darkest pixel of the first slice is {first.min()}; slices in HU hold air near -1000"
        )
    masks = path.with_name(name_of_masks(path.name))
    has_masks = masks != path and masks.is_file()
    return Study(
        name=path.stem,
        patient=f"kaggle-{_source_of(path.stem)}",
        slices=HuPlanes(path, planes),
        intensity=Intensity.HU,
        source=path,
        partial_labels=MaskPartialLabels(_channels(masks, planes.shape)) if has_masks else {},
        notes=tuple(notes),
    )


def name_of_masks(name: str) -> str:
    """`masks_medseg.npy` of `images_medseg.npy`."""
    return _IMAGES.sub("masks", name, count=1)


def _source_of(stem: str) -> str:
    """`medseg` of images_medseg and of test_images_medseg, which are slices of the same patients."""
    return _IMAGES.sub("", stem, count=1).removeprefix("test_").strip("_-") or stem


def read_mask_array(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    """(N, H, W, 4) masks, or (N, H, W) whole numbers of masks made elsewhere, memory-mapped.

    Args:
        path: the file.
        shape: (N, H, W) of the slices that they belong to.
    Raises:
        InputError: no such array.
    """
    array = _mapped(path)
    if array.shape == (*shape, 1):
        array = array[..., 0]
    if array.shape == shape and array.dtype.kind in "iub":
        return array
    if array.shape != (*shape, len(CHANNELS)):
        raise InputError(
            path, f"has the shape {array.shape}; expected {(*shape, len(CHANNELS))}, four channels a slice"
        )
    return array


def _channels(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    array = read_mask_array(path, shape)
    if array.ndim == len(shape):
        raise InputError(
            path, f"has the shape {array.shape}; expected {(*shape, len(CHANNELS))}, or give it with --masks"
        )
    return array


def _planes(path: Path) -> npt.NDArray[np.generic]:
    array = _mapped(path)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not 0 < len(array) <= MAX_SLICES:
        raise InputError(
            path, f"has the shape {array.shape}; expected (N, H, W) or (N, H, W, 1) slices in HU"
        )
    if min(array.shape[1:]) < MIN_SIDE or max(array.shape[1:]) > MAX_SIDE:
        height, width = array.shape[1:]
        raise InputError(
            path, f"holds slices of {width} x {height}; expected {MIN_SIDE} to {MAX_SIDE} a side"
        )
    return array


def _mapped(path: Path) -> npt.NDArray[np.generic]:
    """The array, on disk still; pickles are never opened and a header is held to the file's size."""
    with reading(path):
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
        if magic != _MAGIC:
            raise InputError(path, "is no NumPy array, whatever its name says; expected .npy")
        unsafe = "is no array that can be read safely ({error}); expected plain numbers, not cut off"
        with refusing(path, _DAMAGED, unsafe):
            array = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=_HEADER_BYTES)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise InputError(path, f"stores {array.dtype}; expected integers or real numbers of up to 64 bits")
    return array
