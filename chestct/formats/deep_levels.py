"""What pictures of more than 8 bits mean: HU in one of four ways of storing, or grey levels.

A PNG or TIFF does not say what its numbers are, so their distribution decides, over all pictures of
a study at once, and the user is told. A chest CT in HU holds air or lung (-1024 to -700 HU) and soft
tissue (-100 to 200 HU), each in at least 1 % of the pixels, and hardly anything above 1500 HU, where
a picture that was windowed for display holds much of its white.

1. numbers below 0: HU as they stand;
2. HU + 1024, HU + 32768, or 16-bit two's complement read as positive: HU less that offset;
3. anything else: grey levels of an unknown window, darkest to brightest stretched to 8 bits.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chestct.intensity import Intensity, as_hu

_AIR_HU, _TISSUE_HU, _BONE_HU = (-1124, -700), (-100, 200), 1500
_ENOUGH = 0.01
_OFFSETS = {1024: "HU + 1024", 32768: "HU + 32768"}
_WRAPS_AT, _WRAP = 2**15, 2**16

Levels = npt.NDArray[np.generic]


def decided(pages: Sequence[Levels]) -> tuple[list[Levels], Intensity, str]:
    """Pixels that a study can hold, what they mean, and a sentence that says what was assumed.

    Args:
        pages: (H, W) arrays of one study, numbers as stored.
    Returns:
        int16 HU or uint8 grey levels of the same shapes.
    """
    lowest = min(float(page.min()) for page in pages)
    highest = max(float(page.max()) for page in pages)
    levels = f"numbers from {lowest:g} to {highest:g}"
    if lowest < 0:
        return [as_hu(page) for page in pages], Intensity.HU, f"{levels}: taken as HU, since some lie below 0"
    numbers = [page.astype(np.float32) for page in pages]
    for offset, name in _OFFSETS.items():
        if _looks_like_hu([page - offset for page in numbers]):
            return [as_hu(page - offset) for page in numbers], Intensity.HU, f"{levels}: taken as {name}"
    wrapped = [np.where(page >= _WRAPS_AT, page - _WRAP, page) for page in numbers]
    if highest >= _WRAPS_AT and _looks_like_hu(wrapped):
        return (
            [as_hu(page) for page in wrapped],
            Intensity.HU,
            f"{levels}: taken as HU of 16 bits with a sign (those above {_WRAPS_AT} are negative)",
        )
    scale = 255 / max(highest - lowest, 1e-9)
    grey: list[Levels] = [np.rint((page - lowest) * scale).astype(np.uint8) for page in numbers]
    return (
        grey,
        Intensity.PICTURE,
        f"{levels}, not distributed like HU: taken as grey levels of an unknown window; give NIfTI or DICOM "
        "where HU matter",
    )


def _looks_like_hu(pages: Sequence[npt.NDArray[np.float32]]) -> bool:
    total = sum(page.size for page in pages)

    def fraction(low: float, high: float) -> float:
        return sum(int(np.count_nonzero((page >= low) & (page <= high))) for page in pages) / total

    return (
        fraction(*_AIR_HU) >= _ENOUGH
        and fraction(*_TISSUE_HU) >= _ENOUGH
        and fraction(_BONE_HU, np.inf) < _ENOUGH
    )
