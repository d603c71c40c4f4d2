"""A study from file to grade, beside the bare network.

Compared, in turns, in one run: (a) one forward pass of the version's network on a ready tensor for
each of the study's slices, and (b) the product: read the NIfTI file (41 x 512 x 512 phantom, HU, gzip),
find the lungs, segment every slice, grade the study. The result's files are timed
apart (c): label map as NIfTI, overlays, report. One torch thread on both sides: the work around the
network runs on a second core where there is one.

    python benchmarks/study_speed.py [version]     the newest base-* by default
"""

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from _results import Measurement, write
from _weights import newest_base

from chestct.formats.nifti import read_nifti, write_volume_nifti
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.model.network import build_network
from chestct.model.precision import placed, preferred_device
from chestct.model.weights import load_version
from chestct.phantoms import phantom_study
from chestct.settings import Settings
from chestct.severity.grading import Severity, severity_of_predictions
from lungloop.segmenting import find_inputs, segment_inputs

_SHAPE = (41, 512, 512)
_TURNS = 3
_GOAL_RATIO = 1.15


@dataclass(frozen=True)
class Seconds:
    """What a call took.

    Args:
        wall: on the clock.
        processor: of all its threads.
    """

    wall: float
    processor: float


def main() -> None:
    settings = Settings.load()
    version = sys.argv[1] if len(sys.argv) > 1 else newest_base(settings.weights_dir)
    segmenter = UNetSegmenter.load(settings.weights_dir, version)
    forward = bare_network(settings.weights_dir, version)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "study.nii.gz", Path(folder) / "out"
        # In a process of its own: what drawing a phantom takes is not the product's memory.
        with ProcessPoolExecutor(1, get_context("spawn")) as other:
            other.submit(write_phantom, path).result()
        before_mb = peak_mb()
        bare: list[Seconds] = []
        product: list[Seconds] = []
        files: list[Seconds] = []
        for turn in range(_TURNS + 1):
            seconds = (
                timed(lambda: [forward() for _ in range(_SHAPE[0])]),
                timed(lambda: graded(path, segmenter)),
                timed(lambda: segment_inputs(find_inputs([path], out), out, segmenter)),
            )
            if turn:  # the first turn warms both sides
                for kept, one in zip((bare, product, files), seconds, strict=True):
                    kept.append(one)
    report(version, bare, product, files, peak_mb() - before_mb)


def report(
    version: str, bare: list[Seconds], product: list[Seconds], files: list[Seconds], mb: float
) -> None:
    bare_wall, product_wall = (statistics.median(one.wall for one in kept) for kept in (bare, product))
    baseline = (
        f"{_SHAPE[0]} passes of {version}'s bare network {bare_wall:.2f} s, "
        f"file to grade {product_wall:.2f} s (medians of {len(bare)} turns)"
    )
    ratio = median_ratio([one.wall for one in product], [one.wall for one in bare])
    write(
        "study_speed",
        [
            Measurement(
                "a 41 x 512 x 512 study from file to grade / the bare network for its slices",
                ratio,
                "x",
                baseline,
                f"at most {_GOAL_RATIO}",
                ratio <= _GOAL_RATIO,
            ),
            Measurement(
                "the same in seconds of processor time, of all threads together",
                median_ratio([one.processor for one in product], [one.processor for one in bare]),
                "x",
                baseline,
                "none: work beside the network may overlap with it",
                None,
            ),
            Measurement(
                "the same with label map, overlays and report written / the bare network for its slices",
                median_ratio([one.wall for one in files], [one.wall for one in bare]),
                "x",
                baseline,
                "none",
                None,
            ),
            Measurement(
                "memory that segmenting studies adds to the process at its peak",
                mb,
                "MB",
                f"the study itself is {2 * np.prod(_SHAPE) / 1e6:.0f} MB of int16; the process, network "
                f"loaded, had peaked at {peak_mb() - mb:.0f} MB before",
                "none",
                None,
            ),
        ],
    )


def write_phantom(path: Path) -> None:
    phantom = phantom_study(3, shape=_SHAPE)
    write_volume_nifti(path, np.stack(phantom.study.slices), phantom.geometry)


def graded(path: Path, segmenter: UNetSegmenter) -> Severity:
    """The severity of a NIfTI file."""
    study = read_nifti(path)
    found = segmenter.segment_study(study.slices, study.intensity, slices_apart_mm=study.slices_apart_mm)
    return severity_of_predictions(found, study.geometry, study.intensity, model_version=segmenter.version)


def bare_network(weights_dir: Path, version: str) -> Callable[[], None]:
    """One forward pass on a ready tensor, placed as the product places it."""
    card, weights = load_version(weights_dir, version)
    network = build_network(card.architecture)
    network.load_state_dict(weights)
    network = placed(network, preferred_device()).eval()
    picture = torch.rand(1, 1, card.input_size, card.input_size, device=preferred_device())
    picture = picture.contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode():
            network(picture).cpu()

    return forward


def timed(call: Callable[[], object]) -> Seconds:
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return Seconds(time.perf_counter() - wall, time.process_time() - processor)


def median_ratio(values: list[float], baselines: list[float]) -> float:
    """Of the pairs that ran in one turn."""
    return statistics.median(value / baseline for value, baseline in zip(values, baselines, strict=True))


def peak_mb() -> float:
    """The most memory that this process has held so far; kilobytes on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
