"""COCO's run-length code of a mask: counts down the columns, and the text that packs them.

Source: pycocotools, common/maskApi.c (rleEncode, rleToString), which is the oracle of the tests.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_VALUE_BITS, _SIGN, _MORE, _FIRST_CHARACTER = 5, 0x10, 0x20, 48


def counts(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Lengths of runs of 0, 1, 0, ... in column order; the first is 0 where the first pixel is set.

    Args:
        mask: (H, W) boolean.
    """
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


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


def rle(mask: npt.NDArray[np.bool_]) -> dict[str, object]:
    """What a COCO annotation holds as `segmentation`: `size` [H, W] and the packed `counts`."""
    height, width = mask.shape
    return {"size": [height, width], "counts": packed(counts(mask))}
