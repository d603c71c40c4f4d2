"""Making the challenger: fit from the champion, compare the two, save it with its card."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from chestct.model.card import ModelCard
from chestct.model.weights import load_version, save_version
from chestct.progress import OnProgress, part_of
from chestct.settings import Settings
from training.data.snapshot import Truth
from training.data.snapshot_samples import RetrainSamples
from training.evaluate import score_patients, summarise
from training.evaluate.card_data import data_of
from training.fitting.config import FitConfig
from training.retraining.gate import decide
from training.retraining.plan import RetrainPlan, WorkFolder
from training.retraining.trainer import Trainer, Weights

Model = tuple[ModelCard, Weights]

# Of the samples, half are the readers' corrections and half are replayed, so that nothing is forgotten.
_SHARES = {Truth.CORRECTION.value: 0.5, Truth.REFERENCE.value: 0.35, Truth.DISTILLED.value: 0.15}
# Rough costs on two cores, only to share the progress bar between fit and comparison.
_SECONDS_A_STEP, _SECONDS_A_SCORE = 0.5, 0.1
# Shares of the progress bar: before the fit, and for fit and comparison together.
_LOADED, _WORKED = 0.01, 0.98


def make_challenger(
    settings: Settings,
    samples: RetrainSamples,
    work: WorkFolder,
    plan: RetrainPlan,
    trainer: Trainer,
    on_progress: OnProgress,
) -> None:
    """Fits, compares and saves; the decision is on disk before the version is."""
    champion = load_version(settings.weights_dir, plan.champion)
    evidence = "frozen patients" if samples.test else "phantoms"
    samples = replace(samples, test=samples.test or samples.phantoms)
    parent = champion[0]
    config = FitConfig(
        steps=settings.retrain_steps,
        input_size=parent.input_size,
        early_size=parent.input_size,
        seed=settings.train_seed,
        source_shares=_SHARES,
    )
    fit_share = _fit_share(config.steps, slices=len(samples.test) + len(samples.new_cases))
    card = _card(plan, parent, config, samples)
    weights = trainer.fit(
        samples.learned,
        config,
        settings.weights_dir / plan.champion,
        work.path,
        part_of(on_progress, _LOADED, fit_share, "fitting"),
    )
    # Hundreds of slices, which the comparison has no use for.
    samples = replace(samples, learned=())
    card = replace(card, calibration=_calibration(trainer, (card, weights), parent, samples, config.seed))
    comparing = part_of(on_progress, _LOADED + fit_share, _WORKED - fit_share, "comparing")
    decision, metrics = _compare(trainer, champion, (card, weights), samples, evidence, comparing)
    if samples.set_aside:
        decision = {**decision, "reasons": [*decision["reasons"], samples.set_aside_sentence]}
    work.keep_decision(decision)
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    save_version(settings.weights_dir, weights, replace(card, metrics=metrics, created_at=created_at))


def _card(plan: RetrainPlan, parent: ModelCard, config: FitConfig, samples: RetrainSamples) -> ModelCard:
    return ModelCard(
        version=plan.version,
        architecture=parent.architecture,
        window_hu=parent.window_hu,
        input_size=parent.input_size,
        parents=(plan.champion, *parent.parents),
        snapshot=plan.snapshot,
        calibration={"temperature": 1.0},
        data_licence=_licence(parent),
        decision=parent.decision,
        training={
            "config": config.as_dict(),
            "command": "retrain",
            "set_aside": [asdict(aside) for aside in samples.set_aside],
            "cautions": list(samples.cautions),
        },
        data=data_of(samples.learned, samples.test),
    )


def _calibration(
    trainer: Trainer, challenger: Model, parent: ModelCard, samples: RetrainSamples, seed: int
) -> dict[str, Any]:
    """A temperature of its own where there are reference labels to fit it on, else the parent's."""
    if not samples.calibration:
        return {"temperature": parent.temperature, "inherited_from": parent.version}
    temperature = trainer.temperature(trainer.segmenter(*challenger), samples.calibration, seed)
    return {"temperature": temperature, "slices": len(samples.calibration)}


def _compare(
    trainer: Trainer,
    champion: Model,
    challenger: Model,
    samples: RetrainSamples,
    evidence: str,
    on_progress: OnProgress,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The gate's decision and the challenger's metrics, both JSON-ready."""
    scores, done = [], 0.0
    slices = 2 * (len(samples.test) + len(samples.new_cases))
    for model in (champion, challenger):
        segmenter = trainer.segmenter(*model)
        for cases in (samples.test, samples.new_cases):
            share = len(cases) / slices
            scores.append(score_patients(segmenter, cases, part_of(on_progress, done, share, "")))
            done += share
    decision = decide(
        scores[0],
        scores[2],
        new_champion=scores[1],
        new_challenger=scores[3],
        evidence=evidence,
    )
    metrics = {"test": summarise(scores[2]) | {"evidence": decision.figures["evidence"]}}
    if samples.new_cases:
        metrics["corrected_cases"] = summarise(scores[3])
    return decision.as_dict(), metrics


def _licence(parent: ModelCard) -> str:
    own = "corrections of this installation"
    return parent.data_licence if own in parent.data_licence else f"{parent.data_licence}; {own}".lstrip("; ")


def _fit_share(steps: int, slices: int) -> float:
    fitting, comparing = steps * _SECONDS_A_STEP, 2 * slices * _SECONDS_A_SCORE
    return _WORKED * fitting / (fitting + comparing)
