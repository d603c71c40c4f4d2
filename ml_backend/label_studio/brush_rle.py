"""Label Studio's brush RLE <-> boolean masks, without the RGBA image in between.

The format is thi-ng's `rle-pack`: a header (32 bits: number of values, 5 bits: word size - 1, four
times 4 bits: run size - 1) and then codes. A code is one bit (1: one value repeated, 0: values one
by one), two bits that choose a run size, the count - 1 in so many bits, and the value or values.
What is packed is the flattened H x W x 4 image; the mask is channel 3, 0 or 255.

Source: label_studio_sdk.converter.brush (Label Studio 1.23), which is the oracle of the tests.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError

# The browser's brush is anti-aliased: its edge holds every value between 0 and 255.
THRESHOLD = 127
_CHANNELS, _ALPHA = 4, 3
_HEADER_BITS = 32 + 5 + 4 * 4
_WORD_BITS = 8
# Run sizes in bits and, for each, the longest run that the SDK's encoder writes with it.
_RUN_BITS = np.array([3, 4, 8, 16], dtype=np.int64)
_LONGEST_RUN = 2**16


def encode(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Packs a mask exactly as the SDK's `mask2rle(mask * 255)` does, byte for byte.

    Args:
        mask: (H, W) boolean.
    Returns:
        Bytes as a list of ints in [0, 255], ready for JSON.
    """
    flat = np.ascontiguousarray(mask).reshape(-1)
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]), flat.size - 1)
    lengths = np.diff(ends, prepend=-1) * _CHANNELS
    values = flat[ends].astype(np.int64) * 255

    # Runs over 65,536 values are written as several, all with the widest run size.
    pieces = (lengths - 1) // _LONGEST_RUN + 1
    first = np.cumsum(pieces) - pieces
    piece_lengths = np.full(int(pieces.sum()), _LONGEST_RUN, dtype=np.int64)
    piece_lengths[first + pieces - 1] = lengths - (pieces - 1) * _LONGEST_RUN
    whole = np.repeat(lengths, pieces)
    chosen = np.digitize(whole, [8, 16, 256], right=True)
    run_bits = _RUN_BITS[chosen]

    words = (((0b100 | chosen) << run_bits) | (piece_lengths - 1)) << _WORD_BITS | np.repeat(values, pieces)
    words = np.concatenate([[flat.size * _CHANNELS, _WORD_BITS - 1], _RUN_BITS - 1, words])
    sizes = np.concatenate([[32, 5, 4, 4, 4, 4], 3 + run_bits + _WORD_BITS])
    return _packed(words, sizes)


def _packed(words: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> list[int]:
    """Words of so many bits each, one after the other, most significant bit first."""
    starts = np.cumsum(sizes) - sizes
    total = int(sizes.sum())
    bit_in_word = np.arange(total) - np.repeat(starts, sizes)
    bits = (np.repeat(words, sizes) >> (np.repeat(sizes, sizes) - 1 - bit_in_word)) & 1
    # The SDK pads with 8 zeros, not with none, where the last byte is full.
    padding = np.zeros(8 - total % 8, dtype=np.int64)
    return np.packbits(np.concatenate([bits, padding]).astype(np.uint8)).tolist()


def decode(rle: Sequence[int], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Channel 3 of what was packed, as the browser or the SDK packed it.

    Args:
        rle: bytes as ints in [0, 255].
        height, width: size of the picture that the mask belongs to, checked against the header
            before anything is allocated.
    Returns:
        (H, W) uint8 in [0, 255]; the mask is where it is above THRESHOLD.
    Raises:
        InputError: not bytes, of another size, cut short, or a run that leaves the picture.
    """
    try:
        data = bytes(rle)
    except (TypeError, ValueError) as error:
        raise InputError("brush RLE", "must be a list of whole numbers from 0 to 255") from error
    bit_count = len(data) * 8
    if bit_count < _HEADER_BITS:
        raise InputError("brush RLE", f"is cut short: {len(data)} bytes cannot hold its header of 7 bytes")
    header = int.from_bytes(data[:7], "big")
    count = header >> 24
    word_bits = (header >> 19 & 0b11111) + 1
    run_bits = [(header >> shift & 0b1111) + 1 for shift in (15, 11, 7, 3)]
    expected = height * width * _CHANNELS
    if count != expected:
        raise InputError(
            "brush RLE", f"holds {count} values, expected {width} x {height} x 4 = {expected} of this picture"
        )
    if word_bits != _WORD_BITS:
        raise InputError("brush RLE", f"has words of {word_bits} bits, expected {_WORD_BITS}")
    return _unpacked(data, bit_count, count, run_bits).reshape(height, width, _CHANNELS)[..., _ALPHA]


def _unpacked(data: bytes, bit_count: int, count: int, run_bits: list[int]) -> npt.NDArray[np.uint8]:
    values = np.zeros(count, dtype=np.uint8)
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    filled, position = 0, _HEADER_BITS
    while filled < count:
        # A code's head and one value take 3 + 16 + 8 bits at most: 5 bytes hold them wherever they begin.
        window = int.from_bytes(data[position >> 3 : (position >> 3) + 5].ljust(5, b"\0"), "big")
        ahead = 40 - (position & 7)
        size = run_bits[window >> (ahead - 3) & 0b11]
        run = (window >> (ahead - 3 - size) & ((1 << size) - 1)) + 1
        repeated = window >> (ahead - 1) & 1
        position += 3 + size
        after = position + (_WORD_BITS if repeated else run * _WORD_BITS)
        if after > bit_count:
            raise InputError("brush RLE", f"is cut short: {filled} of {count} values could be read")
        if filled + run > count:
            raise InputError(
                "brush RLE", f"has a run of {run} at value {filled} of {count}: it leaves the picture"
            )
        if repeated:
            values[filled : filled + run] = window >> (ahead - 3 - size - _WORD_BITS) & 0xFF
        else:
            values[filled : filled + run] = np.packbits(bits[position:after])
        filled += run
        position = after
    return values


def decode_mask(rle: Sequence[int], height: int, width: int) -> npt.NDArray[np.bool_]:
    """(H, W) boolean mask of what a reader sees as painted; see `decode`."""
    return decode(rle, height, width) > THRESHOLD
