"""Evidence is of slices that the fit has not seen, at an average that other slices chose."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from retrain_stand_in import BLIND, GOOD, SIZE, ThresholdSegmenter, ThresholdTrainer

from chestct import partial_labels
from chestct.labels import Label
from chestct.model.card import ModelCard
from chestct.progress import unheard
from training.data.dataset import TrainingSample
from training.data.snapshot_samples import CorrectedSlice
from training.retraining.crossing import Crossing, best_share
from training.retraining.folds import patient_folds, slice_folds
from training.retraining.recipe import NEW_SHARES, averaged, fit_config, steps_for


class RememberingTrainer(ThresholdTrainer):
    """Knows what every fit saw."""

    def __init__(self, found: float = GOOD) -> None:
        super().__init__(found)
        self.seen: list[set[str]] = []

    def fit(self, samples: Sequence[TrainingSample], *arguments: Any) -> Any:
        self.seen.append({sample.name for sample in samples})
        return super().fit(samples, *arguments)


def _corrected(patient: str, index: int, lesion: bool = True) -> CorrectedSlice:
    picture = np.full((SIZE, SIZE), 0.2, np.float32)
    label_map = np.zeros((SIZE, SIZE), np.uint8)
    if lesion:
        picture[10:30, 10:30] = 0.6
        label_map[10:30, 10:30] = Label.GROUND_GLASS
    known = partial_labels.from_lesion_label_map(label_map)
    sample = TrainingSample(picture, known, "correction", patient, f"{patient} {index}")
    return CorrectedSlice(f"study of {patient}", index, sample)


def _crossing(trainer: ThresholdTrainer, corrected: Sequence[CorrectedSlice], work_dir: Path) -> Crossing:
    card = ModelCard(version="base-1", architecture="threshold", input_size=64, data_licence="none")
    return Crossing(
        trainer,
        (card, {"threshold": torch.tensor([BLIND])}),
        ThresholdSegmenter(BLIND),
        corrected,
        [],
        lambda slices: fit_config(steps_for(slices, 0), 64, 1),
        work_dir,
        work_dir,
    )


def test_every_slice_and_every_patient_is_scored_by_a_fit_that_has_not_seen_it(tmp_path: Path) -> None:
    corrected = [_corrected(patient, index) for patient in "abc" for index in range(8)]
    trainer = RememberingTrainer()
    evidence = _crossing(trainer, corrected, tmp_path).evidence(of_patients=True, on_progress=unheard)
    assert len(trainer.seen) == 2 + 3
    by_slice, by_patient = trainer.seen[:2], trainer.seen[2:]
    for item in corrected:
        assert sum(item.sample.name not in seen for seen in by_slice) == 1
        assert sum(item.sample.name not in seen for seen in by_patient) == 1
    for seen in by_patient:
        assert len({name.split()[0] for name in seen}) == 2, "a patient is held back whole"
    assert sorted((pair.study, pair.index) for pair in evidence.slices) == sorted(
        (item.study, item.index) for item in corrected
    )
    assert [before.patient for before, _ in evidence.patients] == ["a", "b", "c"]
    assert all(
        (pair.champion.lesion_dice, pair.challenger.lesion_dice) == (0.0, 1.0) for pair in evidence.slices
    )


@pytest.mark.parametrize(("found", "slices"), [(BLIND, 8), (GOOD, 7)])
def test_patients_are_not_crossed_where_slices_gain_nothing_or_are_few(
    tmp_path: Path, found: float, slices: int
) -> None:
    corrected = [_corrected(patient, index) for patient in "abc" for index in range(slices)]
    trainer = RememberingTrainer(found)
    evidence = _crossing(trainer, corrected, tmp_path).evidence(of_patients=True, on_progress=unheard)
    assert len(trainer.seen) == 2 and evidence.patients == ()


def test_slices_without_lesion_speak_for_no_average(tmp_path: Path) -> None:
    corrected = [_corrected("a", index, lesion=False) for index in range(4)]
    evidence = _crossing(RememberingTrainer(), corrected, tmp_path).evidence(
        of_patients=True, on_progress=unheard
    )
    assert evidence.new_share == min(NEW_SHARES)
    assert not any(pair.champion.has_lesion for pair in evidence.slices)


def test_of_equal_averages_the_one_with_the_least_new_is_taken() -> None:
    assert best_share(lambda share: 0.0) == min(NEW_SHARES)
    assert best_share(lambda share: share) == max(NEW_SHARES)


@pytest.mark.parametrize(("slices", "setting", "steps"), [(10, 0, 70), (500, 0, 150), (500, 7, 7)])
def test_steps_follow_the_amount_of_data_unless_they_are_set(slices: int, setting: int, steps: int) -> None:
    assert steps_for(slices, setting) == steps
    assert steps_for(slices, setting, crossed=True) == min(steps, 70)


def test_weights_are_averaged_and_counters_are_not() -> None:
    old = {"weight": torch.tensor([1.0, 3.0]), "batches": torch.tensor(5)}
    new = {"weight": torch.tensor([2.0, 7.0]), "batches": torch.tensor(9)}
    mean = averaged(old, new, 0.25)
    assert mean["weight"].tolist() == [1.25, 4.0] and int(mean["batches"]) == 9
    assert averaged(old, new, 1.0)["weight"].tolist() == [2.0, 7.0]


def test_one_slice_or_two_patients_make_no_folds() -> None:
    assert slice_folds([("a", 1)]) == ()
    assert patient_folds(["a", "b", "a"]) == ()
