"""Scores of a model by patient, with intervals, and its temperature."""

from training.evaluate.scores import UnitSegmenter as UnitSegmenter
from training.evaluate.scores import by_source as by_source
from training.evaluate.scores import score_patients as score_patients
from training.evaluate.scores import score_slices as score_slices
from training.evaluate.summary import summarise as summarise
from training.evaluate.temperature import calibrate as calibrate
from training.evaluate.temperature import fit_temperature as fit_temperature
