"""`doctor` says what is wrong and how to mend it, and is not stopped by what it finds."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from chestct.catalog.splits import OwnTesting
from chestct.errors import ServiceUnavailableError
from chestct.intensity import Intensity
from chestct.settings import Settings
from chestct.study import Study
from lungloop.context import open_catalog
from lungloop.diagnosis import examine
from lungloop.diagnosis.finding import FaultError, SkippedError, State, run_check
from training.data.snapshot import NearCopy, Snapshot, store


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
    for check in (
        "database",
        "test patients",
        "queue",
        "programs",
        "Label Studio's token",
        "webhook",
        "pictures",
    ):
        assert found[check].state is State.SKIPPED, found[check]


def test_a_person_is_told_of_test_patients_and_of_slices_that_look_like_theirs(settings: Settings) -> None:
    with open_catalog(settings, create=True) as catalog:
        rng = np.random.default_rng(0)
        for number in range(12):
            slices = [rng.integers(0, 256, (4, 4), np.uint8) for _ in range(5)]
            study = Study(f"s{number}", f"p{number}", slices, Intensity.PICTURE, Path("/in"))
            catalog.studies.add(study, "images")
        catalog.patients.draw_own_test_patients(OwnTesting(0.2, 5))
        copies = (NearCopy("s1", 2, "s5", 3),)
        snapshot_id = store(catalog, Snapshot("base-1", (), (), (), near_copies=copies))
        catalog.versions.register("base-1-a", None, snapshot_id)
    (found,) = [finding for finding in examine(settings) if finding.check == "test patients"]
    assert found.state is State.FINE
    assert found.detail.startswith("3 of your own, 0 of 15 slices read; not learned from")
    assert "s1 slice 2 like s5 slice 3" in found.detail
