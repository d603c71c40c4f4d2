"""Partial labels: per pixel, the set of classes that the truth may be.

No source labels everything: MosMedData's masks say "lesion, kind unknown", MedSeg's leave lungs
unlabelled, a reader's correction says nothing of the lung. A candidate map keeps exactly what is
known: a uint8 per pixel whose bit `k` is set where class `k` is possible. One set bit is a full
label, all four bits mean that nobody has looked.
"""

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.labels import LESIONS, Label

UNKNOWN = np.uint8(0b1111)


def bits(*labels: Label) -> np.uint8:
    """Candidate value of a pixel that is one of `labels`."""
    return np.uint8(sum(1 << int(label) for label in labels))


LESION_KIND_UNKNOWN = bits(*LESIONS)
NOT_LESION = bits(Label.BACKGROUND, Label.LUNG)


def from_label_map(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Full knowledge: each pixel is exactly the class that the label map names.

    Args:
        label_map: (..., H, W) uint8, values of Label.
    Returns:
        Candidates of the same shape, uint8, one bit set per pixel.
    """
    return np.left_shift(np.uint8(1), label_map).astype(np.uint8)


def from_lesion_label_map(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A reader's lesions with lungs unsaid: other pixels are background or lung.

    Args:
        label_map: (..., H, W) uint8; lung pixels, if any, are kept as known lung.
    """
    partial_labels = from_label_map(label_map)
    partial_labels[label_map == Label.BACKGROUND] = NOT_LESION
    return partial_labels


def from_lesions_in_lungs(
    label_map: npt.NDArray[np.uint8], lungs: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """A reader's lesions, and somebody else's lungs for the pixels that the reader left free.

    Args:
        label_map: (..., H, W) uint8; what is not background in it counts as it stands.
        lungs: boolean of the same shape, lesions inside the lung included.
    """
    partial_labels = from_label_map(label_map)
    return np.where((label_map == Label.BACKGROUND) & lungs, bits(Label.LUNG), partial_labels).astype(
        np.uint8
    )


def from_lungs_of(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """What a label map says of lungs alone: inside them any class but background is possible.

    Args:
        label_map: (..., H, W) uint8, lungs known.
    """
    inside = bits(Label.LUNG, *LESIONS)
    return np.where(label_map == Label.BACKGROUND, bits(Label.BACKGROUND), inside).astype(np.uint8)


def without_lungs(partial_labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The same with lungs unsaid: what is known to be lung or background is one of the two."""
    known = (partial_labels == bits(Label.LUNG)) | (partial_labels == bits(Label.BACKGROUND))
    return np.where(known, NOT_LESION, partial_labels).astype(np.uint8)


def from_given_label_map(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A label map made elsewhere: full knowledge where it names lung at all, else lesions only.

    A map without any lung comes from somebody who drew lesions; taking its zeros for background
    would teach that healthy lung is not lung.
    """
    return from_label_map(label_map) if (label_map == Label.LUNG).any() else from_lesion_label_map(label_map)


def from_masks(lesion: npt.NDArray[np.bool_], lung: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.uint8]:
    """Binary masks whose lesion kind is unknown (MosMedData, COVID-19-CT-Seg).

    Args:
        lesion: (..., H, W) boolean.
        lung: the same shape, lesions inside the lung included; None where lungs are unlabelled.
    """
    if lung is None:
        return np.where(lesion, LESION_KIND_UNKNOWN, NOT_LESION).astype(np.uint8)
    if lung.shape != lesion.shape:
        raise InputError(
            "lung mask", f"has the shape {lung.shape}, the lesion mask {lesion.shape}; they must agree"
        )
    healthy = np.where(lung, bits(Label.LUNG), bits(Label.BACKGROUND))
    return np.where(lesion, LESION_KIND_UNKNOWN, healthy).astype(np.uint8)


def membership(
    partial_labels: npt.NDArray[np.uint8], group: tuple[Label, ...]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """What is known of each pixel's being in a group of classes.

    Returns:
        `inside`, `decided`: booleans of the map's shape; `inside` is meaningful where `decided`.
    """
    group_bits = bits(*group)
    may_be_inside = (partial_labels & group_bits) != 0
    may_be_outside = (partial_labels & ~group_bits & UNKNOWN) != 0
    return may_be_inside & ~may_be_outside, may_be_inside ^ may_be_outside


def truth_of(
    partial_labels: npt.NDArray[np.uint8], group: tuple[Label, ...]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
    """What a slice's labels say of a group of classes, where they say it of every pixel looked at.

    Returns:
        `truth`, `looked_at`: booleans of the map's shape, `truth` only where `looked_at`. None where
        a pixel that was looked at leaves the group open, or none was looked at.
    """
    inside, decided = membership(partial_labels, group)
    looked_at = partial_labels != UNKNOWN
    if not looked_at.any() or not decided[looked_at].all():
        return None
    return inside & looked_at, looked_at


def may_be_lung(partial_labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Pixels that somebody looked at and that are not surely background."""
    return (partial_labels != UNKNOWN) & (partial_labels != bits(Label.BACKGROUND))


def told_apart(partial_labels: npt.NDArray[np.uint8]) -> tuple[tuple[Label, ...], ...]:
    """The finest groups of classes that these labels can tell apart.

    Classes that share some pixel's candidates fall into one group, and so do those that no pixel
    names. COVID-19-CT-Seg tells apart lesion, lung and background; MedSeg the two kinds of lesion
    and "background or lung".

    Args:
        candidates: (...) uint8.
    Returns:
        Groups that cover every class once, in the order of their first class.
    """
    group_of = {label: {label} for label in Label}
    seen = [int(value) for value in np.unique(partial_labels) if value != UNKNOWN]
    named = sum(1 << label for label in Label if any(value >> label & 1 for value in seen))
    for value in (*seen, int(UNKNOWN) & ~named):
        joined = set().union(*(group_of[label] for label in Label if value >> label & 1))
        for label in joined:
            group_of[label] = joined
    return tuple(tuple(sorted(group_of[label])) for label in Label if label == min(group_of[label]))
