"""Slices as a reader wants them drawn: classes, colours, opacity from a request's query; or uncertainty."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from chestct.intensity import as_picture
from chestct.labels import COLOURS_RGB, Label
from chestct.render.overlay import overlay
from chestct.render.uncertainty import uncertainty_picture
from ml_backend.page.scan.kept_study import Findings, KeptStudy, StudyFacts

_HEX = re.compile(r"[0-9a-fA-F]{6}")
CLASSES = (Label.GROUND_GLASS, Label.CONSOLIDATION, Label.LUNG)
DEFAULT_OPACITY = 0.4


@dataclass(frozen=True)
class Drawing:
    """What overlays show: RGB of each class that is shown, opacity of the fill in [0, 1]."""

    colours: Mapping[Label, tuple[int, int, int]] = field(default_factory=lambda: dict(COLOURS_RGB))
    opacity: float = DEFAULT_OPACITY

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> "Drawing":
        """The drawing that a link asks for; what cannot be understood is drawn as by default.

        Args:
            query: `show` ("1,3": values of Label), `colours` ("ffdd00,e61e1e,4682dc": ground-glass,
                consolidation, lung) and `opacity` ("40", in percent).
        """
        asked = dict(zip(CLASSES, query.get("colours", "").split(","), strict=False))
        colours = {
            label: _rgb(asked[label]) if _HEX.fullmatch(asked.get(label, "")) else COLOURS_RGB[label]
            for label in CLASSES
        }
        if "show" in query:
            labels = query["show"].split(",")
            colours = {label: colour for label, colour in colours.items() if str(int(label)) in labels}
        opacity = query.get("opacity", "")
        percent = int(opacity) if re.fullmatch(r"\d{1,3}", opacity) else round(100 * DEFAULT_OPACITY)
        return cls(colours, min(percent, 100) / 100)


def findings_over_slice(
    study: KeptStudy, facts: StudyFacts, index: int, drawing: Drawing
) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 picture of a slice with its findings."""
    picture = as_picture(study.pixels(index, facts), facts.intensity)
    return overlay(picture, study.labels(index, facts), drawing.colours, drawing.opacity)


def uncertainty_over_slice(
    study: KeptStudy, facts: StudyFacts, findings: Findings, index: int
) -> npt.NDArray[np.uint8] | None:
    """(H, W, 3) uint8 picture of a slice with the model's uncertainty; None where it tells none."""
    uncertainty = study.uncertainty(index, findings)
    if uncertainty is None:
        return None
    return uncertainty_picture(as_picture(study.pixels(index, facts), facts.intensity), uncertainty)


def hex_colour(colour: tuple[int, int, int]) -> str:
    """ "#ffdd00" of an RGB triple."""
    return f"#{bytes(colour).hex()}"


def _rgb(written: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(written)
    return red, green, blue
