"""The command line: exit codes, one JSON value on stdout, no traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chestct.catalog.catalog import Catalog
from chestct.errors import (
    InputError,
    LungLoopError,
    NotFoundError,
    ServiceUnavailableError,
    SettingsError,
    TrainingDataError,
    WeightsError,
)
from lungloop import cli
from lungloop.cli import ExitCode, exit_code_of

REPORTING = {
    "status", "doctor", "import", "preannotate", "next", "sync", "retrain", "export", "segment", "severity",
    "fit", "evaluate", "readers", "learning",
}  # fmt: skip


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that nothing was done with, and no variable of the developer's own."""
    for name in [name for name in os.environ if name.startswith("LUNGLOOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LUNGLOOP_WEIGHTS_DIR", str(tmp_path / "weights"))
    return tmp_path


@pytest.mark.parametrize("name", sorted(REPORTING))
def test_every_command_that_reports_has_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServiceUnavailableError("the queue", "does not answer"), ExitCode.SERVICE_MISSING),
        (SettingsError("LUNGLOOP_X is 'a'"), ExitCode.WRONG_USAGE),
        (NotFoundError("no version"), ExitCode.WRONG_USAGE),
        (WeightsError("no version"), ExitCode.WRONG_USAGE),
        (InputError("a.png", "is damaged"), ExitCode.SOME_INPUTS_FAILED),
        (TrainingDataError("no patient"), ExitCode.SOME_INPUTS_FAILED),
        (LungLoopError("whatever comes"), ExitCode.SOME_INPUTS_FAILED),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: LungLoopError, code: ExitCode) -> None:
    assert exit_code_of(error) == code


def test_an_error_is_one_sentence_on_stderr(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["retrain"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "lungloop: the queue: no address is configured; run `lungloop up`, or set LUNGLOOP_REDIS_URL\n"
    )


def test_debug_shows_the_traceback_wherever_it_stands(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["retrain", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("line", [["frobnicate"], ["segment"], ["up", "--port", "0"], ["export", "--nope"]])
def test_wrong_usage_is_exit_code_2(
    line: list[str], nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(line) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["preannotate"], 3),
        (["sync"], 3),
        (["next"], 3),
        (["export", "out"], 3),
        (["models", "list"], 3),
        (["models", "promote", "no-such-version"], 2),
        (["worker"], 3),
        (["serve", "--host", "0.0.0.0"], 2),
        (["connect"], 3),
        (["segment", "x.png", "--out", "y", "--model", "no-such-version"], 2),
        (["import", "x", "--layout", "frob"], 2),
    ],
)
def test_what_cannot_be_done_says_so_by_its_exit_code(
    line: list[str], code: int, nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(line) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err


def test_status_of_a_stack_that_is_down_is_one_json_value(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["status", "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert set(state["services"].values()) == {"down"}
    assert set(state["counts"]) == {
        "studies",
        "slices",
        "predicted",
        "corrected",
        "accepted",
        "graded",
        "open",
    }
    assert {"queued", "running", "failed", "kind", "progress", "seconds_left"} <= set(state["queue"])
    assert (state["champion"], state["release"]) == (None, None)
    assert state["readers"] is None
    assert state["test_readings"] is None
    assert state["learning"] is None


def test_the_readers_figures_of_a_catalog_without_readings_say_why_they_are_missing(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Catalog.open(f"sqlite:///{nowhere / 'home' / 'catalog.sqlite3'}", str(nowhere / "storage")).close()
    for line, found in ((["status", "--json"], "readers"), (["readers", "--json"], None)):
        assert cli.run(line) == 0
        said = json.loads(capsys.readouterr().out)
        readers = said[found] if found else said
        for name in ("seconds_saved", "pull", "active_gain", "agreement"):
            assert (readers[name]["mean"], readers[name]["interval"]) == (None, None)
            assert readers[name]["reason"]
    assert cli.run(["readers"]) == 0
    assert "not known yet" in capsys.readouterr().out


def test_down_without_a_stack_is_no_error(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["down"]) == 0
    assert "no stack runs" in capsys.readouterr().err
    assert not (nowhere / "home").exists()


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        (sys.executable, "-m", "lungloop", "down", "--help"), capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "lungloop down" in done.stdout
