"""The whole retrain: data, fit, comparison, decision. Safe to run twice and to be killed anywhere.

    plan -> fit -> compare on frozen patients -> decision.json -> weights saved -> champion or refused

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
from chestct.settings import Settings
from training.data import snapshot as snapshots
from training.data.snapshot import Snapshot
from training.data.snapshot_choice import take_snapshot
from training.retraining.challenger import OnProgress, make_challenger
from training.retraining.plan import RetrainPlan, WorkFolder, next_version
from training.retraining.trainer import TorchTrainer, Trainer

_LOG = logging.getLogger(__name__)


class Ending(StrEnum):
    """How a retrain ended."""

    PROMOTED = "promoted"
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
    on_progress: OnProgress = lambda fraction, stage: None,
    trainer: Trainer | None = None,
) -> RetrainOutcome:
    """Trains from the champion on the corrections and lets the gate decide.

    Args:
        work_dir: of this job alone; kept between its runs.
        force: train even where the readers have said nothing new.
        on_progress: gets the share done in [0, 1] and the stage in a word or two.
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
    on_progress(0.0, "choosing data")
    settled = _settled(settings, catalog, work, champion)
    if isinstance(settled, RetrainOutcome):
        return settled
    if settled is None:
        taken = take_snapshot(catalog, champion.version)
        if not force and (reason := _nothing_new(catalog, champion, taken)):
            return RetrainOutcome(Ending.NOTHING_NEW, reason)
        names = [*(known.version for known in catalog.versions.all()), *list_versions(settings.weights_dir)]
        plan = RetrainPlan(champion.version, snapshots.store(catalog, taken), next_version(taken.id, names))
        work.settle_plan(plan)
    else:
        plan = settled
    if plan.version not in list_versions(settings.weights_dir):
        make_challenger(settings, catalog, work, plan, trainer or TorchTrainer(), on_progress)
    on_progress(1.0, "deciding")
    return _conclude(catalog, work, plan)


def _settled(
    settings: Settings, catalog: Catalog, work: WorkFolder, champion: VersionRecord
) -> RetrainPlan | RetrainOutcome | None:
    """What an earlier run of this job has left: its plan, or even its outcome."""
    plan = work.plan()
    if plan is None:
        return None
    for known in catalog.versions.all():
        if known.version == plan.version and known.state is not VersionState.CHALLENGER:
            return _outcome(known)
    if plan.champion != champion.version and plan.version not in list_versions(settings.weights_dir):
        _LOG.warning(
            "the champion is %s now, not %s; the retrain starts over", champion.version, plan.champion
        )
        work.start_over()
        return None
    return plan


def _nothing_new(catalog: Catalog, champion: VersionRecord, taken: Snapshot) -> str | None:
    """Why there is nothing to learn, None where there is."""
    if not taken.corrections:
        return "nothing new: there is no correction of a patient in training yet"
    for known in catalog.versions.all():
        of_champion = champion.version in (known.version, known.parent)
        if not of_champion or known.snapshot is None or known.state is VersionState.CHALLENGER:
            continue
        learned = snapshots.read_if_kept(catalog, known.snapshot)
        if learned is not None and learned.learned == taken.learned:
            how = "refused" if known.state is VersionState.REFUSED else "learned"
            return f"nothing new: {known.version} was trained on these very corrections ({how})"
    return None


def _conclude(catalog: Catalog, work: WorkFolder, plan: RetrainPlan) -> RetrainOutcome:
    """Registers the saved version and makes it champion or refuses it."""
    decision = work.decision()
    if decision is None:
        raise NotFoundError(f"{plan.version} was saved without a decision; delete its folder and retrain")
    catalog.versions.register(plan.version, plan.champion, plan.snapshot)
    now = catalog.versions.champion()
    if decision["promote"] and now is not None and now.version not in (plan.champion, plan.version):
        reason = (
            f"the champion became {now.version} while this was trained from {plan.champion}; retrain again"
        )
        decision = {**decision, "promote": False, "reasons": [reason, *decision["reasons"]]}
    if decision["promote"]:
        return _outcome(catalog.versions.set_champion(plan.version, decision))
    return _outcome(catalog.versions.refuse(plan.version, decision))


def _outcome(known: VersionRecord) -> RetrainOutcome:
    reasons = "; ".join((known.decision or {}).get("reasons", ()))
    if known.state is VersionState.REFUSED:
        return RetrainOutcome(Ending.REFUSED, f"{known.version} was refused: {reasons}", known.version)
    is_or_was = "is" if known.state is VersionState.CHAMPION else "was"
    return RetrainOutcome(Ending.PROMOTED, f"{known.version} {is_or_was} promoted: {reasons}", known.version)
