"""What does a warm start give over random weights, at the same number of steps?

Compared, in turns in one run, by seed: U-Nets with EfficientNet-b0 fitted for the same few steps on the
same batches, (a) from random weights, (b) from ImageNet's features of EfficientNet-lite0 (the extra
`warm-start`). Where LUNGLOOP_SHARED_DATA is set the fit is on the shared train patients and the Dice of
the held-out ones; else on phantoms. Figure: mean lesion Dice by patient, over seeds.

`--quick` takes one seed and a few small steps on phantoms, to see that the script runs.
"""

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from _results import Measurement, show, write

from chestct.errors import SettingsError
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.model.architecture import architecture_of
from chestct.model.card import ModelCard
from chestct.model.network import build_network
from chestct.model.weights import save_version
from chestct.settings import Settings
from training.data.dataset import TrainingSample
from training.data.phantom_samples import phantom_samples
from training.data.shared_data import shared_samples
from training.evaluate import score_patients, summarise
from training.evaluate.metrics import bootstrap_interval
from training.fitting.config import FitConfig
from training.fitting.fit import fit
from training.fitting.warm_start import warm_start

ENCODER, SIZE = "efficientnet-b0", 128
# So many held-out slices are scored, evenly spaced; each costs two looks.
SCORED = 60


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    given = parser.parse_args()
    seeds, steps, size = (1, 3, 32) if given.quick else (given.seeds, given.steps, SIZE)
    if not warm_start(build_network(architecture_of(ENCODER))):
        raise SettingsError("there is no warm start to measure; install the extra `warm-start`")
    shared = None if given.quick else Settings.load().shared_data
    if shared is None:
        data, fitted, truths = "phantoms", phantom_samples(range(700, 708)), phantom_samples(range(800, 804))
    else:
        both = shared_samples(shared)
        data, fitted, truths = "shared data", list(both.fitted), list(both.held_out)
    truths = truths[:: max(1, len(truths) // SCORED)]
    scores: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(seeds):
        for warm in (False, True):
            scores[warm].append(lesion_dice(fitted, truths, steps, size, seed, warm=warm))
    gains = [warm - cold for cold, warm in zip(scores[False], scores[True], strict=True)]
    low, high = bootstrap_interval(gains, seed=42)
    measurements = [
        Measurement(
            f"lesion Dice after {steps} steps from ImageNet's features of lite0",
            statistics.mean(scores[True]),
            "Dice",
            f"from random weights {statistics.mean(scores[False]):.3f} ({data}, {size} x {size}, "
            f"{seeds} seeds; gain by seed {statistics.mean(gains):+.3f} [{low:+.3f}, {high:+.3f}])",
            "better than random weights",
            statistics.mean(gains) > 0,
        )
    ]
    show(measurements) if given.quick else write("warm_start", measurements)


def lesion_dice(
    fitted: list[TrainingSample],
    truths: list[TrainingSample],
    steps: int,
    size: int,
    seed: int,
    *,
    warm: bool,
) -> float:
    """Mean over patients after one short fit."""
    config = replace(
        FitConfig.from_scratch(steps=steps, seed=seed, encoder=ENCODER),
        input_size=size,
        early_share=0.0,
        ema_decay=0.95,
        checkpoint_every=steps,
    )
    with tempfile.TemporaryDirectory() as folder:
        start = None if warm else random_version(Path(folder) / "weights", seed)
        result = fit(fitted, config, start_from=start, work_dir=Path(folder) / "work")
    card = ModelCard(version="measured", architecture=result.architecture, input_size=size)
    figures = summarise(score_patients(UNetSegmenter.of_weights(card, result.state_dict), truths))
    return figures["lesion_dice"]["mean"]


def random_version(weights_dir: Path, seed: int) -> Path:
    """A version that nobody has trained: a fit that starts from it starts from nothing."""
    torch.manual_seed(seed)
    architecture = architecture_of(ENCODER)
    card = ModelCard(version="random", architecture=architecture)
    return save_version(weights_dir, build_network(architecture).state_dict(), card)


if __name__ == "__main__":
    main()
