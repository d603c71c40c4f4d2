"""Two processes on the CPU stand for two GPUs: real Lightning, real gloo, a real command."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_shared_data import write_shared_data

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("lightning") is None, reason="the extra `multi-gpu` is not installed"
)


def fit_on_two(home: Path, version: str) -> dict:
    options = ["--steps", "3", "--seed", "5", "--input-size", "32", "--phantoms", "0", "--devices", "2"]
    options += ["--checkpoint-every", "1", "--work-dir", str(home / "work"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "lungloop", "fit", version, *options],
        env={
            **os.environ,
            "LUNGLOOP_HOME": str(home / "home"),
            "LUNGLOOP_WEIGHTS_DIR": str(home / "weights"),
            "LUNGLOOP_SHARED_DATA": str(home / "shared"),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        },
        capture_output=True,
        text=True,
        timeout=900,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_devices_fit_one_model_which_is_written_once_and_not_fitted_twice(tmp_path):
    write_shared_data(tmp_path / "shared")
    card = fit_on_two(tmp_path, "two-1")
    assert card["training"]["command"].endswith("--devices 2")
    assert card["metrics"]["covid-ct-seg"]["patients"] == 1
    curve = tmp_path / "work" / "curve.jsonl"
    rows = [json.loads(row) for row in curve.read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert all(math.isfinite(row["loss"]) for row in rows)

    # The same work folder once more: the checkpoint of the last step is taken up, nothing is fitted.
    again = fit_on_two(tmp_path, "two-2")
    assert [json.loads(row) for row in curve.read_text().splitlines()] == rows
    assert again["weights_sha256"] == card["weights_sha256"]
    assert sorted(path.name for path in (tmp_path / "weights").iterdir()) == ["two-1", "two-2"]
