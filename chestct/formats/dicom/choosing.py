"""Which objects are CT slices, and which of a study's series shows the lungs best.

The order of the choice, each step deciding only where those before it tie:
1. axial images before reformatted ones;
2. acquired images before derived ones (MIP, MPR, averages);
3. series that cover the chest: at least 80 % of the longest one's extent;
4. a lung (sharp) kernel before others;
5. more slices, which means thinner ones;
6. the lower series number.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, SecondaryCaptureImageStorage

from chestct.formats.dicom.header import Header
from chestct.formats.dicom.stack import Stack

_COVERS = 0.8
_CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage)
# Direction cosines are written with 3 to 6 digits.
_UNIT = 0.01
_NOT_ACQUIRED = frozenset(
    {"MIP", "MINIP", "MPR", "REFORMATTED", "AVERAGE", "PROJECTION IMAGE", "CPR", "VRT", "SSD"}
)
_NAMES_OF_KINDS = {
    "SR": "structured report", "PR": "presentation state", "KO": "key object note", "SEG": "segmentation",
    "DOC": "document", "RTSTRUCT": "contour set",
}  # fmt: skip
# GE and Canon say LUNG or BONE, Siemens numbers its kernels by sharpness (B60f, Bl57, I50f), Canon
# counts FC50 to FC59 and FC80 up as lung kernels, Philips writes single letters.
_SHARP_WORDS = re.compile("LUNG|BONE|EDGE|SHARP|ЛЕГК|ЛЁГК", re.IGNORECASE)
_SHARP_CODES = re.compile(
    r"^(FC(5\d|8\d)|[BHIQU][A-Z]?[5-9]\d[A-Z]?([ \\/].*)?|L|Y[A-D]|D|E)$", re.IGNORECASE
)


def why_no_slice(header: Header) -> str | None:
    """What the object is instead of a CT slice, in words to be counted; None for a slice."""
    if header.modality not in ("CT", ""):
        return _NAMES_OF_KINDS.get(header.modality, f"{header.modality} object")
    is_ct = header.sop_class in _CT_CLASSES
    if header.modality == "" and not is_ct and not header.has_rescale:
        name = header.sop_class.name if header.sop_class else "object of an unknown kind"
        return name.removesuffix(" Storage").lower()
    if "LOCALIZER" in header.image_type or "SCOUT" in header.image_type:
        return "localizer (scout)"
    if header.sop_class == SecondaryCaptureImageStorage or header.samples != 1:
        return "screenshot or dose sheet"
    if min(header.size) < 1:
        return "object without an image"
    if not has_place(header):
        return "image without position, orientation or pixel spacing"
    return None


def has_place(header: Header) -> bool:
    """Whether the tags say where each pixel lies: perpendicular unit vectors, a position, a spacing."""
    if header.orientation is None or header.position_mm is None or header.spacing_mm is None:
        return False
    turn = np.reshape(header.orientation, (2, 3))
    return bool(np.allclose(turn @ turn.T, np.eye(2), atol=_UNIT) and min(header.spacing_mm) > 0)


def is_sharp(header: Header) -> bool:
    """Whether the series was made for looking at lungs, by its kernel or its description."""
    return bool(
        _SHARP_WORDS.search(header.kernel)
        or _SHARP_CODES.match(header.kernel.strip())
        or _SHARP_WORDS.search(header.description)
    )


def best(stacks: Sequence[Stack]) -> Stack:
    """The series that shows the lungs best; see the module's order."""
    longest = max(stack.extent_mm for stack in stacks if stack.axial or not any(s.axial for s in stacks))

    def rank(stack: Stack) -> tuple[object, ...]:
        first = stack.headers[0]
        return (
            not stack.axial,
            bool(_NOT_ACQUIRED.intersection(first.image_type)),
            stack.extent_mm < _COVERS * longest,
            not is_sharp(first),
            -len(stack.headers),
            first.series_number,
            first.series_uid,
        )

    return min(stacks, key=rank)


def sentence_of_choice(chosen: Stack, stacks: Sequence[Stack]) -> str:
    """The choice in one sentence, without the free text of the tags, which may hold names."""
    others = "; ".join(_described(stack) for stack in stacks if stack is not chosen)
    return f"of {len(stacks)} CT series the lung series was chosen: {_described(chosen)}; left out: {others}"


def counted(kinds: Sequence[str]) -> str:
    """`2 x MR object, 1 x structured report`."""
    return ", ".join(f"{count} x {kind}" for kind, count in sorted(Counter(kinds).items()))


def _described(stack: Stack) -> str:
    first = stack.headers[0]
    way = "axial" if stack.axial else "not axial"
    sharpness = "lung kernel" if is_sharp(first) else "soft or unknown kernel"
    return (
        f"series {first.series_number} ({len(stack.headers)} {way} slices, {sharpness}"
        f"{f' {first.kernel}' if first.kernel else ''})"
    )
