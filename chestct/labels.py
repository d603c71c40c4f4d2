"""The classes of a chest CT pixel, their names and the seed's colours."""

from enum import IntEnum, StrEnum


class Label(IntEnum):
    """Value of a pixel in a label map. The order is a file contract, never change it."""

    BACKGROUND = 0
    GROUND_GLASS = 1
    CONSOLIDATION = 2
    LUNG = 3


LESIONS = (Label.GROUND_GLASS, Label.CONSOLIDATION)

# The names that Label Studio's brush labels and choices carry (contract with scripts outside).
BRUSH_LABEL_NAMES = {
    Label.GROUND_GLASS: "Ground glass",
    Label.CONSOLIDATION: "Consolidation",
    Label.LUNG: "Lung",
}

# 42-EPOCHS drew ground-glass yellow and consolidation red; readers of that tool know them so.
COLOURS_RGB = {
    Label.GROUND_GLASS: (255, 221, 0),
    Label.CONSOLIDATION: (230, 30, 30),
    Label.LUNG: (70, 130, 220),
}


class SeverityGrade(StrEnum):
    """Grade of a whole study, never of a slice.

    Source: MosMedData README; Morozov et al. 2020, arXiv 2005.06465.
    """

    CT_0 = "CT-0"
    CT_1 = "CT-1"
    CT_2 = "CT-2"
    CT_3 = "CT-3"
    CT_4 = "CT-4"


class Split(StrEnum):
    """Which side of the frozen line a patient stands on; assigned once, never changed."""

    TRAIN = "train"
    TEST = "test"
