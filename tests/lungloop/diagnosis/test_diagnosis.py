"""`doctor` says what is wrong and how to mend it, and is not stopped by what it finds."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from chestct.errors import ServiceUnavailableError
from chestct.settings import Settings
from lungloop.diagnosis import examine
from lungloop.diagnosis.finding import FaultError, SkippedError, State, run_check


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings.load({"LUNGLOOP_HOME": str(tmp_path / "home")})
    return replace(settings, weights_dir=tmp_path / "weights")


def test_a_check_says_what_it_saw_or_what_to_do(settings: Settings) -> None:
    def wrong(settings: Settings) -> str:
        raise FaultError("seen", "do this")

    def skipped(settings: Settings) -> str:
        raise SkippedError("no stack runs")

    def missing(settings: Settings) -> str:
        raise ServiceUnavailableError("the queue", "does not answer")

    def broken(settings: Settings) -> str:
        raise ImportError("torchvision::nms does not exist")

    assert asdict(run_check("a", lambda settings: "well", settings)) == {
        "check": "a",
        "state": "fine",
        "detail": "well",
        "mend": "",
    }
    assert asdict(run_check("a", wrong, settings)) == {
        "check": "a",
        "state": "wrong",
        "detail": "seen",
        "mend": "do this",
    }
    assert run_check("a", skipped, settings).state is State.SKIPPED
    assert run_check("a", missing, settings).detail == "the queue: does not answer"
    assert run_check("a", broken, settings).mend


def test_a_fresh_installation_lacks_its_weights_and_its_stack_is_no_fault(settings: Settings) -> None:
    found = {finding.check: finding for finding in examine(settings)}
    assert found["torch"].state is State.FINE
    assert found["home"].state is State.FINE
    assert found["model weights"].state is State.WRONG
    assert "lungloop fit" in found["model weights"].detail
    for check in ("database", "queue", "programs", "Label Studio's token", "webhook", "pictures"):
        assert found[check].state is State.SKIPPED, found[check]
