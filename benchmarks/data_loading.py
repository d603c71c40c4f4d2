"""How much of a training step is spent waiting for its batch?

A real fit (`training.fitting.fit.fit`, as `lungloop fit` configures it: 256 x 256, batch 10, transplanted
lesions and turned slices, its worst case) on phantoms of 512 x 512; its curve tells for each step how
long the step waited for data. Beside it, in the same run, what making a batch costs where
nothing else runs: the share that waiting would have if batches were not made ahead.

`--quick` takes few and small steps, to see that the script runs; it leaves the results as they are.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from _results import Measurement, show, write

from chestct.labels import SeverityGrade
from chestct.phantoms import phantom_study
from training.data.dataset import TrainingSample
from training.fitting.batches import Batches
from training.fitting.config import FitConfig
from training.fitting.fit import fit

GOAL_PERCENT = 5.0
# The first steps warm memory and caches.
LEFT_OUT = 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    steps, size, side = (4, 32, 64) if quick else (20, 256, 512)
    config = replace(
        FitConfig.from_scratch(steps=steps, seed=3),
        input_size=size,
        early_share=0.0,
        transplant_chance=0.5,
        turn_chance=0.1,
        checkpoint_every=steps,
    )
    samples = slices(side)
    with tempfile.TemporaryDirectory() as folder:
        result = fit(samples, config, start_from=None, work_dir=Path(folder))
        rows = [json.loads(row) for row in result.curve.read_text().splitlines()]
    whole = rows[-1]["seconds"] - rows[LEFT_OUT - 1]["seconds"]
    waited = sum(row["waited_seconds"] for row in rows[LEFT_OUT:])
    alone = made_alone(Batches(samples, config), min(5, steps))
    a_step = whole / (steps - LEFT_OUT)
    percent = 100 * waited / whole
    measurements = [
        Measurement(
            "share of a training step spent waiting for its batch",
            percent,
            "%",
            f"made in turn with the steps it would be {100 * alone / (alone + a_step):.1f} % "
            f"({alone:.2f} s a batch, {a_step:.2f} s a step, {steps - LEFT_OUT} steps)",
            f"under {GOAL_PERCENT:g}",
            percent < GOAL_PERCENT,
        )
    ]
    show(measurements) if quick else write("data_loading", measurements)


def slices(side: int) -> list[TrainingSample]:
    """Slices of phantoms at the size of a scanner's."""
    samples = []
    for seed in (1, 2, 3):
        study = phantom_study(seed, SeverityGrade.CT_2, (8, side, side)).labelled_study()
        samples += [
            TrainingSample.of_slice(
                pixels,
                study.intensity,
                study.partial_labels[index],
                source="phantom",
                patient=study.patient,
                name=f"{study.name} slice {index}",
            )
            for index, pixels in enumerate(study.slices)
        ]
    return samples


def made_alone(batches: Batches, count: int) -> float:
    """Median seconds of making a batch while nothing else is computed."""
    times = []
    for step in range(count):
        started = time.perf_counter()
        batches.at(step)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
