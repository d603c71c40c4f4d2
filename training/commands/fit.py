"""What `lungloop fit` does, free of the command line."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from chestct.errors import TrainingDataError, WeightsError
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.model.architecture import DEFAULT_ENCODER
from chestct.model.card import ModelCard, list_versions, read_card
from chestct.model.weights import save_version
from chestct.settings import Settings
from training.data.dataset import TrainingSample
from training.data.phantom_samples import PHANTOM, phantom_samples
from training.data.sample_check import SetAside, as_dicts, require_whole_set
from training.data.shared_data import CARD_NOTES, COVID_CT_SEG, DATA_LICENCE, LICENCES, MEDSEG, shared_samples
from training.evaluate import by_source, calibrate, score_patients, summarise
from training.evaluate.card_data import data_of
from training.fitting.config import DEFAULT_CHECKPOINT_EVERY, DEFAULT_INPUT_SIZE, FitConfig
from training.fitting.fit import OnProgress
from training.fitting.fitter import fitter
from training.fitting.pseudo_labels import guess_note, with_guessed_kinds

# Half of the samples are whole volumes, most others the few slices that tell the kinds of lesion
# apart; a few made-up chests bring HU, severe disease and lungs whose every pixel is known.
SOURCE_SHARES = {COVID_CT_SEG: 0.50, MEDSEG: 0.42, PHANTOM: 0.08}
# Guessed kinds make up for fewer views of MedSeg's 51 slices, which base-3 knew by heart (consolidation
# Dice 0.80 on them, 0.44 on the held-out ones).
SHARES_WITH_GUESSED_KINDS = {COVID_CT_SEG: 0.62, MEDSEG: 0.30, PHANTOM: 0.08}
FITTED_PHANTOMS = 40
_FIRST_PHANTOM_SEED = 500_000
_TURN_CHANCE = 0.1
# A pixel is called a lesion from this probability on. Dice is largest where the threshold is half of the
# Dice that can be reached (Lipton et al. 2014, arXiv 1402.1892), here about 0.77; not tuned on the scores.
LESION_THRESHOLD = 0.38
# Readers give the lesser kind of a lesion of two kinds at least 4 % of it (99 of 100 such lesions of the
# MedSeg slices that are fitted on); a quarter of that leaves theirs alone and takes the network's specks.
SMALLEST_KIND_SHARE = 0.01
# Share of the progress bar that the fit takes; the rest is calibration and scores.
_FIT_SHARE = 0.95


def run_fit(
    settings: Settings,
    out_version: str,
    *,
    steps: int,
    seed: int,
    encoder: str = DEFAULT_ENCODER,
    start_from: str | None = None,
    kinds_from: Sequence[str] = (),
    transplant_chance: float = 0.0,
    input_size: int = DEFAULT_INPUT_SIZE,
    phantoms: int = FITTED_PHANTOMS,
    devices: int = 1,
    checkpoint_every: int = DEFAULT_CHECKPOINT_EVERY,
    work_dir: Path | None = None,
    on_progress: OnProgress = lambda fraction, facts: None,
    on_set_aside: Callable[[SetAside], None] = lambda one: None,
) -> ModelCard:
    """Trains on the shared data and writes a version with its scores.

    Starts from ImageNet's features, or from another version, moved into another encoder of the
    same shape where that is asked for.

    Args:
        settings: `shared_data` and `weights_dir` count.
        out_version: name of the new version.
        steps: optimiser steps.
        encoder: of segmentation-models-pytorch.
        start_from: version to go on from; None starts from ImageNet's features.
        kinds_from: versions whose guess of a lesion's kind is fitted on where the labels leave it open, see
            `training.fitting.pseudo_labels`.
        transplant_chance: of setting another slice's lesion into a slice, see `training.data.transplant`.
        input_size: side of the square that the network sees, a multiple of 32.
        phantoms: made-up studies that are fitted on beside the shared data.
        devices: more than 1 fits on several through Lightning.
        checkpoint_every: steps between checkpoints; changes nothing of the outcome.
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
    if settings.shared_data is None:
        raise TrainingDataError(
            "training from scratch needs labelled data: set LUNGLOOP_SHARED_DATA to a folder that "
            "holds covid-ct-seg and medseg"
        )
    require_new(settings.weights_dir, out_version)
    command = f"lungloop fit {out_version} --encoder {encoder} --steps {steps} --seed {seed}"
    config = FitConfig.from_scratch(steps=steps, seed=seed, encoder=encoder)
    parents: tuple[str, ...] = ()
    if start_from is not None:
        parent = read_card(settings.weights_dir, start_from)
        parents = (start_from, *parent.parents)
        command = f"{parent.training.get('command', start_from)}; {command} --start-from {start_from}"
        config = FitConfig.from_version(steps=steps, seed=seed, move_to=encoder)
    for option, value, usual in (
        ("transplant", transplant_chance, 0.0),
        ("input-size", input_size, DEFAULT_INPUT_SIZE),
        ("phantoms", phantoms, FITTED_PHANTOMS),
        ("devices", devices, 1),
    ):
        command += f" --{option} {value:g}" if value != usual else ""
    command += "".join(f" --kinds-from {version}" for version in kinds_from)
    config = replace(
        config,
        input_size=input_size,
        checkpoint_every=checkpoint_every,
        source_shares=SHARES_WITH_GUESSED_KINDS if kinds_from else SOURCE_SHARES,
        turn_chance=_TURN_CHANCE,
        transplant_chance=transplant_chance,
    )
    shared = shared_samples(settings.shared_data)
    for one in shared.set_aside:
        on_set_aside(one)
    require_whole_set(shared.fitted, shared.held_out)
    guessing = [UNetSegmenter.load(settings.weights_dir, version) for version in kinds_from]
    made_up = phantom_samples(range(_FIRST_PHANTOM_SEED, _FIRST_PHANTOM_SEED + phantoms))
    with tempfile.TemporaryDirectory(prefix="lungloop-fit-") as scratch:
        result = fitter(devices)(
            [*(with_guessed_kinds(shared.fitted, guessing) if guessing else shared.fitted), *made_up],
            config,
            start_from=settings.weights_dir / start_from if start_from else None,
            work_dir=work_dir or Path(scratch),
            on_progress=lambda fraction, facts: on_progress(_FIT_SHARE * fraction, facts),
        )
    card = ModelCard(
        version=out_version,
        architecture=result.architecture,
        input_size=config.input_size,
        parents=parents,
        data_licence=DATA_LICENCE,
        data=data_of([*shared.fitted, *made_up], shared.held_out, LICENCES),
        decision={"lesion_threshold": LESION_THRESHOLD, "smallest_kind_share": SMALLEST_KIND_SHARE},
        notes=(*CARD_NOTES, guess_note(kinds_from)) if kinds_from else CARD_NOTES,
        training={
            "command": command,
            "config": config.as_dict(),
            "phantoms": phantoms,
            "kinds_from": list(kinds_from),
            "set_aside": as_dicts(shared.set_aside),
        },
    )
    card = calibrated_and_scored(result.state_dict, card, list(shared.held_out))
    save_version(settings.weights_dir, result.state_dict, card)
    on_progress(1.0, {"step": steps, "steps": steps, "seconds_left": 0.0})
    return read_card(settings.weights_dir, out_version)


def require_new(weights_dir: Path, version: str) -> None:
    """Said before hours of work; `save_version` looks again.

    Raises:
        WeightsError: the version exists.
    """
    if version in list_versions(weights_dir):
        raise WeightsError(f"version {version!r} exists; versions never change, choose another name")


def calibrated_and_scored(
    state_dict: dict[str, torch.Tensor], card: ModelCard, validation: list[TrainingSample]
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
