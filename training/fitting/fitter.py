"""Which fit does the work: ours on one device, Lightning's on several."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from chestct.progress import OnProgress
from training.data.dataset import TrainingSample
from training.fitting.config import FitConfig
from training.fitting.fit import FitResult, fit


class Fitter(Protocol):
    """What `training.fitting.fit.fit` promises."""

    def __call__(
        self,
        samples: Sequence[TrainingSample],
        config: FitConfig,
        *,
        start_from: Path | None,
        work_dir: Path,
        on_progress: OnProgress = ...,
    ) -> FitResult:
        """Fits a network; see `training.fitting.fit.fit`."""
        ...


def fitter(devices: int) -> Fitter:
    """The fit for so many devices.

    Raises:
        SettingsError: several are asked for and Lightning is not installed, or fewer are there.
    """
    if devices == 1:
        return fit
    # Lightning takes seconds to load, and only several devices need it.
    from training.fitting.lightning_fit import LightningFit

    return LightningFit(devices)
