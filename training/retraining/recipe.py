"""How a retrain fits: as many steps as the corrections carry, old data replayed, old weights averaged in.

What was tried and measured stands in docs/attempts.md.
"""

from collections.abc import Mapping

import torch

from training.data.phantom_samples import PHANTOM
from training.data.snapshot import Truth
from training.fitting.config import FitConfig

# Two of three slices that a step sees are the readers' corrections; the rest keeps what the champion knows.
# Shares are weights: one that has no slice leaves its part to the others.
SOURCE_SHARES: Mapping[str, float] = {
    Truth.CORRECTION.value: 0.65,
    Truth.REFERENCE.value: 0.35,
    Truth.DISTILLED.value: 0.25,
    PHANTOM: 0.1,
}
# Shares of the new weights in the average with the champion's, of which held-back slices choose one.
NEW_SHARES = (0.5, 1.0)
# At twice the rate of earlier releases 90 steps learn what 160 did.
_LEARNING_RATE = 4e-4
_FEWEST_STEPS, _MOST_STEPS = 60, 150
# Crossed fits are up to five beside the one that serves: shorter, so that 100 slices are retrained on within
# ten minutes by two cores. What they show is, if anything, less than the longer fit gains.
_MOST_CROSSED_STEPS = 70


def steps_for(slices: int, setting: int, *, crossed: bool = False) -> int:
    """Optimiser steps of a fit on so many corrected slices.

    Args:
        setting: what the administrator chose; 0 leaves it to the amount of data.
        crossed: whether the fit only shows what can be gained.
    """
    return setting or min(_MOST_CROSSED_STEPS if crossed else _MOST_STEPS, _FEWEST_STEPS + slices)


def fit_config(steps: int, input_size: int, seed: int) -> FitConfig:
    """The settings of one fit from the champion."""
    return FitConfig(
        steps=steps,
        input_size=input_size,
        early_size=input_size,
        learning_rate=_LEARNING_RATE,
        seed=seed,
        source_shares=SOURCE_SHARES,
    )


def averaged(
    old: Mapping[str, torch.Tensor], new: Mapping[str, torch.Tensor], new_share: float
) -> dict[str, torch.Tensor]:
    """The weighted mean of two state dicts of the same names; counters are the new one's.

    Args:
        new_share: weight of `new`, in [0, 1].
    Source: weight-space ensembles for robust fine-tuning (WiSE-FT), Wortsman et al. 2022, arXiv 2109.01903.
    """
    return {
        name: torch.lerp(old[name].float(), tensor.float(), new_share)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in new.items()
    }
