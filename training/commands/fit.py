"""What `lungloop fit` does, free of the command line."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from chestct.errors import TrainingDataError, WeightsError
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.model.card import ModelCard, list_versions, read_card
from chestct.model.weights import save_version
from chestct.progress import OnProgress, Progress, unheard
from chestct.settings import Settings
from training.data.dataset import TrainingSample
from training.data.phantom_samples import PHANTOM, phantom_samples
from training.data.sample_check import SetAside, require_whole_set
from training.data.shared_data import (
    CARD_NOTES,
    COVID_CT_SEG,
    DATA_LICENCE,
    LICENCES,
    MEDSEG,
    SharedSamples,
    shared_samples,
)
from training.evaluate import by_source, calibrate, score_patients, summarise
from training.evaluate.card_data import data_of
from training.fitting.config import FitConfig
from training.fitting.fit import fitter
from training.fitting.options import FitOptions
from training.fitting.pseudo_labels import guess_note, with_guessed_kinds

# Half of the samples are whole volumes, most others the few slices that tell the kinds of lesion
# apart; a few phantoms bring HU, severe disease and lungs whose every pixel is known.
SOURCE_SHARES = {COVID_CT_SEG: 0.50, MEDSEG: 0.42, PHANTOM: 0.08}
# Guessed kinds make up for fewer views of MedSeg's 51 slices, which base-3 knew by heart (consolidation
# Dice 0.80 on them, 0.44 on the held-out ones).
SHARES_WITH_GUESSED_KINDS = {COVID_CT_SEG: 0.62, MEDSEG: 0.30, PHANTOM: 0.08}
_FIRST_PHANTOM_SEED = 500_000
_TURN_CHANCE = 0.1
# A pixel is called a lesion from this probability on. Dice is largest where the threshold is half of the
# Dice that can be reached (Lipton et al. 2014, arXiv 1402.1892), here about 0.77; not tuned on the scores.
LESION_THRESHOLD = 0.38
# Readers give the lesser kind of a lesion of two kinds at least 4 % of it (99 of 100 such lesions of the
# MedSeg slices that are fitted on); a quarter of that leaves theirs alone and takes the network's minor
# components.
SMALLEST_KIND_SHARE = 0.01
# Share of the progress bar that the fit takes; the rest is calibration and scores.
_FIT_SHARE = 0.95


def run_fit(
    settings: Settings,
    version: str,
    options: FitOptions,
    *,
    work_dir: Path | None = None,
    on_progress: OnProgress = unheard,
    on_set_aside: Callable[[SetAside], None] = lambda aside: None,
) -> ModelCard:
    """Trains on the shared data and writes a version with its scores.

    Args:
        settings: `shared_data` and `weights_dir` count.
        version: name of the new version.
        work_dir: keeps the checkpoint; given once more after a kill, the fit goes on there. A
            temporary folder by default.
        on_set_aside: told of each slice or file that cannot be used; the rest trains.
    Returns:
        The new version's card; `training["set_aside"]` names what was not used.
    Raises:
        TrainingDataError: there is no shared data, or it cannot teach all classes.
        TrainingDivergedError: the loss became NaN; no version is written.
        WeightsError: the version exists.
    """
    require_new(settings.weights_dir, version)
    parent = read_card(settings.weights_dir, options.start_from) if options.start_from else None
    shared = _shared_samples(settings, on_set_aside)
    guessing = [UNetSegmenter.load(settings.weights_dir, name) for name in options.kinds_from]
    phantoms = phantom_samples(range(_FIRST_PHANTOM_SEED, _FIRST_PHANTOM_SEED + options.phantoms))
    config = _config(options)
    with tempfile.TemporaryDirectory(prefix="lungloop-fit-") as scratch:
        result = fitter(options.devices)(
            [*(with_guessed_kinds(shared.fitted, guessing) if guessing else shared.fitted), *phantoms],
            config,
            start_from=settings.weights_dir / parent.version if parent else None,
            work_dir=work_dir or Path(scratch),
            on_progress=lambda progress: on_progress(replace(progress, done=_FIT_SHARE * progress.done)),
        )
    card = ModelCard(
        version,
        result.architecture,
        input_size=config.input_size,
        parents=(parent.version, *parent.parents) if parent else (),
        data_licence=DATA_LICENCE,
        data=data_of([*shared.fitted, *phantoms], shared.held_out, LICENCES),
        decision={"lesion_threshold": LESION_THRESHOLD, "smallest_kind_share": SMALLEST_KIND_SHARE},
        notes=(*CARD_NOTES, guess_note(options.kinds_from)) if options.kinds_from else CARD_NOTES,
        training=_training(version, options, config, parent, shared.set_aside),
    )
    card = calibrated_and_scored(result.state_dict, card, shared.held_out)
    save_version(settings.weights_dir, result.state_dict, card)
    on_progress(Progress(options.steps, options.steps, "steps", {"seconds_left": 0.0}))
    return read_card(settings.weights_dir, version)


def _shared_samples(settings: Settings, on_set_aside: Callable[[SetAside], None]) -> SharedSamples:
    if settings.shared_data is None:
        raise TrainingDataError(
            "training from scratch needs labelled data: set LUNGLOOP_SHARED_DATA to a folder that "
            "holds covid-ct-seg and medseg"
        )
    shared = shared_samples(settings.shared_data)
    for aside in shared.set_aside:
        on_set_aside(aside)
    require_whole_set(shared.fitted, shared.held_out)
    return shared


def _config(options: FitOptions) -> FitConfig:
    steps, seed, encoder = options.steps, options.seed, options.encoder
    return replace(
        FitConfig.from_version(steps=steps, seed=seed, move_to=encoder)
        if options.start_from
        else FitConfig.from_scratch(steps=steps, seed=seed, encoder=encoder),
        input_size=options.input_size,
        checkpoint_every=options.checkpoint_every,
        source_shares=SHARES_WITH_GUESSED_KINDS if options.kinds_from else SOURCE_SHARES,
        turn_chance=_TURN_CHANCE,
        transplant_chance=options.transplant,
    )


def _training(
    version: str,
    options: FitOptions,
    config: FitConfig,
    parent: ModelCard | None,
    set_aside: Iterable[SetAside],
) -> dict[str, Any]:
    """The card's `training`: how the version can be made again, from its oldest parent on."""
    before = f"{parent.training.get('command', parent.version)}; " if parent else ""
    return {
        "command": before + options.command(version),
        "config": config.as_dict(),
        "phantoms": options.phantoms,
        "kinds_from": list(options.kinds_from),
        "set_aside": [asdict(aside) for aside in set_aside],
    }


def require_new(weights_dir: Path, version: str) -> None:
    """Said before hours of work; `save_version` looks again.

    Raises:
        WeightsError: the version exists.
    """
    if version in list_versions(weights_dir):
        raise WeightsError(f"version {version!r} exists; versions never change, choose another name")


def calibrated_and_scored(
    state_dict: dict[str, torch.Tensor], card: ModelCard, validation: Sequence[TrainingSample]
) -> ModelCard:
    """The card with its temperature and its scores on samples that were not fitted on."""
    raw = UNetSegmenter.of_weights(replace(card, calibration={"temperature": 1.0}), state_dict)
    card = replace(card, calibration=calibrate(raw, validation))
    segmenter = UNetSegmenter.of_weights(card, state_dict)
    metrics = {
        source: summarise(score_patients(segmenter, samples, temperature=card.temperature))
        for source, samples in by_source(validation).items()
    }
    return replace(card, metrics=metrics)
