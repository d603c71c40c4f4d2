"""What the parts of the system ask of a model version, whatever computes it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.severity.interval import InvolvementCalibration


class Segmenter(Protocol):
    """A model version at work; `chestct.inference.unet_segmenter.UNetSegmenter` is one."""

    @property
    def version(self) -> str:
        """Name of the model version."""
        ...

    @property
    def involvement_calibration(self) -> InvolvementCalibration | None:
        """What its card says of the interval of an involvement."""
        ...

    def segment(self, pixels: npt.NDArray[np.generic], intensity: Intensity) -> SlicePrediction:
        """What the model says of one (H, W) slice."""
        ...

    def segment_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        *,
        slices_apart_mm: float | None = None,
    ) -> list[SlicePrediction]:
        """What the model says of each (H, W) slice of a study, all at once."""
        ...

    def each_of_study(
        self,
        slices: Sequence[npt.NDArray[np.generic]],
        intensity: Intensity,
        *,
        slices_apart_mm: float | None = None,
    ) -> Iterator[SlicePrediction]:
        """The same, one slice after another."""
        ...
