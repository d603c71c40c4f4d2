"""A retrain promotes what is better, refuses what is not, and may be killed anywhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from retrain_stand_in import BASE, BLIND, DAMAGED, GOOD, Hospital, ThresholdTrainer

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import RequestState
from chestct.catalog.versions import VersionStore
from chestct.errors import NotFoundError
from chestct.labels import Split
from chestct.model.architecture import architecture_of
from chestct.model.card import ModelCard, read_card
from chestct.model.network import build_network
from chestct.model.weights import load_version, save_version
from chestct.settings import Settings
from training import jobs
from training.data.phantom_samples import PHANTOM
from training.retraining import challenger
from training.retraining.plan import WorkFolder, next_version
from training.retraining.retrain import Ending, RetrainOutcome, run_retrain


def _retrain(
    hospital: Hospital, found: float = GOOD, job: str = "retrain-1", **options: Any
) -> RetrainOutcome:
    return run_retrain(
        hospital.settings,
        hospital.catalog,
        hospital.settings.home / "training" / job,
        trainer=options.pop("trainer", ThresholdTrainer(found)),
        **options,
    )


def test_a_better_model_becomes_champion_with_its_card_and_lineage(hospital: Hospital) -> None:
    hospital.correct(hospital.learning[0])
    outcome = _retrain(hospital)
    assert outcome.ending is Ending.PROMOTED
    assert outcome.version == hospital.champion()
    card = read_card(hospital.settings.weights_dir, hospital.champion())
    known = hospital.catalog.versions.get(hospital.champion())
    assert card.parents == (BASE,) and known.parent == BASE
    assert card.snapshot == known.snapshot
    assert card.version == f"v0001-{str(card.snapshot)[:8]}"
    assert card.metrics["test"]["lesion_dice"]["mean"] == 1.0
    assert known.decision is not None and known.decision["figures"]["patients"] == 3
    assert hospital.states()[BASE] == "retired"


def test_a_damaged_model_is_refused_and_keeps_its_card(hospital: Hospital) -> None:
    hospital.correct(hospital.learning[0])
    # First a seeing champion, which a damaged challenger is then compared with.
    _retrain(hospital)
    seeing = hospital.champion()
    hospital.correct(hospital.learning[1])
    outcome = _retrain(hospital, DAMAGED, job="retrain-2")
    assert outcome.ending is Ending.REFUSED
    assert hospital.champion() == seeing
    assert outcome.version is not None
    assert read_card(hospital.settings.weights_dir, outcome.version).parents == (seeing, BASE)
    decision = hospital.catalog.versions.get(outcome.version).decision
    assert decision is not None and decision["reasons"][0].startswith("damaged, so it serves nothing")


def test_an_equal_model_is_refused_for_no_improvement(hospital: Hospital) -> None:
    hospital.correct(hospital.learning[0])
    outcome = _retrain(hospital, BLIND)
    assert outcome.ending is Ending.REFUSED
    assert "too little gain is shown" in outcome.sentence


def test_without_a_correction_there_is_nothing_new(hospital: Hospital) -> None:
    trainer = ThresholdTrainer()
    outcome = _retrain(hospital, trainer=trainer)
    assert (outcome.ending, trainer.fits) == (Ending.NOTHING_NEW, 0)
    assert hospital.states() == {BASE: "champion"}


@pytest.mark.parametrize(("found", "how"), [(GOOD, "learned"), (BLIND, "refused")])
def test_the_same_corrections_are_not_tried_twice(hospital: Hospital, found: float, how: str) -> None:
    hospital.correct(hospital.learning[0])
    first = _retrain(hospital, found)
    again = _retrain(hospital, found, job="retrain-2")
    assert again.sentence == f"nothing new: {first.version} was trained on these very corrections ({how})"
    assert len(hospital.states()) == 2


def test_force_trains_on_the_same_corrections_again(hospital: Hospital) -> None:
    hospital.correct(hospital.learning[0])
    _retrain(hospital)
    forced = _retrain(hospital, job="retrain-2", force=True)
    assert forced.ending is Ending.REFUSED and forced.version is not None
    assert forced.version.startswith("v0002-")


def test_one_more_correction_is_something_new(hospital: Hospital) -> None:
    hospital.correct(hospital.learning[0])
    _retrain(hospital, BLIND)
    hospital.correct(hospital.learning[1])
    assert _retrain(hospital, job="retrain-2").ending is Ending.PROMOTED


def test_a_rolled_back_model_does_not_come_back_by_itself(hospital: Hospital) -> None:
    hospital.correct(hospital.learning[0])
    _retrain(hospital)
    hospital.catalog.versions.rollback()
    assert _retrain(hospital, job="retrain-2").ending is Ending.NOTHING_NEW
    assert hospital.champion() == BASE


def test_only_slices_of_patients_in_training_are_learned_from(hospital: Hospital) -> None:
    hospital.correct(hospital.learning[0])
    trainer = ThresholdTrainer()
    _retrain(hospital, trainer=trainer)
    learned = [sample for sample in trainer.samples if sample.source != PHANTOM]
    assert {sample.patient for sample in learned} == {"learner"}


def test_without_patients_to_judge_by_nothing_is_promoted_and_the_sentence_says_what_is_missing(
    settings: Settings,
) -> None:
    hospital = Hospital.build(settings, frozen=0)
    hospital.correct(hospital.learning[0])
    outcome = _retrain(hospital)
    assert outcome.ending is Ending.REFUSED
    assert "too few, 5 at least: correct 5 more" in outcome.sentence
    hospital.catalog.close()


def test_one_patient_is_enough_for_what_is_open_in_its_study(settings: Settings) -> None:
    hospital = Hospital.build(settings, frozen=0, slices=20)
    for slice_id in hospital.learning[::2]:
        hospital.correct(slice_id)
    trainer = ThresholdTrainer()
    outcome = _retrain(hospital, trainer=trainer)
    assert outcome.ending is Ending.OPEN_STUDIES and outcome.version is not None
    assert trainer.fits == 3  # two that hold slices back, and the one that serves
    release = hospital.catalog.versions.release()
    assert release is not None
    study = hospital.catalog.slices.get(hospital.learning[0]).study_id
    assert (release.default, release.open_version) == (BASE, outcome.version)
    assert release.study_ids == {study}
    decision = hospital.catalog.versions.get(outcome.version).decision
    assert decision is not None and decision["serves"] == "open studies" and not decision["promote"]
    assert decision["figures"]["open_studies"]["slices"] == 10
    # And once more, as when the answer itself was lost.
    assert _retrain(hospital) == outcome
    hospital.catalog.close()


def test_corrected_patients_held_back_whole_speak_for_patients_never_seen(settings: Settings) -> None:
    hospital = Hospital.build(settings, frozen=0, slices=9)
    learning = [hospital.learning]
    learning += [hospital.admit(name, Split.TRAIN, slices=9, labelled=False) for name in ("anna", "boris")]
    for slices in learning:
        for slice_id in slices[:8]:
            hospital.correct(slice_id)
    trainer = ThresholdTrainer()
    outcome = _retrain(hospital, trainer=trainer)
    assert outcome.ending is Ending.PROMOTED and trainer.fits == 6
    decision = hospital.catalog.versions.get(hospital.champion()).decision
    assert decision is not None
    assert decision["figures"]["evidence"] == "crossed corrections"
    assert decision["looked_at"] == ["anna", "boris", "learner"]
    hospital.catalog.close()


def test_no_champion_says_what_to_do(settings: Settings) -> None:
    with (
        Catalog.open(settings.database_url, settings.storage_url) as catalog,
        pytest.raises(NotFoundError, match="lungloop up"),
    ):
        run_retrain(settings, catalog, settings.home / "training" / "retrain-1")


def test_a_champion_that_changed_meanwhile_is_not_overrun(hospital: Hospital) -> None:
    def promote_by_hand() -> None:
        hospital.catalog.versions.register("by-hand", BASE, None)
        hospital.catalog.versions.set_champion("by-hand")

    hospital.correct(hospital.learning[0])
    outcome = _retrain(hospital, trainer=ThresholdTrainer(meanwhile=promote_by_hand))
    assert outcome.ending is Ending.REFUSED
    assert "the champion became by-hand while this was trained from base-1" in outcome.sentence
    assert hospital.champion() == "by-hand"


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


def _dies(after: bool, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if after:
            real(*arguments, **options)
        raise Killed

    return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (WorkFolder, "keep_plan"),
        (challenger, "gathered"),
        (WorkFolder, "keep_decision"),
        (challenger, "save_version"),
        (VersionStore, "register"),
        (VersionStore, "set_champion"),
        (VersionStore, "refuse"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_killed_at_any_step_a_rerun_ends_where_an_undisturbed_run_would(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str, after: bool
) -> None:
    found = BLIND if step == "refuse" else GOOD
    hospital.correct(hospital.learning[0])
    with monkeypatch.context() as patched:
        patched.setattr(owner, step, _dies(after, getattr(owner, step)))
        with pytest.raises(Killed):
            _retrain(hospital, found)
    outcome = _retrain(hospital, found)
    assert outcome.version is not None and outcome.version.startswith("v0001-")
    assert outcome.ending is (Ending.REFUSED if found == BLIND else Ending.PROMOTED)
    assert hospital.states() == {
        BASE: "champion" if found == BLIND else "retired",
        outcome.version: "refused" if found == BLIND else "champion",
    }
    assert {path.name for path in hospital.settings.weights_dir.iterdir()} == {BASE, outcome.version}
    # And once more, as when the answer itself was lost.
    assert _retrain(hospital, found) == outcome


def test_versions_sort_in_the_order_they_were_made() -> None:
    names = ["base-1", "v0009-aaaaaaaa"]
    assert next_version("0123456789", names) == "v0010-01234567"
    assert next_version("fedcba9876", []) == "v0001-fedcba98"


def test_a_failed_retrain_answers_its_requests_with_the_reason(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGLOOP_HOME", str(settings.home))
    monkeypatch.setenv("LUNGLOOP_REDIS_URL", "redis://127.0.0.1:9/0")
    monkeypatch.setattr(jobs.JobQueue, "wait_for_sync", lambda queue, seconds: True)
    with Catalog.open(settings.database_url, settings.storage_url) as catalog:
        request = catalog.requests.add("button")
        with pytest.raises(NotFoundError):
            jobs.retrain(ThresholdTrainer())
        answered = catalog.requests.get(request.id)
    assert answered.state is RequestState.FAILED
    assert answered.outcome is not None and answered.outcome.startswith("there is no champion to train from")


def test_a_retrain_that_nobody_asked_for_does_nothing(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGLOOP_HOME", str(hospital.settings.home))
    monkeypatch.setenv("LUNGLOOP_REDIS_URL", "redis://127.0.0.1:9/0")
    assert jobs.retrain(ThresholdTrainer()) == "nothing was asked for"


def test_the_real_fit_makes_a_version_that_is_decided_about(settings: Settings) -> None:
    """The one test with the real network: two steps at 64 x 64, from random weights."""
    settings = replace(settings, retrain_steps=2)
    architecture = architecture_of("resnet18")
    torch.manual_seed(0)
    weights = build_network(architecture).state_dict()
    card = ModelCard(version=BASE, architecture=architecture, input_size=64)
    real = Path(settings.weights_dir)
    hospital = Hospital.build(replace(settings, weights_dir=real / "unused"))
    save_version(real, weights, card)
    hospital.correct(hospital.learning[0])
    stages: list[str] = []
    outcome = run_retrain(
        settings,
        hospital.catalog,
        settings.home / "training" / "retrain-1",
        on_progress=lambda progress: stages.append(progress.stage),
    )
    hospital.catalog.close()
    assert outcome.ending in (Ending.PROMOTED, Ending.REFUSED)
    assert outcome.version is not None
    made, tensors = load_version(real, outcome.version)
    assert made.architecture == architecture
    assert any(not torch.equal(tensors[name], value.float()) for name, value in weights.items())
    assert list(dict.fromkeys(stages)) == [
        "choosing data",
        "loading slices",
        "fitting",
        "comparing",
        "deciding",
    ]
