"""COCO's run-length code of a mask: counts down the columns, and the text that packs them.

Source: pycocotools, common/maskApi.c (rleEncode, rleToString), which is the oracle of the tests.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_VALUE_BITS, _SIGN, _MORE, _FIRST_CHARACTER = 5, 0x10, 0x20, 48


def counts(part: npt.NDArray[np.bool_], top: int, left: int, shape: tuple[int, int]) -> list[int]:
    """Lengths of runs of 0, 1, 0, ... down the columns; the first is 0 where the first pixel is set.

    Args:
        part: (h, w) boolean, all that is set of the mask; the rest of it is never built.
        top, left: where the part lies.
        shape: (H, W) of the whole mask.
    """
    height, width = shape
    columns, rows = np.nonzero(part.T)
    positions = (columns + left) * height + rows + top
    if positions.size == 0:
        return [height * width]
    gaps = np.flatnonzero(np.diff(positions) > 1)
    starts = positions[np.concatenate([[0], gaps + 1])]
    ends = positions[np.concatenate([gaps, [positions.size - 1]])] + 1
    borders = np.stack([starts, ends], axis=1).ravel()
    lengths = np.diff(np.concatenate([[0], borders, [height * width]])).tolist()
    # A mask that ends with ones has no last run of zeros.
    return lengths if lengths[-1] else lengths[:-1]


def packed(run_lengths: Sequence[int]) -> str:
    """Counts as text: from the fourth on the difference to the one two before, 5 bits a character."""
    characters = []
    for index, length in enumerate(run_lengths):
        rest = length - run_lengths[index - 2] if index > 2 else length
        more = True
        while more:
            bits = rest & 0x1F
            rest >>= _VALUE_BITS
            more = rest != (-1 if bits & _SIGN else 0)
            characters.append(chr((bits | (_MORE if more else 0)) + _FIRST_CHARACTER))
    return "".join(characters)


def rle(part: npt.NDArray[np.bool_], top: int, left: int, shape: tuple[int, int]) -> dict[str, object]:
    """What a COCO annotation holds as `segmentation`: `size` [H, W] and the packed `counts`; see `counts`."""
    return {"size": list(shape), "counts": packed(counts(part, top, left, shape))}
