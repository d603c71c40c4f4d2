"""`lungloop fit` as a person runs it: the same seed gives the same model, and a kill changes nothing.

Real processes on made-up data. With one thread torch adds in one order on a processor, so figures and
weights are compared bit for bit.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_shared_data import write_shared_data

STEPS, CHECKPOINT_EVERY, SIZE = 16, 4, 32


def start(home: Path, name: str) -> subprocess.Popen:
    environment = {
        **os.environ,
        "LUNGLOOP_HOME": str(home / name),
        "LUNGLOOP_WEIGHTS_DIR": str(home / name / "weights"),
        "LUNGLOOP_SHARED_DATA": str(home / "shared"),
        "OMP_NUM_THREADS": "1",
    }
    options = ["--steps", str(STEPS), "--seed", "9", "--input-size", str(SIZE), "--phantoms", "1"]
    options += ["--checkpoint-every", str(CHECKPOINT_EVERY)]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "lungloop",
            "fit",
            "tiny-1",
            *options,
            "--work-dir",
            str(home / name / "work"),
        ],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def finished(process: subprocess.Popen) -> None:
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said


def curve(home: Path, name: str) -> list[dict[str, float]]:
    """Rows without what a clock says."""
    rows = [json.loads(row) for row in (home / name / "work" / "curve.jsonl").read_text().splitlines() if row]
    return [{key: row[key] for key in row if "seconds" not in key} for row in rows]


def weights(home: Path, name: str) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(home / name / "weights" / "tiny-1" / "model.safetensors")


def card(home: Path, name: str) -> dict:
    return json.loads((home / name / "weights" / "tiny-1" / "card.json").read_text())


def versions(home: Path, name: str) -> list[Path]:
    folder = home / name / "weights"
    return list(folder.iterdir()) if folder.exists() else []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the fit `whole` has run through."""
    home = tmp_path_factory.mktemp("fits")
    write_shared_data(home / "shared")
    finished(start(home, "whole"))
    return home


def test_one_seed_gives_one_model_with_the_same_metrics(whole):
    finished(start(whole, "again"))
    assert curve(whole, "again") == curve(whole, "whole")
    first, second = card(whole, "whole"), card(whole, "again")
    assert second["metrics"] == first["metrics"] and first["metrics"]
    assert second["calibration"] == first["calibration"]
    assert second["weights_sha256"] == first["weights_sha256"]


def test_a_fit_killed_at_a_random_step_goes_on_to_the_same_curve_and_the_same_weights(whole):
    killed_after = random.randrange(1, STEPS - 2)
    process = start(whole, "killed")
    events = whole / "killed" / "work"
    deadline = time.monotonic() + 500
    while steps_done(events) < killed_after:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert versions(whole, "killed") == [], "a killed fit has written a version"

    finished(start(whole, "killed"))
    assert curve(whole, "killed") == curve(whole, "whole"), f"killed after step {killed_after}"
    expected = weights(whole, "whole")
    for name, tensor in weights(whole, "killed").items():
        assert torch.equal(tensor, expected[name]), (name, killed_after)
    assert card(whole, "killed")["metrics"] == card(whole, "whole")["metrics"]


def test_tensorboard_reads_every_step_once_though_the_fit_was_killed(whole):
    accumulated = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra `curves` is not installed"
    )
    if not (whole / "killed").is_dir():
        pytest.skip("no fit was killed; run the whole file")
    for name in ("whole", "killed"):
        events = accumulated.EventAccumulator(str(whole / name / "work"))
        events.Reload()
        scalars = events.Scalars("fit/loss")
        assert [scalar.step for scalar in scalars] == list(range(STEPS)), name
        assert [scalar.value for scalar in scalars] == pytest.approx(
            [row["loss"] for row in curve(whole, name)], rel=1e-6
        )


def steps_done(work: Path) -> int:
    """How far a running fit is, from outside: complete rows of its curve that reached the disk."""
    path = work / "curve.jsonl"
    return path.read_text().count("\n") if path.exists() else 0
