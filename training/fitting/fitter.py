"""Which fit does the work: ours on one device, Lightning's on several."""

from collections.abc import Callable

from training.fitting.fit import FitResult, fit


def fitter(devices: int) -> Callable[..., FitResult]:
    """What fits on so many devices; called as `training.fitting.fit.fit` is.

    Raises:
        SettingsError: several are asked for and Lightning is not installed, or fewer are there.
    """
    if devices == 1:
        return fit
    # Lightning takes seconds to load, and only several devices need it.
    from training.fitting.lightning_fit import LightningFit

    return LightningFit(devices)
