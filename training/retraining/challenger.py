"""Making the challenger: crossed fits for evidence, the fit on everything, the gate, the card."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from chestct.catalog.records import VersionRecord
from chestct.model.card import ModelCard
from chestct.model.weights import load_version, save_version
from chestct.progress import OnProgress, Progress, part_of
from chestct.settings import Settings
from training.data.snapshot_samples import RetrainSamples
from training.evaluate import summarise
from training.evaluate.card_data import data_of
from training.fitting.config import FitConfig
from training.retraining.crossing import CrossedEvidence, Crossing
from training.retraining.evidence import Evidence, gathered, wants_crossed_patients
from training.retraining.gate import decide
from training.retraining.looks import LOOKED_AT, looked_at
from training.retraining.plan import RetrainPlan, WorkFolder
from training.retraining.recipe import averaged, fit_config, steps_for
from training.retraining.trainer import Model, Trainer

# Where the parts of the work end on the progress bar.
_LOADED, _CROSSED, _FITTED = 0.01, 0.7, 0.92


def make_challenger(
    settings: Settings,
    samples: RetrainSamples,
    work: WorkFolder,
    plan: RetrainPlan,
    trainer: Trainer,
    versions: Sequence[VersionRecord],
    on_progress: OnProgress,
) -> None:
    """Fits, compares and saves; the decision is on disk before the version is.

    Args:
        versions: all that the catalog knows, for how often test patients were looked at.
    """
    parent_dir = settings.weights_dir / plan.champion
    champion: Model = load_version(settings.weights_dir, plan.champion)
    parent, old = champion

    def config(slices: int, *, crossed: bool = False) -> FitConfig:
        steps = steps_for(slices, settings.retrain_steps, crossed=crossed)
        return fit_config(steps, parent.input_size, settings.train_seed)

    segmenter = trainer.segmenter(*champion)
    crossing = Crossing(
        trainer,
        champion,
        segmenter,
        samples.corrected,
        samples.replay,
        partial(config, crossed=True),
        parent_dir,
        work.path,
    )
    crossed = crossing.evidence(
        of_patients=wants_crossed_patients(samples.test),
        on_progress=part_of(on_progress, _LOADED, _CROSSED - _LOADED, ""),
    )
    final = config(len(samples.corrected))
    on_step = part_of(on_progress, _CROSSED, _FITTED - _CROSSED, "fitting")
    new = trainer.fit(samples.learned, final, parent_dir, work.path / "all", on_step)
    weights = averaged(old, new, crossed.new_share)
    card = _card(plan, parent, final, samples, crossed)
    calibration = _calibration(trainer, (card, weights), parent, samples, final.seed)
    card = replace(card, calibration=calibration)
    on_progress(Progress(_FITTED, stage="comparing"))
    evidence = gathered(segmenter, trainer.segmenter(card, weights), samples, crossed, versions)
    work.keep_decision(_decision(evidence, samples))
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    card = replace(card, metrics=_metrics(evidence), created_at=created_at)
    save_version(settings.weights_dir, weights, card)


def _decision(evidence: Evidence, samples: RetrainSamples) -> dict[str, Any]:
    decision = decide(evidence.unseen, evidence.open_studies, evidence.damage).as_dict()
    notes = [sentence for sentence in (samples.set_aside_sentence, samples.near_copies_sentence) if sentence]
    reasons = [*decision["reasons"], *notes]
    return decision | {"reasons": reasons, LOOKED_AT: looked_at(evidence.unseen.pairs)}


def _card(
    plan: RetrainPlan,
    parent: ModelCard,
    config: FitConfig,
    samples: RetrainSamples,
    crossed: CrossedEvidence,
) -> ModelCard:
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
            "new_share": crossed.new_share,
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


def _metrics(evidence: Evidence) -> dict[str, Any]:
    """Of the challenger, JSON-ready, by what it was scored on."""
    scored = {
        "test": [after for _, after in evidence.test],
        "crossed_patients": [after for _, after in evidence.unseen.pairs] if not evidence.test else [],
        "phantoms": [after for _, after in evidence.damage.phantoms],
    }
    return {name: summarise(scores) for name, scores in scored.items() if scores}


def _licence(parent: ModelCard) -> str:
    own = "corrections of this installation"
    return parent.data_licence if own in parent.data_licence else f"{parent.data_licence}; {own}".lstrip("; ")
