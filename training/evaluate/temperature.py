"""The one temperature that makes a model's probabilities honest."""

from collections.abc import Iterable

import numpy as np
from scipy.optimize import minimize_scalar

from chestct.labels import Label
from chestct.partial_labels import may_be_lung, told_apart
from training.data.dataset import TrainingSample
from training.evaluate.reliability import Reliability, at_temperature, judged, negative_log_likelihood
from training.evaluate.scores import UnitSegmenter

_PIXELS_A_SLICE = 500


def calibrate(
    segmenter: UnitSegmenter, samples: Iterable[TrainingSample], seed: int = 42
) -> dict[str, float | int]:
    """The one temperature that makes labelled lung pixels most likely, and what it changes.

    Args:
        segmenter: with temperature 1.
        samples: labelled slices that the model was not fitted on; each weighs the same.
    Returns:
        `temperature` in [0.25, 4] (1 where no pixel is labelled), `slices`, and where there are
        any `nll_before` and `nll_after`, the mean negative log-likelihood of their lung pixels, and
        `ece_before` and `ece_after`, their expected calibration error (see `training.evaluate.reliability`).
    Source: Guo et al. 2017, arXiv 1706.04599.
    """
    rng = np.random.default_rng(seed)
    probabilities, labels_of_slices, groups = [], [], []
    for sample in samples:
        partial_labels = sample.partial_labels.ravel()
        chosen = rng.permutation(np.flatnonzero(may_be_lung(partial_labels)))[:_PIXELS_A_SLICE]
        if len(chosen):
            seen = segmenter.unit_probabilities(sample.image).reshape(len(Label), -1)
            probabilities.append(seen[:, chosen])
            labels_of_slices.append(partial_labels[chosen])
            groups.append(told_apart(partial_labels))
    if not labels_of_slices:
        return {"temperature": 1.0, "slices": 0}
    pooled, labels = np.concatenate(probabilities, axis=1), np.concatenate(labels_of_slices)

    def mean_nll(log_temperature: float) -> float:
        scaled = at_temperature(pooled, float(np.exp(log_temperature)))
        return float(negative_log_likelihood(scaled[:, None], labels[None]).mean())

    def calibration_error(temperature: float) -> float:
        by_slice = (
            judged(at_temperature(seen, temperature), labels, apart)
            for seen, labels, apart in zip(probabilities, labels_of_slices, groups, strict=True)
        )
        return sum(by_slice, start=Reliability()).error() or 0.0

    minimum = minimize_scalar(mean_nll, bounds=(np.log(0.25), np.log(4.0)), method="bounded")
    temperature = float(np.exp(minimum.x))
    return {
        "temperature": round(temperature, 4),
        "slices": len(labels_of_slices),
        "nll_before": round(mean_nll(0.0), 4),
        "nll_after": round(mean_nll(minimum.x), 4),
        "ece_before": round(calibration_error(1.0), 4),
        "ece_after": round(calibration_error(temperature), 4),
    }


def fit_temperature(segmenter: UnitSegmenter, samples: Iterable[TrainingSample], seed: int = 42) -> float:
    """The temperature of `calibrate` alone."""
    return float(calibrate(segmenter, samples, seed)["temperature"])
