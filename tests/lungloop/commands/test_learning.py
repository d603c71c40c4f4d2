"""`learning` says what retrains brought, writes the report and tells machines the same."""

import json
import os
from pathlib import Path

import pytest

from chestct.catalog.catalog import Catalog
from lungloop import cli


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("LUNGLOOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path))
    monkeypatch.setenv("LUNGLOOP_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("LUNGLOOP_REDIS_URL", "redis://127.0.0.1:1/0")
    return tmp_path


def _retrained(home: Path) -> None:
    means = {"champion": 0.7, "challenger": 0.78, "difference": 0.08, "interval": [0.05, 0.11]}
    figures = {"open_studies": {"slices": 30, "studies": 4, **means}}
    decision = {"promote": False, "serves": "nothing", "reasons": ["too little"], "figures": figures}
    with Catalog.open(f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage")) as catalog:
        catalog.versions.ensure_base("base-1")
        catalog.versions.register("v1", "base-1", "ab" * 32)
        catalog.versions.refuse("v1", decision)


def test_the_report_and_the_answer_say_what_is_known(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _retrained(home)
    assert cli.run(["learning", "--out", str(home / "reports" / "learning.html")]) == 0
    said = capsys.readouterr().out
    assert "lesion Dice 0.700 to 0.780 with v1, +0.080 (95 % interval +0.050 to +0.110)" in said
    assert "not known yet" in said
    assert "0.700 to 0.780" in (home / "reports" / "learning.html").read_text()


def test_machines_are_told_the_same_by_learning_and_by_status(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _retrained(home)
    assert cli.run(["learning", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["versions"][0]["open_slices"]["difference"] == 0.08
    assert len(told["sentences"]) == 3
    assert cli.run(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["learning"] == told


def test_status_has_a_few_lines_once_something_was_retrained(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Catalog.open(f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage")).close()
    assert cli.run(["status"]) == 0
    assert "Learning" not in capsys.readouterr().out
    _retrained(home)
    assert cli.run(["status"]) == 0
    said = capsys.readouterr().out
    assert said.count("Learning: ") == 3
    assert "Learning: open slices of corrected studies: lesion Dice 0.700 to 0.780" in said
