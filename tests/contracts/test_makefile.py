"""`make up`: installs what is missing, once; hands DATA and ARGS on; refuses an old Python."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What `make` looks at, without anything installed."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    return tmp_path


def make(clone: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        ("make", *arguments, f"PYTHON={python}"),
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def install(clone: Path) -> None:
    for stamp in (".venv/.installed", ".venv-label-studio/.installed"):
        (clone / stamp).parent.mkdir()
        (clone / stamp).touch()


def test_a_fresh_clone_installs_both_environments_and_then_starts(clone: Path) -> None:
    lines = make(clone, "--dry-run", "up").stdout
    assert ".venv/bin/python -m pip install" in lines
    assert "-c constraints.txt -e ." in lines
    assert "'label-studio==1.23.2' 'numpy<2.3'" in lines
    assert lines.rstrip().endswith("exec .venv/bin/lungloop up")


def test_a_second_up_installs_nothing(clone: Path) -> None:
    install(clone)
    assert "pip" not in make(clone, "--dry-run", "up").stdout


def test_changed_requirements_are_installed_again(clone: Path) -> None:
    install(clone)
    later = time.time() + 10
    os.utime(clone / "constraints.txt", (later, later))
    assert "-c constraints.txt -e ." in make(clone, "--dry-run", "up").stdout


def test_data_and_arguments_are_handed_on(clone: Path) -> None:
    install(clone)
    lines = make(clone, "--dry-run", "up", "DATA=/my scans/a", "ARGS=--port 9191").stdout
    assert lines.rstrip().endswith('exec .venv/bin/lungloop up --data "/my scans/a" --port 9191')


def test_an_old_python_is_refused_before_anything_is_made(clone: Path) -> None:
    old = clone / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.8.0 && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = make(clone, "up", python=str(old))
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "is Python 3.8.0" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_benchmark_can_be_run_alone(clone: Path) -> None:
    install(clone)
    (clone / ".venv/.installed-dev").touch()
    assert "benchmarks/predict.py;" in make(clone, "--dry-run", "bench", "ONLY=predict").stdout
