"""Scores of a model by patient, with intervals, and its temperature."""

from training.evaluate.reliability import negative_log_likelihood
from training.evaluate.scores import UnitSegmenter, by_source, score_patients
from training.evaluate.summary import summarise
from training.evaluate.temperature import calibrate, fit_temperature

__all__ = [
    "UnitSegmenter",
    "by_source",
    "calibrate",
    "fit_temperature",
    "negative_log_likelihood",
    "score_patients",
    "summarise",
]
