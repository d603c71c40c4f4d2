"""`evaluate` on an export, with a network of random weights: files, exit codes, one pass a slice."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chestct.labels import Label
from chestct.model.card import ModelCard
from chestct.model.network import build_network
from chestct.model.weights import save_version
from lungloop import cli

ARCHITECTURE = "unet/tu-tf_efficientnet_lite0"
COLUMNS = ("study", "slice", "patient", "updated_at", "split", "image", "mask")


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two held-out patients, one fitted on, and a model to score."""
    for name in [name for name in os.environ if name.startswith("LUNGLOOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LUNGLOOP_WEIGHTS_DIR", str(tmp_path / "weights"))
    torch.manual_seed(1)
    card = ModelCard("base-1", ARCHITECTURE, input_size=64, calibration={"temperature": 1.5})
    save_version(tmp_path / "weights", build_network(ARCHITECTURE).state_dict(), card)
    folder = tmp_path / "export"
    folder.mkdir()
    label_map = np.zeros((64, 64), np.uint8)
    label_map[10:30, 10:30], label_map[40:50, 40:50] = Label.GROUND_GLASS, Label.CONSOLIDATION
    Image.fromarray(label_map).save(folder / "mask.png")
    Image.fromarray(label_map * 60).save(folder / "image.png")
    rows = [
        (f"study {number}", 0, f"patient {number}", "2026-01-01", split, "image.png", "mask.png")
        for number, split in enumerate(("test", "test", "train"))
    ]
    write_table(folder, rows)
    return folder


def write_table(folder: Path, rows: list[tuple]) -> None:
    with (folder / "dataset.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])


def test_evaluate_writes_the_same_figures_for_machines_and_for_people(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores"
    assert cli.run(["evaluate", str(export), "--model", "base-1", "--out", str(out), "--json"]) == 0
    answered = json.loads(capsys.readouterr().out)
    assert answered == json.loads((out / "evaluation.json").read_text())
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.html", "evaluation.json"]
    assert {side: figures["patients"] for side, figures in answered["splits"].items()} == {
        "held_out": 2,
        "train": 1,
    }
    held_out = answered["splits"]["held_out"]
    page = (out / "evaluation.html").read_text()
    for figure in ("lesion_dice", "mean_iou", "ece"):
        assert f"{held_out[figure]['mean']:.3f}" in page
    assert answered["splits"]["train"]["lesion_dice"]["interval"] is None
    assert [one["patient"] for one in answered["worst_slices"]["train"]] == ["patient 2"]
    assert page.count("data:image/png;base64,") == 3


def test_without_out_nothing_is_written(export: Path, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert cli.run(["evaluate", str(export), "--model", "base-1"]) == 0
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_row_that_cannot_be_read_is_named_and_the_rest_is_reported(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ("s", 0, "p", "2026-01-01", "test", "image.png", "mask.png"),
        ("t", 0, "q", "2026-01-01", "test", "gone.png", "mask.png"),
    ]
    write_table(export, rows)
    assert cli.run(["evaluate", str(export), "--model", "base-1", "--out", str(tmp_path / "scores")]) == 1
    assert "gone.png" in capsys.readouterr().err
    assert "gone.png" in (tmp_path / "scores" / "evaluation.html").read_text()


def test_a_model_that_is_not_there_is_wrong_usage(export: Path) -> None:
    assert cli.run(["evaluate", str(export), "--model", "base-7"]) == 2
