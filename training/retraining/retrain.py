"""The whole retrain: data, fit, comparison, decision. Safe to run twice and to be killed anywhere.

    plan -> crossed fits -> fit -> compare -> decision.json -> weights saved -> release or refused

Each arrow is one step that either has happened or has not; a run that finds it done goes on behind
it. The version appears in the weights folder whole, with its card, or not at all, and the champion
changes in one transaction of the catalog.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import VersionRecord, VersionState
from chestct.errors import NotFoundError
from chestct.model.card import list_versions
from chestct.progress import OnProgress, Progress, unheard
from chestct.settings import Settings
from training.data import snapshot as snapshots
from training.data.snapshot_choice import nothing_new, take_snapshot
from training.data.snapshot_samples import load_retrain_samples
from training.retraining.challenger import make_challenger
from training.retraining.gate_evidence import Serves
from training.retraining.plan import RetrainPlan, WorkFolder, next_version
from training.retraining.trainer import Trainer

_LOG = logging.getLogger(__name__)


class Ending(StrEnum):
    """How a retrain ended."""

    PROMOTED = "promoted"
    OPEN_STUDIES = "open studies"
    REFUSED = "refused"
    NOTHING_NEW = "nothing new"


@dataclass(frozen=True)
class RetrainOutcome:
    """How a retrain ended, with one sentence for the people who asked."""

    ending: Ending
    sentence: str
    version: str | None = None


def run_retrain(
    settings: Settings,
    catalog: Catalog,
    work_dir: Path,
    *,
    force: bool = False,
    on_progress: OnProgress = unheard,
    trainer: Trainer | None = None,
) -> RetrainOutcome:
    """Trains from the champion on the corrections and lets the gate decide.

    Args:
        work_dir: of this job alone; kept between its runs.
        force: train even where the readers have said nothing new.
        on_progress: told the share done and the stage.
        trainer: a stand-in for tests; the real one by default.
    Raises:
        NotFoundError: there is no champion to start from.
        TrainingDataError, TrainingDivergedError, WeightsError: nothing was changed.
    """
    champion = catalog.versions.champion()
    if champion is None:
        raise NotFoundError(
            "there is no champion to train from; run `lungloop up` or `lungloop models promote V`"
        )
    work = WorkFolder(work_dir)
    on_progress(Progress(0.0, stage="choosing data"))
    plan = work.plan()
    if plan is not None and (outcome := _earlier_outcome(catalog, plan)) is not None:
        return outcome
    saved = list_versions(settings.weights_dir)
    if plan is not None and plan.champion != champion.version and plan.version not in saved:
        _LOG.warning(
            "the champion is %s now, not %s; the retrain starts over", champion.version, plan.champion
        )
        work.start_over()
        plan = None
    if plan is None:
        snapshot = take_snapshot(catalog, champion.version)
        if not force and (reason := nothing_new(catalog, champion.version, snapshot)):
            return RetrainOutcome(Ending.NOTHING_NEW, reason)
        snapshot_id = snapshots.store(catalog, snapshot)
        names = [*(version.version for version in catalog.versions.all()), *saved]
        plan = RetrainPlan(champion.version, snapshot_id, next_version(snapshot_id, names))
        work.keep_plan(plan)
    if plan.version not in saved:
        on_progress(Progress(0.01, stage="loading slices"))
        samples = load_retrain_samples(catalog, plan.snapshot)
        versions = catalog.versions.all()
        make_challenger(settings, samples, work, plan, trainer or Trainer(), versions, on_progress)
    on_progress(Progress(1.0, stage="deciding"))
    return _conclude(catalog, work, plan)


def _earlier_outcome(catalog: Catalog, plan: RetrainPlan) -> RetrainOutcome | None:
    """How an earlier run of this job ended, None where it was killed before."""
    for version in catalog.versions.all():
        if version.version == plan.version and version.state is not VersionState.CHALLENGER:
            return _outcome(version)
    return None


def _conclude(catalog: Catalog, work: WorkFolder, plan: RetrainPlan) -> RetrainOutcome:
    """Registers the saved version and makes it champion or refuses it."""
    decision = work.decision()
    if decision is None:
        raise NotFoundError(f"{plan.version} was saved without a decision; delete its folder and retrain")
    # Also where it is refused: a person may let it serve these studies all the same.
    study_ids = _studies(catalog, plan)
    catalog.versions.register(plan.version, plan.champion, plan.snapshot, study_ids=study_ids)
    now = catalog.versions.champion()
    if now is not None and now.version not in (plan.champion, plan.version):
        reason = (
            f"the champion became {now.version} while this was trained from {plan.champion}; retrain again"
        )
        nothing = {"promote": False, "serves": Serves.NOTHING.value}
        decision |= nothing | {"reasons": [reason, *decision["reasons"]]}
    if decision["serves"] == Serves.ALL:
        return _outcome(catalog.versions.set_champion(plan.version, decision))
    if decision["serves"] == Serves.OPEN_STUDIES:
        return _outcome(catalog.versions.serve_open_studies(plan.version, study_ids, decision))
    return _outcome(catalog.versions.refuse(plan.version, decision))


def _studies(catalog: Catalog, plan: RetrainPlan) -> frozenset[int]:
    """Those with a correction that the version learned from."""
    corrected = snapshots.read(catalog, plan.snapshot).corrections
    return frozenset(catalog.slices.get(item.slice_id).study_id for item in corrected)


def _outcome(record: VersionRecord) -> RetrainOutcome:
    reasons = "; ".join((record.decision or {}).get("reasons", ()))
    if record.state is VersionState.REFUSED:
        return RetrainOutcome(Ending.REFUSED, f"{record.version} was refused: {reasons}", record.version)
    if (record.decision or {}).get("serves") == Serves.OPEN_STUDIES:
        sentence = f"{record.version} serves what is open in the studies it learned from: {reasons}"
        return RetrainOutcome(Ending.OPEN_STUDIES, sentence, record.version)
    is_or_was = "is" if record.state is VersionState.CHAMPION else "was"
    return RetrainOutcome(
        Ending.PROMOTED, f"{record.version} {is_or_was} promoted: {reasons}", record.version
    )
