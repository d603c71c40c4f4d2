"""Bad input to a training stops with a sentence, or is set aside by name; nothing half-written stays."""

from pathlib import Path

import numpy as np
import pytest
from retrain_stand_in import Hospital, ThresholdTrainer
from tiny_shared_data import VOLUMES, chest, save, write_medseg_slice, write_shared_data

from chestct.errors import TrainingDataError, TrainingDivergedError, UnfitSampleError
from chestct.labels import Label
from chestct.model.card import read_card
from chestct.partial_labels import from_label_map
from chestct.settings import Settings
from training.commands.fit import run_fit
from training.data.dataset import TrainingSample
from training.data.sample_check import (
    SetAside,
    cautions,
    missing_classes,
    require_whole_set,
    sentence,
    sifted,
)
from training.data.shared_data import shared_samples
from training.fitting.options import FitOptions
from training.retraining.retrain import Ending, run_retrain


def sample(*labels: Label, patient: str = "p") -> TrainingSample:
    """A sample whose pixels are these classes."""
    label_map = np.array([labels], np.uint8)
    return TrainingSample(
        np.zeros(label_map.shape, np.float32), from_label_map(label_map), "a", patient, patient
    )


ALL = tuple(Label)


def on(tmp_path: Path, shared: Path) -> Settings:
    return Settings.load(
        {
            "LUNGLOOP_HOME": str(tmp_path / "home"),
            "LUNGLOOP_WEIGHTS_DIR": str(tmp_path / "weights"),
            "LUNGLOOP_SHARED_DATA": str(shared),
        }
    )


def short_fit(settings: Settings, **options):
    return run_fit(settings, "tiny-1", FitOptions(steps=1, seed=1, input_size=32, phantoms=0), **options)


def nothing_is_left(settings: Settings) -> bool:
    """No version and no half of one, hidden folders included."""
    return not settings.weights_dir.exists() or list(settings.weights_dir.iterdir()) == []


def test_a_flawed_sample_is_set_aside_by_name_and_the_others_stay():
    def make(number: int) -> TrainingSample:
        if number == 2:
            raise UnfitSampleError("slice 2", "is flawed")
        return sample(*ALL, patient=str(number))

    found = sifted([1, 2, 3], make)
    assert [one.patient for one in found.samples] == ["1", "3"]
    assert found.set_aside == (SetAside("slice 2", "is flawed"),)


def test_a_sentence_names_the_first_and_counts_the_rest():
    aside = [SetAside(f"slice {number}", "is flawed") for number in range(5)]
    assert sentence(aside).startswith("set aside 5: slice 0 (is flawed); ")
    assert sentence(aside).endswith("slice 2 (is flawed); and 2 more")
    assert sentence([]) == ""


def test_a_class_that_no_sample_shows_is_named():
    assert missing_classes([sample(Label.BACKGROUND, Label.LUNG)]) == [
        "lesion",
        "ground_glass",
        "consolidation",
    ]
    assert missing_classes([sample(Label.BACKGROUND, Label.GROUND_GLASS), sample(Label.LUNG)]) == [
        "consolidation"
    ]


@pytest.mark.parametrize(
    ("fitted", "held_out", "said"),
    [
        ([], [sample(*ALL)], "no training sample"),
        ([sample(Label.BACKGROUND, Label.LUNG)], [sample(*ALL)], "shows lesion"),
        ([sample(*ALL), sample(*ALL)], [sample(*ALL)], "of one patient, p"),
        ([sample(*ALL), sample(*ALL, patient="q")], [], "no patient is held out"),
    ],
)
def test_a_set_that_cannot_teach_stops_with_what_to_do(fitted, held_out, said):
    with pytest.raises(TrainingDataError, match=said):
        require_whole_set(fitted, held_out)


def test_two_patients_and_all_classes_are_enough():
    require_whole_set([sample(*ALL), sample(*ALL, patient="q")], [sample(*ALL, patient="r")])


def test_a_retrain_on_one_patient_without_consolidation_says_so():
    assert cautions([sample(Label.BACKGROUND, Label.LUNG, Label.GROUND_GLASS)]) == [
        "no sample shows consolidation",
        "all samples are of one patient",
    ]
    assert cautions([sample(*ALL), sample(*ALL, patient="q")]) == []


