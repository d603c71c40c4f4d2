import dataclasses
from pathlib import Path

import pytest
from tiny_shared_data import write_shared_data

from chestct.errors import TrainingDataError, WeightsError
from chestct.model.card import list_versions, read_card
from chestct.settings import Settings
from training.commands.evaluate import run_evaluate
from training.commands.fit import run_fit
from training.data.shared_data import MEDSEG_HELD_OUT, shared_samples
from training.fitting.options import FitOptions


@pytest.fixture
def shared_data(tmp_path) -> Path:
    return write_shared_data(tmp_path / "shared")


@pytest.fixture
def settings(tmp_path, shared_data) -> Settings:
    return Settings.load(
        {
            "LUNGLOOP_HOME": str(tmp_path / "home"),
            "LUNGLOOP_WEIGHTS_DIR": str(tmp_path / "weights"),
            "LUNGLOOP_SHARED_DATA": str(shared_data),
        }
    )


def test_no_patient_is_fitted_on_and_validated_on(shared_data):
    fitted = {sample.patient for sample in shared_samples(shared_data).fitted}
    held_out = {sample.patient for sample in shared_samples(shared_data).held_out}
    assert fitted == {"C01", "medseg-000"}
    assert held_out == {"C02", "medseg-006"}


def test_slices_of_medseg_that_look_alike_are_held_out_together():
    for group in ({6, 26}, {21, 53}, {33, 78, 97}, {39, 76}):
        assert {f"medseg-{number:03d}" for number in group} <= MEDSEG_HELD_OUT


def test_fit_writes_a_version_with_scores_and_evaluate_scores_it_again(settings, shared_data):
    shares: list[float] = []
    card = run_fit(
        settings,
        "tiny-1",
        FitOptions(steps=1, seed=5),
        on_progress=lambda progress: shares.append(progress.fraction),
    )
    assert shares[-1] == 1.0
    assert list_versions(settings.weights_dir) == ["tiny-1"]
    stored = read_card(settings.weights_dir, "tiny-1")
    assert stored.metrics["covid-ct-seg"]["patients"] == stored.metrics["medseg"]["patients"] == 1
    assert 0.25 <= stored.temperature <= 4
    assert stored.training["command"] == "lungloop fit tiny-1 --encoder efficientnet-b0 --steps 1 --seed 5"
    assert stored.training["set_aside"] == [] and stored.training["phantoms"] == 40
    assert card.data_licence

    progress: list[float] = []
    report = run_evaluate(
        shared_data / "covid-ct-seg", "tiny-1", settings, lambda scored: progress.append(scored.fraction)
    )
    assert progress == [0.5, 1.0]
    assert {side: figures["patients"] for side, figures in report["splits"].items()} == {
        "train": 1,
        "held_out": 1,
    }
    assert report["splits"]["held_out"]["lesion_dice"]["mean"] == pytest.approx(
        stored.metrics["covid-ct-seg"]["lesion_dice"]["mean"], abs=0.02
    )
    assert report["failed"] == []

    with pytest.raises(WeightsError, match="exists"):
        run_fit(settings, "tiny-1", FitOptions(steps=1, seed=5))


def test_a_damaged_volume_is_named_by_evaluate_and_refused_by_fit(settings, shared_data):
    (shared_data / "covid-ct-seg" / "v1" / "ct" / "000.png").write_bytes(b"no picture")
    samples = shared_samples(shared_data)
    assert [aside for aside in samples.set_aside if "000.png" in f"{aside.name}: {aside.reason}"]


def test_without_shared_data_a_fit_says_what_is_missing(settings):
    nowhere = dataclasses.replace(settings, shared_data=None)
    with pytest.raises(TrainingDataError, match="LUNGLOOP_SHARED_DATA"):
        run_fit(nowhere, "tiny-1", FitOptions(steps=1, seed=5))


def test_kinds_guessed_by_a_version_are_fitted_on_and_neither_scored_nor_called_labels(settings):
    run_fit(settings, "tiny-1", FitOptions(steps=1, seed=5, phantoms=1))
    card = run_fit(settings, "tiny-2", FitOptions(steps=1, seed=5, phantoms=1, kinds_from=("tiny-1",)))
    assert card.training["kinds_from"] == ["tiny-1"]
    assert card.training["command"].endswith(" --phantoms 1 --kinds-from tiny-1")
    labels = {row["source"]: row["labels"] for row in card.data}
    assert labels["covid-ct-seg"] == "background, ground-glass or consolidation, lung"
    assert "ground_glass_dice" not in card.metrics["covid-ct-seg"]
    with pytest.raises(WeightsError, match="tiny-9"):
        run_fit(settings, "tiny-3", FitOptions(steps=1, seed=5, kinds_from=("tiny-9",)))
