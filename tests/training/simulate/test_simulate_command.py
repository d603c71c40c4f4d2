"""`lungloop simulate` as a person runs it."""

import json
import os
import sys
from pathlib import Path

import pytest

# Test folders are no packages (import mode importlib): neighbours are found by their folder.
sys.path.append(str(Path(__file__).parent))

from tiny_simulation import write_data

from lungloop import cli

TINY = [
    "--seeds", "1", "--rounds", "1", "--start", "2", "--per-round", "2", "--steps", "1", "--start-steps", "0",
    "--side", "32", "--pool-every", "1", "--test-every", "3",
    "--strategy", "foreground-random", "--strategy", "disagreement",
]  # fmt: skip


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LUNGLOOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path / "home"))


def simulate(tmp_path: Path, *more: str) -> int:
    return cli.run(["simulate", str(tmp_path / "out"), "--data", str(tmp_path / "data"), *TINY, *more])


def test_simulate_writes_what_it_says_and_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path / "data")
    assert simulate(tmp_path, "--json") == 0
    said = capsys.readouterr()
    results = json.loads(said.out)
    assert results == json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["complete"] and list(results["strategies"]) == ["foreground-random", "disagreement"]
    assert "the rounds run in this process" in said.err
    assert "simulate: 3 of 3 fits" in said.err  # one first fit, two strategies of one round
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg viewBox") == 4  # two plots, two strategies in the legend
    assert "http" not in page and "<script" not in page and "<img" not in page
    one = results["comparisons"]["last_round"]["disagreement"]
    assert f"{one['difference']:+.3f}" in page
    # Both looks were taken: the second opinion is known for every open slice.
    first = json.loads((tmp_path / "out" / "rounds" / "start" / "seed-0" / "round-0.json").read_text())
    assert all(value is not None for value in first["still_open"]["doubts"]["disagreement"])

    assert simulate(tmp_path) == 0
    again = capsys.readouterr()
    assert results["findings"][0] in again.out and "report.html" in again.out
    # Another simulation does not go into the same folder, and the first one is left whole.
    assert simulate(tmp_path, "--steps", "2") == 2
    assert "steps 1 (asked: 2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--strategy", "luck"], "'luck' is not known; expected some of random, foreground-random"),
        (["--strategy", "decision"], "needs the grades of whole studies"),
        (["--side", "33"], "side is 33; expected a multiple of 32"),
    ],
)
def test_wrong_usage_is_told_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert simulate(tmp_path, *arguments) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(tmp_path) == 1
    assert str(tmp_path / "data") in capsys.readouterr().err
