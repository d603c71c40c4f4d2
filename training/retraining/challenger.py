"""Making the challenger: fit from the champion, compare the two, save it with its card."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.errors import TrainingDataError
from chestct.model.card import ModelCard
from chestct.model.weights import load_version, save_version
from chestct.settings import Settings
from training.data import snapshot as snapshots
from training.data.dataset import TrainingSample
from training.data.phantom_samples import phantom_samples
from training.data.sample_check import as_dicts, cautions, sentence
from training.data.snapshot import SliceReference, Snapshot, Truth
from training.data.snapshot_samples import load_sound_samples
from training.evaluate import score_patients, summarise
from training.evaluate.card_data import data_of
from training.fitting.config import FitConfig
from training.retraining.gate import decide
from training.retraining.plan import RetrainPlan, WorkFolder
from training.retraining.trainer import Trainer, Weights

OnProgress = Callable[[float, str], None]

# Of the samples, half are the readers' corrections and half are replayed (facts: 50/50 old and new).
_SHARES = {Truth.CORRECTION.value: 0.5, Truth.REFERENCE.value: 0.35, Truth.DISTILLED.value: 0.15}
# The newest corrected slices that are compared; each costs two predictions.
NEW_CASES_LIMIT = 120
# Rough costs on two cores, only to share the progress bar between fit and comparison.
_SECONDS_A_STEP, _SECONDS_A_SCORE = 0.5, 0.1


def make_challenger(
    settings: Settings,
    catalog: Catalog,
    work: WorkFolder,
    plan: RetrainPlan,
    trainer: Trainer,
    on_progress: OnProgress,
) -> None:
    """Fits, compares and saves; the decision is on disk before the version is."""
    taken = snapshots.read(catalog, plan.snapshot)
    parent_card, parent_weights = load_version(settings.weights_dir, plan.champion)
    config = FitConfig(
        steps=settings.retrain_steps,
        input_size=parent_card.input_size,
        early_size=parent_card.input_size,
        seed=settings.train_seed,
        source_shares=_SHARES,
    )
    frozen = load_sound_samples(catalog, taken.test)
    learned = load_sound_samples(catalog, (*taken.corrections, *taken.replay))
    set_aside = (*learned.set_aside, *frozen.set_aside)
    if not learned.samples and set_aside:
        raise TrainingDataError(f"no slice is left to learn from: {sentence(set_aside)}")
    test = frozen.samples or phantom_samples(taken.phantom_seeds)
    new = load_sound_samples(catalog, _new_cases(catalog, plan.champion, taken)).samples
    fit_share = _fit_share(config.steps, slices=len(test) + len(new))
    on_progress(0.01, "loading slices")
    weights = trainer.fit(
        learned.samples,
        config,
        settings.weights_dir / plan.champion,
        work.path,
        lambda fraction: on_progress(0.01 + fit_share * fraction, "fitting"),
    )
    card = ModelCard(
        version=plan.version,
        architecture=parent_card.architecture,
        window_hu=parent_card.window_hu,
        input_size=parent_card.input_size,
        parents=(plan.champion, *parent_card.parents),
        snapshot=plan.snapshot,
        calibration={"temperature": 1.0},
        data_licence=_licence(parent_card),
        decision=parent_card.decision,
        training={
            "config": config.as_dict(),
            "command": "retrain",
            "set_aside": as_dicts(set_aside),
            "cautions": cautions(learned.samples),
        },
        data=data_of(learned.samples, test),
    )
    del learned  # hundreds of slices, which the comparison has no use for
    card = replace(
        card, calibration=_calibration(catalog, trainer, taken, card, weights, parent_card, config)
    )
    comparing = _Progress(on_progress, start=0.01 + fit_share, end=0.99)
    decision, metrics = _compare(
        trainer, (parent_card, parent_weights), (card, weights), test, new, comparing, bool(frozen.samples)
    )
    if set_aside:
        decision = {**decision, "reasons": [*decision["reasons"], sentence(set_aside)]}
    work.settle_decision(decision)
    save_version(settings.weights_dir, weights, replace(card, metrics=metrics))


def _new_cases(catalog: Catalog, champion: str, taken: Snapshot) -> list[SliceReference]:
    """The corrections that the champion has not learned from, the newest of them."""
    record = catalog.versions.get(champion)
    before = snapshots.read_if_kept(catalog, record.snapshot) if record.snapshot else None
    known = {(item.slice_key, item.label_map_path) for item in before.corrections} if before else set()
    new = [item for item in taken.corrections if (item.slice_key, item.label_map_path) not in known]
    return sorted(new, key=lambda item: item.correction_id or 0)[-NEW_CASES_LIMIT:]


def _calibration(
    catalog: Catalog,
    trainer: Trainer,
    taken: Snapshot,
    card: ModelCard,
    weights: Weights,
    parent: ModelCard,
    config: FitConfig,
) -> dict[str, Any]:
    """A temperature of its own where there are records to fit it on, else the parent's."""
    if not taken.calibration:
        return {"temperature": parent.temperature, "inherited_from": parent.version}
    samples = load_sound_samples(catalog, taken.calibration).samples
    temperature = trainer.temperature(trainer.segmenter(card, weights), samples, config.seed)
    return {"temperature": temperature, "slices": len(samples)}


def _compare(
    trainer: Trainer,
    champion: tuple[ModelCard, Weights],
    challenger: tuple[ModelCard, Weights],
    test: Sequence[TrainingSample],
    new: Sequence[TrainingSample],
    progress: "_Progress",
    frozen: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The gate's decision and the challenger's metrics, both JSON-ready."""
    scores = []
    for card, weights in (champion, challenger):
        segmenter = trainer.segmenter(card, weights)
        for samples in (test, new):
            share = len(samples) / (2 * (len(test) + len(new)))
            scores.append(score_patients(segmenter, samples, progress.part(share)))
    decision = decide(
        scores[0],
        scores[2],
        new_champion=scores[1],
        new_challenger=scores[3],
        evidence="frozen patients" if frozen else "phantoms",
    )
    metrics = {"test": summarise(scores[2]) | {"evidence": decision.figures["evidence"]}}
    if new:
        metrics["corrected_cases"] = summarise(scores[3])
    return decision.as_dict(), metrics


def _licence(parent: ModelCard) -> str:
    own = "corrections of this installation"
    return parent.data_licence if own in parent.data_licence else f"{parent.data_licence}; {own}".lstrip("; ")


def _fit_share(steps: int, slices: int) -> float:
    fitting, comparing = steps * _SECONDS_A_STEP, 2 * slices * _SECONDS_A_SCORE
    return 0.98 * fitting / (fitting + comparing)


class _Progress:
    """Hands out consecutive parts of a stretch of the progress bar."""

    def __init__(self, on_progress: OnProgress, start: float, end: float) -> None:
        self._on_progress, self._at, self._length = on_progress, start, end - start

    def part(self, share: float) -> Callable[[float], None]:
        start, length = self._at, self._length * share
        self._at += length
        return lambda fraction: self._on_progress(start + length * fraction, "comparing")
