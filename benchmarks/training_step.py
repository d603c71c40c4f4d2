"""How much faster is our training step than plain PyTorch, at equal final Dice?

Compared, each measurement in a fresh process (how malloc keeps memory is a matter of the whole process),
in turns in one run: (a) plain: float32, eager, contiguous tensors, memory as glibc handles it, the network
as segmentation-models-pytorch computes it, AdamW as it comes; (b) ours: `training.fitting.fit`'s step
(channels last, freed memory kept, bfloat16 where the machine has it, convolutions before upsampling, fused
AdamW).
Same network (U-Net, EfficientNet-b0), same batches of phantoms, same loss, same number of threads.
Time: median seconds of a step at 256 x 256, batch 8. Dice: lesions of phantoms that were not fitted on,
after the same short fit both ways, for several seeds: two fits that round differently part ways, so one
pair says nothing.

`--quick` takes few and small steps, to see that the script runs; it leaves the results as they are.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from _results import Measurement, show, write

from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.labels import LESIONS
from chestct.model.architecture import architecture_of
from chestct.model.card import ModelCard
from chestct.model.fused_forward import fused_forward
from chestct.model.memory import keep_freed_memory
from chestct.model.network import build_network
from chestct.model.precision import has_bfloat16, placed, preferred_device
from chestct.prediction import most_probable
from training.data.phantom_samples import phantom_samples
from training.evaluate.metrics import Counts, bootstrap_interval, counts_of
from training.fitting.average import WeightAverage
from training.fitting.batches import Batches
from training.fitting.config import FitConfig
from training.fitting.losses import total_loss
from training.fitting.optimiser import GRADIENT_NORM, optimiser_of, set_rate
from training.fitting.step import take_step
from training.fitting.warm_start import warm_start

ENCODER = "efficientnet-b0"
GOAL, DICE_APART, SEEDS = 1.8, 0.02, 6
ARMS = ("plain", "ours")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--arm", choices=ARMS, help="one measurement in this process; used by the script")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--score", action="store_true")
    given = parser.parse_args()
    if given.arm:
        sys.stdout.write(
            json.dumps(measured(given.arm, given.size, given.steps, given.seed, given.score)) + "\n"
        )
        return
    rounds, size, steps, seeds = (1, 32, 3, 2) if given.quick else (4, 256, 8, SEEDS)
    fit_size, fit_steps = (32, 4) if given.quick else (96, 150)
    seconds: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for _ in range(rounds):
        for arm in ARMS:
            seconds[arm].append(in_a_fresh_process(arm, size, steps, seed=1, score=False)["seconds"])
    dice: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for seed in range(1, seeds + 1):
        for arm in ARMS:
            dice[arm].append(in_a_fresh_process(arm, fit_size, fit_steps, seed=seed, score=True)["dice"])
    gains = [ours - plain for plain, ours in zip(dice["plain"], dice["ours"], strict=True)]
    low, high = bootstrap_interval(gains, seed=42)
    plain, ours = (statistics.median(seconds[arm]) for arm in ARMS)
    ratio = statistics.median(a / b for a, b in zip(*(seconds[arm] for arm in ARMS), strict=True))
    numbers = "bfloat16" if has_bfloat16(preferred_device().type) else "float32, no bfloat16 in this machine"
    where = f"{torch.get_num_threads()} threads, {numbers}"
    measurements = [
        Measurement(
            f"seconds of a plain training step / of ours, {size} x {size}, batch 8",
            ratio,
            "x",
            f"plain {plain:.2f} s, ours {ours:.2f} s (medians of {rounds} processes each; {where})",
            f"at least {GOAL}",
            ratio >= GOAL,
        ),
        Measurement(
            "lesion Dice of our step after a short fit - of the plain step",
            statistics.mean(gains),
            "Dice",
            f"plain {told(dice['plain'])}, ours {told(dice['ours'])}; difference [{low:+.3f}, {high:+.3f}] "
            f"over {seeds} seeds ({fit_steps} steps, {fit_size} px)",
            f"not more than {DICE_APART} below",
            statistics.mean(gains) >= -DICE_APART,
        ),
    ]
    show(measurements) if given.quick else write("training_step", measurements)


def told(scores: list[float]) -> str:
    """Each score, for the results' own words."""
    return ", ".join(f"{score:.3f}" for score in scores)


def in_a_fresh_process(arm: str, size: int, steps: int, *, seed: int, score: bool) -> dict[str, float]:
    """What `measured` gives, from a process whose memory nobody has used."""
    options = ["--arm", arm, "--size", str(size), "--steps", str(steps), "--seed", str(seed)]
    options += ["--score"] if score else []
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), *options], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def measured(arm: str, size: int, steps: int, seed: int, score: bool) -> dict[str, float]:
    """Median seconds of a step, the first two left out, and where asked the lesion Dice after them."""
    config = FitConfig(
        steps=steps,
        batch_size=8,
        input_size=size,
        early_size=size,
        learning_rate=1e-3,
        warm_up_steps=min(10, steps),
        seed=seed,
        encoder=ENCODER,
    )
    batches = Batches(phantom_samples(range(700, 706)), config)
    torch.manual_seed(config.seed)
    network = build_network(architecture_of(ENCODER))
    warm_start(network)
    if arm == "ours":
        keep_freed_memory()
        network = fused_forward(placed(network, preferred_device()))
        optimiser = optimiser_of(network, config)
    else:
        network = network.to(preferred_device())
        optimiser = plain_optimiser(network, config)
    network.train()
    average = WeightAverage(network, config.ema_decay)
    times = []
    for step in range(steps):
        images, partial_labels = (tensor.to(preferred_device()) for tensor in batches.at(step))
        started = time.perf_counter()
        if arm == "ours":
            take_step(network, optimiser, (images, partial_labels), config, step)
        else:
            set_rate(optimiser, config, step)
            torch.manual_seed(config.seed * 1_000_003 + step)
            plain_step(network, optimiser, images.contiguous(), partial_labels, config)
        times.append(time.perf_counter() - started)
        average.update(network)
    result = {"seconds": statistics.median(times[2:] or times)}
    return result | {"dice": lesion_dice(average, size)} if score else result


def plain_optimiser(network: torch.nn.Module, config: FitConfig) -> torch.optim.Optimizer:
    """The same rates and decays in PyTorch's own loop."""
    groups = optimiser_of(network, config).param_groups
    return torch.optim.AdamW(
        [{key: group[key] for key in ("params", "weight_decay", "share")} for group in groups],
        lr=config.learning_rate,
    )


def plain_step(
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    images: torch.Tensor,
    partial_labels: torch.Tensor,
    config: FitConfig,
) -> None:
    """A training step as a tutorial writes it."""
    loss, _ = total_loss(network(images), partial_labels, config.dice_weight)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
    optimiser.step()


def lesion_dice(average: WeightAverage, size: int) -> float:
    """Dice of all lesion pixels of phantoms that were not fitted on."""
    card = ModelCard(version="timed", architecture=architecture_of(ENCODER), input_size=size)
    segmenter = UNetSegmenter.of_weights(card, average.weights())
    counts = Counts()
    for sample in phantom_samples(range(800, 803)):
        seen = most_probable(segmenter.unit_probabilities(sample.image))
        counts += counts_of(seen, sample.partial_labels, LESIONS) or Counts()
    return counts.dice() or 0.0


if __name__ == "__main__":
    main()
