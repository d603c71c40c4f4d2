"""What a reader's mask changes of a prediction, counted once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.labels import LESIONS, Label

# Calibrated entropy as a part of its maximum under which a model counts as sure: with four classes that
# is about 95 % for one of two.
SURE_BELOW = 0.15


@dataclass(frozen=True)
class Changes:
    """Pixels of one reading against what one model version found in the slice.

    Args:
        model_version: whose prediction it is compared with.
        ground_glass_added: ground-glass to the reader, something else to the model; the others alike.
        changed: pixels whose lesion class differs; lung and background count as one.
        lesion_before, lesion_after: pixels of either lesion class, of the model and of the reader.
        dice: of lesions as one class, in [0, 1]; 1 where neither side marks any: they agree.
        sure: changed pixels of which the model was sure; None where it left no picture of its uncertainty.
    """

    model_version: str
    ground_glass_added: int
    ground_glass_removed: int
    consolidation_added: int
    consolidation_removed: int
    changed: int
    lesion_before: int
    lesion_after: int
    dice: float
    sure: int | None = None

    def changed_of(self, label: Label) -> int:
        """Pixels that a lesion class gained and lost.

        Raises:
            InputError: not a lesion class.
        """
        if label is Label.GROUND_GLASS:
            return self.ground_glass_added + self.ground_glass_removed
        if label is Label.CONSOLIDATION:
            return self.consolidation_added + self.consolidation_removed
        raise InputError("class", f"is {label.name}; expected ground-glass or consolidation")


def changes_between(
    corrected: npt.NDArray[np.uint8],
    predicted: npt.NDArray[np.uint8],
    model_version: str,
    uncertainty: npt.NDArray[np.uint8] | None = None,
) -> Changes:
    """Counts what differs.

    Args:
        corrected, predicted: (H, W) uint8 label maps of one slice, the reader's and the model's.
        uncertainty: (h, w) uint8 at any size, calibrated entropy as a part of its maximum x 255.
    Raises:
        InputError: the two are of different shapes.
    """
    if corrected.shape != predicted.shape:
        raise InputError(
            "label maps", f"have the shapes {corrected.shape} and {predicted.shape}; expected one slice"
        )
    glass = corrected == Label.GROUND_GLASS, predicted == Label.GROUND_GLASS
    solid = corrected == Label.CONSOLIDATION, predicted == Label.CONSOLIDATION
    differs = (glass[0] != glass[1]) | (solid[0] != solid[1])
    after, before = (np.isin(side, LESIONS) for side in (corrected, predicted))
    dice = _dice(after, before)
    sure = None
    if uncertainty is not None:
        sure = int(np.count_nonzero(differs & _is_sure(uncertainty, differs.shape)))
    return Changes(
        model_version=model_version,
        ground_glass_added=int(np.count_nonzero(glass[0] & ~glass[1])),
        ground_glass_removed=int(np.count_nonzero(~glass[0] & glass[1])),
        consolidation_added=int(np.count_nonzero(solid[0] & ~solid[1])),
        consolidation_removed=int(np.count_nonzero(~solid[0] & solid[1])),
        changed=int(np.count_nonzero(differs)),
        lesion_before=int(np.count_nonzero(before)),
        lesion_after=int(np.count_nonzero(after)),
        dice=1.0 if dice is None else dice,
        sure=sure,
    )


def class_dice(
    first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], group: tuple[Label, ...]
) -> float | None:
    """Dice of a group of classes between two readers' label maps; None where neither marks it.

    Args:
        first, second: (H, W) uint8.
    """
    return _dice(np.isin(first, group), np.isin(second, group))


def _dice(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float | None:
    pixels = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 2 * int(np.count_nonzero(first & second)) / pixels if pixels else None


def _is_sure(uncertainty: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Nearest neighbour: between a sure and an unsure pixel nothing is half sure."""
    rows, columns = (
        (2 * np.arange(side) + 1) * small // (2 * side)
        for side, small in zip(shape, uncertainty.shape, strict=True)
    )
    return uncertainty[np.ix_(rows, columns)] < SURE_BELOW * 255
