"""Lesions of one slice grown into the lung of another: more ways in which disease can look.

Few sources tell ground-glass from consolidation, and those that do label no lung. A lesion carried
from one into a lung that is labelled gives a slice where both are known.

Source: cutting and pasting lesions as in Zhang et al. 2021 (CarveMix, arXiv 2108.06883), here with the
donor's grey levels mapped onto the receiver's.
"""

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from chestct.labels import Label
from chestct.partial_labels import bits

Picture = npt.NDArray[np.float32]
PartialLabels = npt.NDArray[np.uint8]

# A lesion of fewer pixels carries no texture; a lung of fewer has no room.
_SMALLEST_LESION, _SMALLEST_LUNG = 40, 400
_SCALE, _ANGLE_DEGREES = (0.75, 1.3), 30.0
# Levels that two pictures share: aerated lung near the lesion, soft tissue of the picture.
_LUNG_QUANTILE, _TISSUE_QUANTILE, _SMALLEST_CONTRAST = 0.2, 0.92, 0.15
_RING_PIXELS = 5
_OUTSIDE = bits(Label.BACKGROUND, Label.LUNG)


def known_lung(partial_labels: PartialLabels) -> npt.NDArray[np.bool_]:
    """Pixels that are lung for sure, lesions included."""
    return ((partial_labels & bits(Label.BACKGROUND)) == 0) & (partial_labels != 0)


def has_room(partial_labels: PartialLabels) -> bool:
    """True where a lesion can be set into the slice: enough of its healthy lung is labelled."""
    return int((partial_labels == bits(Label.LUNG)).sum()) >= _SMALLEST_LUNG


def transplanted(
    image: Picture, partial_labels: PartialLabels, donor_image: Picture, donor: PartialLabels, seed: int
) -> tuple[Picture, PartialLabels]:
    """The slice with one more lesion, turned and scaled at random, clipped to its lung.

    Args:
        image, donor_image: float32 in [0, 1].
        partial_labels, donor: uint8 of their shapes.
        seed: of the choice of lesion, place, scale and turn.
    Returns:
        New arrays; the given ones where the donor shows no lesion, the slice no room, or the two
        pictures share no contrast.
    """
    rng = np.random.default_rng(seed)
    lesions: npt.NDArray[np.int32]
    lesions, count = ndimage.label((donor != 0) & ((donor & _OUTSIDE) == 0))  # pyright: ignore[reportGeneralTypeIssues, reportAssignmentType]
    areas = np.bincount(lesions.ravel(), minlength=count + 1)
    areas[0] = 0
    large = np.flatnonzero(areas >= _SMALLEST_LESION)
    if not len(large) or not has_room(partial_labels):
        return image, partial_labels
    chosen = lesions == large[rng.integers(len(large))]
    lung = known_lung(partial_labels)
    mapping = _grey_mapping(image, lung, donor_image, chosen)
    if mapping is None:
        return image, partial_labels
    gain, shift = mapping
    matrix = _placement(chosen, donor, lung, rng)
    size = (image.shape[1], image.shape[0])
    share = cv2.warpAffine(chosen.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    share = cv2.GaussianBlur(share, (5, 5), 1.0) * lung
    grey = cv2.warpAffine(
        donor_image * gain + shift, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    kinds = np.asarray(cv2.warpAffine(donor, matrix, size, flags=cv2.INTER_NEAREST), np.uint8)
    inside = (share > 0.5) & ((kinds & _OUTSIDE) == 0) & (kinds != 0)
    mixed = np.clip(image + share * (grey - image), 0.0, 1.0).astype(np.float32)
    return mixed, np.where(inside, kinds, partial_labels).astype(np.uint8)


def _grey_mapping(
    image: Picture, lung: npt.NDArray[np.bool_], donor_image: Picture, lesion: npt.NDArray[np.bool_]
) -> tuple[float, float] | None:
    """Gain and shift that carry the donor's lung and tissue levels onto the slice's."""
    ring = ndimage.binary_dilation(lesion, iterations=_RING_PIXELS) & ~lesion
    if not ring.any():
        return None
    levels = []
    for picture, near in ((donor_image, ring), (image, lung)):
        low, high = np.quantile(picture[near], _LUNG_QUANTILE), np.quantile(picture, _TISSUE_QUANTILE)
        if high - low < _SMALLEST_CONTRAST:
            return None
        levels.append((float(low), float(high)))
    (donor_low, donor_high), (low, high) = levels
    gain = (high - low) / (donor_high - donor_low)
    return gain, low - gain * donor_low


def _placement(
    lesion: npt.NDArray[np.bool_],
    donor: PartialLabels,
    lung: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """(2, 3) matrix that sets the lesion's centre onto a random lung pixel, lungs' widths matched."""
    rows, columns = np.nonzero(lung)
    place = rng.integers(len(rows))
    donor_lung = (donor == bits(Label.LUNG)).any(axis=0)
    # Where the donor's lungs are not labelled the picture is a crop to them (MedSeg).
    donor_width = np.ptp(np.flatnonzero(donor_lung)) + 1 if donor_lung.any() else donor.shape[1]
    scale = (np.ptp(columns) + 1) / donor_width * rng.uniform(*_SCALE)
    own_rows, own_columns = np.nonzero(lesion)
    centre_row, centre_column = float(own_rows.mean()), float(own_columns.mean())
    angle = rng.uniform(-_ANGLE_DEGREES, _ANGLE_DEGREES)
    matrix = np.asarray(cv2.getRotationMatrix2D((centre_column, centre_row), angle, float(scale)), np.float64)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1.0, 0.0, 2 * centre_column], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    matrix[:, 2] += (columns[place] - centre_column, rows[place] - centre_row)
    return matrix
