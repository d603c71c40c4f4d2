"""Slices to learn from that look like a test patient's: perhaps one person under two names."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from chestct.acquisition.fingerprint import thumbnail
from chestct.catalog import pixels
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.derived.fingerprints import fill_fingerprints
from chestct.errors import InputError, NotFoundError
from chestct.labels import Split
from training.data.snapshot import NearCopy

# Fingerprints alone would refuse many: of 978,262 pairs of slices of different patients 4,466 are within 4
# bits, 440 of 1,464 slices, while no pair correlates by more than 0.86 (docs/adr/0024).
NEAR_BITS, NEAR_CORRELATION = 4, 0.98
# 16 KiB each.
_THUMBNAILS_KEPT = 4_000


def near_copies(
    catalog: Catalog, used: Sequence[SliceRecord], frozen: Sequence[SliceRecord]
) -> dict[int, NearCopy]:
    """Which of the slices look like one of a test patient.

    Args:
        used: slices of training patients.
        frozen: all slices of test patients.
    Returns:
        Slice id -> what it looks like, in the order of the ids.
    """
    if not used or not frozen:
        return {}
    fill_fingerprints(catalog)
    of_test, of_train = catalog.slices.fingerprints(Split.TEST), catalog.slices.fingerprints(Split.TRAIN)
    test_bits = np.array([of_test.get(item.id, 0) for item in frozen], np.uint64)

    @lru_cache(_THUMBNAILS_KEPT)
    def small(picture_path: str) -> npt.NDArray[np.float32] | None:
        try:
            return thumbnail(pixels.from_png(catalog.storage.read_bytes(picture_path), picture_path))
        except (NotFoundError, InputError):
            return None  # the slice is set aside, or named, where its pixels are read

    def alike(item: SliceRecord, other: SliceRecord) -> bool:
        one, two = small(item.picture_path), small(other.picture_path)
        return one is not None and two is not None and float(one @ two) > NEAR_CORRELATION

    copies: dict[int, NearCopy] = {}
    for item in sorted(used, key=lambda item: item.id):
        bits = of_train.get(item.id, 0)
        if not bits:
            continue  # a picture without contrast looks like every other
        distances = np.bitwise_count(test_bits ^ np.uint64(bits))
        near = np.flatnonzero((distances <= NEAR_BITS) & (test_bits != 0))
        for row in near[np.argsort(distances[near], kind="stable")].tolist():
            if alike(item, frozen[row]):
                copies[item.id] = NearCopy(
                    item.study_name, item.index, frozen[row].study_name, frozen[row].index
                )
                break
    return copies
