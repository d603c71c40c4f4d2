"""Which views of a slice the network is shown; their answers are averaged.

A slice alone gets two passes: the whole of it and its lungs, or, where the lungs fill the picture, the
picture and its mirror image. In a study one pass at the lungs is enough, since the slices beside it are
averaged in. Measured in docs/adr/0011-looks-and-thresholds.md.
"""

from dataclasses import dataclass

from chestct.errors import SettingsError


@dataclass(frozen=True)
class Views:
    """One or more views of a slice.

    Args:
        whole: the slice as it is.
        lung: the lungs alone, found by a low-resolution pass (a quarter of the usual pixels). Where they
            fill the picture, or hardly any lung is found, the whole slice is looked at in its place,
            and mirrored too where `whole` asks for it as well.
        flip: each view a second time, left and right exchanged.
    Raises:
        SettingsError: neither `whole` nor `lung`.
    """

    whole: bool = False
    lung: bool = True
    flip: bool = False

    def __post_init__(self) -> None:
        if not self.whole and not self.lung:
            raise SettingsError("the views are none; expected whole, lung or both")


SLICE_ALONE = Views(whole=True, lung=True)
SLICE_OF_STUDY = Views(whole=False, lung=True)
# Four passes: what `--tta` asks for.
THOROUGH = Views(whole=True, lung=True, flip=True)
