"""What the values or names in a mask mean, and what is therefore known of each pixel.

A mask says only what its labels name. Value 0 is background where lung was drawn too; where only
lesions were drawn it is "background or lung"; where only lungs were drawn, the lung's pixels are
lung or any lesion. Nothing is filled in.
"""

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError, SettingsError
from chestct.labels import LESIONS, Label
from chestct.partial_labels import LESION_KIND_UNKNOWN, NOT_LESION, bits


class Target(IntEnum):
    """What a label of a foreign mask stands for; the first four are those of Label."""

    BACKGROUND = 0
    GROUND_GLASS = 1
    CONSOLIDATION = 2
    LUNG = 3
    LESION = 4  # ground-glass or consolidation, the mask does not say which


MaskLabels = Mapping[str, Target]

_NAMES = {
    "background": Target.BACKGROUND,
    "ground_glass": Target.GROUND_GLASS,
    "ggo": Target.GROUND_GLASS,
    "consolidation": Target.CONSOLIDATION,
    "lung": Target.LUNG,
    "lungs": Target.LUNG,
    "lesion": Target.LESION,
    "infection": Target.LESION,
}
_EXPECTED = "background, ground_glass, consolidation, lung or lesion (kind unknown)"
# The project's own label maps, for files whose names say "label".
LABEL_MAP: MaskLabels = {str(int(label)): Target(int(label)) for label in Label if label}
_LESION_TARGETS = (Target.GROUND_GLASS, Target.CONSOLIDATION, Target.LESION)
# What a binary mask holds beside 0; any other value may be one class of several.
_BINARY_VALUES = (1, 255)
_VALUES_TOLD = 8


def parse_mask_labels(text: str) -> MaskLabels:
    """`1=ground_glass,2=consolidation,GGO=ground_glass`: values of masks or names of brushes.

    Raises:
        SettingsError: not of this form, an unknown target, or one label given twice.
    """
    labels: dict[str, Target] = {}
    for pair in text.split(","):
        key, equals, name = pair.partition("=")
        target = target_named(name)
        if not equals or not key.strip() or target is None:
            raise SettingsError(
                f"--mask-labels holds {pair.strip()!r}; expected VALUE=NAME, the name one of {_EXPECTED}"
            )
        if normalised(key) in labels:
            raise SettingsError(f"--mask-labels gives {key.strip()!r} twice")
        labels[normalised(key)] = target
    return labels


def normalised(name: str) -> str:
    """`Ground glass`, `ground-glass` and `GROUND_GLASS` are one name."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def target_named(name: str) -> Target | None:
    """The target that a label's own name says."""
    return _NAMES.get(normalised(name))


def targets_of_values(
    path: Path, values: npt.NDArray[np.integer], labels: MaskLabels | None, *, is_label_map: bool
) -> npt.NDArray[np.uint8]:
    """(..., H, W) uint8 values of Target.

    Args:
        path: the mask, for messages.
        values: (..., H, W) whole numbers as the mask stores them.
        labels: what they mean; None where only the mask itself can tell.
        is_label_map: whether its name promises the project's own label map.
    Raises:
        InputError: a value that nothing explains.
    """
    numbers = [int(value) for value in np.unique(values)]
    if labels is None:
        others = [value for value in numbers if value]
        if is_label_map:
            labels = LABEL_MAP
        elif not others:
            # Somebody looked and drew nothing.
            labels = {"1": Target.LESION}
        elif len(others) == 1 and others[0] in _BINARY_VALUES:
            labels = {str(others[0]): Target.LESION}
        else:
            labels = {}
    unknown = [value for value in numbers if value and str(value) not in labels]
    if unknown:
        listed = ", ".join(map(str, numbers[:_VALUES_TOLD])) + (
            ", ..." if len(numbers) > _VALUES_TOLD else ""
        )
        raise InputError(
            path,
            f"holds the values {listed}, and nothing says what {unknown[0]} is; name each, for example "
            f'--mask-labels "{unknown[0]}=lesion"; a name is one of {_EXPECTED}',
        )
    targets = np.zeros(values.shape, np.uint8)
    for value in numbers:
        targets[values == value] = labels.get(str(value), Target.BACKGROUND)
    return targets


def partial_labels_of_targets(
    targets: npt.NDArray[np.uint8], named: frozenset[Target]
) -> npt.NDArray[np.uint8] | None:
    """What is known of each pixel; None where the mask says nothing.

    Args:
        targets: (..., H, W) uint8 values of Target, of one study or one slice.
        named: the targets that the mask's labels name, drawn here or not.
    """
    lesions_named = bool(named.intersection(_LESION_TARGETS))
    lung_drawn = bool((targets == Target.LUNG).any())
    if not lesions_named and not lung_drawn:
        return None
    partial_labels = np.full(targets.shape, bits(Label.BACKGROUND) if lung_drawn else NOT_LESION, np.uint8)
    partial_labels[targets == Target.LUNG] = bits(Label.LUNG) if lesions_named else bits(Label.LUNG, *LESIONS)
    partial_labels[targets == Target.GROUND_GLASS] = bits(Label.GROUND_GLASS)
    partial_labels[targets == Target.CONSOLIDATION] = bits(Label.CONSOLIDATION)
    partial_labels[targets == Target.LESION] = LESION_KIND_UNKNOWN
    return partial_labels