def test_a_fit_without_any_lesion_stops_and_leaves_nothing(tmp_path):
    shared = write_shared_data(tmp_path / "shared")
    save(shared / "covid-ct-seg" / "v1" / "infection" / "000.png", np.zeros((64, 64)))
    write_medseg_slice(shared, 0, np.zeros((64, 64)))
    settings = on(tmp_path, shared)
    with pytest.raises(TrainingDataError, match="shows lesion, ground_glass, consolidation"):
        short_fit(settings)
    assert nothing_is_left(settings)


def test_a_fit_with_nobody_held_out_stops(tmp_path):
    shared = write_shared_data(tmp_path / "shared", volumes=VOLUMES[:1])
    (shared / "medseg" / "slices.csv").write_text("slice,official_split,split\n0,official-train,train\n")
    settings = on(tmp_path, shared)
    with pytest.raises(TrainingDataError, match="held out"):
        short_fit(settings)
    assert nothing_is_left(settings)


def test_a_mask_larger_than_its_picture_and_a_label_7_are_set_aside_and_named(tmp_path):
    shared = write_shared_data(tmp_path / "shared", (*VOLUMES, ("v3", "C03", "train")))
    for kind in ("infection", "lung"):
        save(shared / "covid-ct-seg" / "v3" / kind / "000.png", np.zeros((80, 80)))
    write_medseg_slice(shared, 6, np.full((64, 64), 7))
    found = shared_samples(shared)
    assert [one.patient for one in found.fitted] == ["C01", "medseg-000"]
    assert [one.patient for one in found.held_out] == ["C02"]
    larger, seven = found.set_aside
    assert larger.name == "v3/000.png" and "(64, 64)" in larger.reason and "(80, 80)" in larger.reason
    assert "006.png" in seven.name and "7" in seven.reason and "0 to 3" in seven.reason


def test_what_a_fit_sets_aside_is_told_and_written_on_the_card(tmp_path):
    shared = write_shared_data(tmp_path / "shared", (*VOLUMES, ("v3", "C03", "train")))
    (shared / "covid-ct-seg" / "v3" / "ct" / "000.png").write_bytes(b"no picture")
    settings, told = on(tmp_path, shared), []
    card = short_fit(settings, on_set_aside=told.append)
    (one,) = told
    assert "v3" in one.name
    assert card.training["set_aside"] == [{"name": one.name, "reason": one.reason}]
    assert card.training["command"].endswith("--input-size 32 --phantoms 0")
    assert card.input_size == 32


def test_a_loss_that_is_no_number_leaves_no_version(tmp_path, monkeypatch):
    settings = on(tmp_path, write_shared_data(tmp_path / "shared"))
    # The only way to a NaN that needs no luck: a network that answers with it.
    monkeypatch.setattr("training.fitting.start.warm_start", lambda network: _spoil(network))
    with pytest.raises(TrainingDivergedError, match="nothing of this run is kept"):
        short_fit(settings)
    assert nothing_is_left(settings)


def _spoil(network) -> None:
    network.segmentation_head[0].bias.data.fill_(float("nan"))


def test_a_correction_that_cannot_be_read_is_set_aside_and_the_retrain_goes_on(hospital: Hospital):
    hospital.correct(hospital.learning[0])
    hospital.correct(hospital.learning[1])
    damaged = hospital.catalog.corrections.current()[0]
    storage = hospital.catalog.storage.root_path
    assert storage is not None
    (storage / damaged.label_map_path).write_bytes(b"no picture")
    trainer = ThresholdTrainer()
    outcome = run_retrain(
        hospital.settings, hospital.catalog, hospital.settings.home / "training" / "r", trainer=trainer
    )
    assert outcome.ending is Ending.PROMOTED
    assert "set aside 1: learner slice" in outcome.sentence
    assert outcome.version is not None
    (one,) = read_card(hospital.settings.weights_dir, outcome.version).training["set_aside"]
    assert one["name"].startswith("learner slice")
    assert len([each for each in trainer.samples if each.source == "correction"]) == 1


def test_a_retrain_with_nothing_left_to_learn_from_says_why(hospital: Hospital):
    hospital.correct(hospital.learning[0])
    storage = hospital.catalog.storage.root_path
    assert storage is not None
    (storage / hospital.catalog.corrections.current()[0].label_map_path).write_bytes(b"no picture")
    before = hospital.states()
    with pytest.raises(TrainingDataError, match="no slice is left to learn from: set aside 1"):
        run_retrain(
            hospital.settings,
            hospital.catalog,
            hospital.settings.home / "training" / "r",
            trainer=ThresholdTrainer(),
        )
    assert hospital.states() == before


def test_the_made_up_chest_shows_every_class():
    assert set(np.unique(chest())) == {int(label) for label in Label}
