"""Which views of a slice the network is shown; their answers are averaged.

Measured with base-1 on patients that it was not fitted on, see docs/adr/0011-looks-and-thresholds.md:
a look at the lungs alone is worth a look at the whole slice and more, flips add little.
"""

from dataclasses import dataclass

from chestct.errors import SettingsError


@dataclass(frozen=True)
class Looks:
    """One or more views of a slice.

    Args:
        whole: the slice as it is.
        lung: the lungs alone, found at a glance (a look at an eighth of the usual pixels' cost or
            so). Where they fill the picture, or hardly any lung is found, the whole slice is looked
            at in its place.
        flip: each view a second time, left and right exchanged.
    Raises:
        SettingsError: neither `whole` nor `lung`.
    """

    whole: bool = False
    lung: bool = True
    flip: bool = False

    def __post_init__(self) -> None:
        if not self.whole and not self.lung:
            raise SettingsError("looks name no view; expected whole, lung or both")


# Four passes for one: what `--tta` asks for.
THOROUGH = Looks(whole=True, lung=True, flip=True)
