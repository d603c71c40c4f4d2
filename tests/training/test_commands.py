import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestct.errors import TrainingDataError, WeightsError
from chestct.labels import Label
from chestct.settings import Settings
from chestct.unet.weights import list_versions, read_card
from training.commands import run_evaluate, run_fit
from training.shared_data import MEDSEG_HELD_OUT, training_samples, validation_samples


def chest() -> np.ndarray:
    """64 x 64 label map: two lungs, ground-glass in one, consolidation in the other."""
    label_map = np.zeros((64, 64), np.uint8)
    label_map[12:52, 6:28] = label_map[12:52, 36:58] = Label.LUNG
    label_map[20:30, 10:20] = Label.GROUND_GLASS
    label_map[30:40, 40:50] = Label.CONSOLIDATION
    return label_map


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path)


def table(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def shared_data(tmp_path) -> Path:
    """Both data sets in little: a fitted and a held-out patient each."""
    root, label_map = tmp_path / "shared", chest()
    grey = np.choose(label_map, [200, 100, 150, 30])
    rows = []
    for volume, patient, split in (("v1", "C01", "train"), ("v2", "C02", "dev-validation")):
        save(root / "covid-ct-seg" / volume / "ct" / "000.png", grey)
        save(root / "covid-ct-seg" / volume / "infection" / "000.png", 255 * np.isin(label_map, (1, 2)))
        save(root / "covid-ct-seg" / volume / "lung" / "000.png", 255 * (label_map > 0))
        rows.append({"volume": volume, "patient": patient, "split": split, "slice": 0})
    table(root / "covid-ct-seg" / "slices.csv", rows)
    for number in (0, 6):
        save(root / "medseg" / "image" / f"{number:03d}.png", grey)
        save(root / "medseg" / "mask" / f"{number:03d}.png", np.where(label_map == 3, 0, label_map))
    table(
        root / "medseg" / "slices.csv",
        [{"slice": number, "official_split": "official-train", "split": "train"} for number in (0, 6)],
    )
    return root


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
    fitted = {sample.patient for sample in training_samples(shared_data)}
    held_out = {sample.patient for sample in validation_samples(shared_data)}
    assert fitted == {"C01", "medseg-000"}
    assert held_out == {"C02", "medseg-006"}


def test_slices_of_medseg_that_look_alike_are_held_out_together():
    for group in ({6, 26}, {21, 53}, {33, 78, 97}, {39, 76}):
        assert {f"medseg-{number:03d}" for number in group} <= MEDSEG_HELD_OUT


def test_fit_writes_a_version_with_scores_and_evaluate_scores_it_again(settings, shared_data):
    shares: list[float] = []
    card = run_fit(
        settings, "tiny-1", steps=1, seed=5, on_progress=lambda fraction, facts: shares.append(fraction)
    )
    assert shares[-1] == 1.0
    assert list_versions(settings.weights_dir) == ["tiny-1"]
    stored = read_card(settings.weights_dir, "tiny-1")
    assert stored.metrics["covid-ct-seg"]["patients"] == stored.metrics["medseg"]["patients"] == 1
    assert 0.25 <= stored.temperature <= 4
    assert stored.training["command"] == "lungloop fit tiny-1 --encoder efficientnet-b0 --steps 1 --seed 5"
    assert card.data_licence

    progress: list[float] = []
    report = run_evaluate(shared_data / "covid-ct-seg", "tiny-1", settings, progress.append)
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
        run_fit(settings, "tiny-1", steps=1, seed=5)


def test_a_damaged_volume_is_named_by_evaluate_and_refused_by_fit(settings, shared_data):
    (shared_data / "covid-ct-seg" / "v1" / "ct" / "000.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"000\.png"):
        training_samples(shared_data)


def test_without_shared_data_a_fit_says_what_is_missing(settings):
    nowhere = dataclasses.replace(settings, shared_data=None)
    with pytest.raises(TrainingDataError, match="LUNGLOOP_SHARED_DATA"):
        run_fit(nowhere, "tiny-1", steps=1, seed=5)
