"""Does the partial-label loss recover a class that a source hides? A toy whose truth is known.

Compared, with the same network, pictures, steps and seeds, in turns in one run: (a) candidate maps, by
which a source says nothing of the class it hides, and (b) naive labels, by which the hidden class is
what an unlabelled pixel of that source is usually taken for. Three sources of phantoms: one hides
consolidation (its lesions are all "ground-glass"), one hides the lungs (as MedSeg does), one small one
hides nothing. Figure: mean Dice of a hidden class, by phantoms that were not fitted on, over seeds.

`--quick` takes one seed and a few steps, to see that the script runs.
"""

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from _results import Measurement, show, write

from chestct import partial_labels
from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.labels import LESIONS, Label, SeverityGrade
from chestct.model.card import ModelCard
from chestct.phantoms import phantom_study
from chestct.prediction import most_probable
from training.data.dataset import TrainingSample
from training.evaluate.metrics import Counts, bootstrap_interval, counts_of
from training.fitting.config import FitConfig
from training.fitting.fit import fit

SIDE, SLICES, ENCODER = 64, 5, "tu-tf_efficientnet_lite0"
GRADES = (SeverityGrade.CT_2, SeverityGrade.CT_3)
# Studies of each source; the few whole ones are what lets the hidden class be named at all.
HIDES_CONSOLIDATION, HIDES_LUNG, HIDES_NOTHING, TEST_STUDIES = 8, 8, 2, 6
HIDDEN = (Label.CONSOLIDATION, Label.LUNG)
ARMS = ("candidates", "naive")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=150)
    given = parser.parse_args()
    seeds, steps = (1, 4) if given.quick else (given.seeds, given.steps)
    dice: dict[tuple[str, Label], list[float]] = {(arm, label): [] for arm in ARMS for label in HIDDEN}
    for seed in range(seeds):
        truths = [sample for number in range(TEST_STUDIES) for sample in whole(9000 + 100 * seed + number)]
        for arm in ARMS:
            for label, value in recovered(sources(seed, arm), truths, steps, seed).items():
                dice[arm, label].append(value)
    measurements = [measurement(label, *(dice[arm, label] for arm in ARMS), steps) for label in HIDDEN]
    show(measurements) if given.quick else write("partial_labels", measurements)


def whole(seed: int) -> list[TrainingSample]:
    """Slices of one phantom, every pixel known."""
    study = phantom_study(seed, GRADES[seed % len(GRADES)], (SLICES, SIDE, SIDE)).labelled_study()
    return [
        TrainingSample.of_slice(
            pixels,
            study.intensity,
            study.partial_labels[index],
            source="whole",
            patient=study.patient,
            name=f"{study.name} slice {index}",
        )
        for index, pixels in enumerate(study.slices)
    ]


def sources(seed: int, arm: str) -> list[TrainingSample]:
    """All that an arm learns from; the arms differ in the labels of hidden classes alone."""
    samples: list[TrainingSample] = []
    first = 1000 + 100 * seed
    for number in range(HIDES_CONSOLIDATION):
        samples += [without_consolidation(one, arm) for one in whole(first + number)]
    for number in range(HIDES_LUNG):
        samples += [without_lung(one, arm) for one in whole(first + 30 + number)]
    for number in range(HIDES_NOTHING):
        samples += whole(first + 60 + number)
    return samples


def without_consolidation(sample: TrainingSample, arm: str) -> TrainingSample:
    """Lesions drawn as one: of unknown kind, or, naively, all ground-glass, the commoner kind."""
    lesion = np.isin(sample.partial_labels, [partial_labels.bits(label) for label in LESIONS])
    drawn = (
        partial_labels.LESION_KIND_UNKNOWN if arm == "candidates" else partial_labels.bits(Label.GROUND_GLASS)
    )
    return replace(
        sample,
        partial_labels=np.where(lesion, drawn, sample.partial_labels).astype(np.uint8),
        source="no consolidation",
    )


def without_lung(sample: TrainingSample, arm: str) -> TrainingSample:
    """Healthy lung not drawn: lung or background, or, naively, background as all that is not drawn."""
    lesion = np.isin(sample.partial_labels, [partial_labels.bits(label) for label in LESIONS])
    rest = partial_labels.NOT_LESION if arm == "candidates" else partial_labels.bits(Label.BACKGROUND)
    return replace(
        sample,
        partial_labels=np.where(lesion, sample.partial_labels, rest).astype(np.uint8),
        source="no lung",
    )


def recovered(
    samples: list[TrainingSample], truths: list[TrainingSample], steps: int, seed: int
) -> dict[Label, float]:
    """Dice of each hidden class, pooled over the test phantoms' slices, after a short fit."""
    config = FitConfig(
        steps=steps,
        batch_size=8,
        input_size=SIDE,
        early_size=SIDE,
        learning_rate=2e-3,
        ema_decay=0.95,
        warm_up_steps=min(10, steps),
        seed=seed,
        encoder=ENCODER,
        checkpoint_every=steps,
    )
    with tempfile.TemporaryDirectory() as folder:
        result = fit(samples, config, start_from=None, work_dir=Path(folder))
    card = ModelCard(version="toy", architecture=result.architecture, input_size=SIDE)
    segmenter = UNetSegmenter.of_weights(card, result.state_dict)
    counts = {label: Counts() for label in HIDDEN}
    for truth in truths:
        label_map = most_probable(segmenter.unit_probabilities(truth.image))
        for label in HIDDEN:
            new = counts_of(label_map, truth.partial_labels, (label,))
            counts[label] = counts[label] + new if new is not None else counts[label]
    return {label: counts[label].dice() or 0.0 for label in HIDDEN}


def measurement(label: Label, ours: list[float], naive: list[float], steps: int) -> Measurement:
    gains = [mine - theirs for mine, theirs in zip(ours, naive, strict=True)]
    interval = ""
    if len(gains) > 1:
        low, high = bootstrap_interval(gains, seed=42)
        interval = f", gain by seed {statistics.mean(gains):+.3f} [{low:+.3f}, {high:+.3f}]"
    return Measurement(
        f"Dice of {label.name.lower()}, hidden by one source of three, with the partial-label loss",
        statistics.mean(ours),
        "Dice",
        f"naive labels {statistics.mean(naive):.3f} (mean of {len(gains)} seeds, {steps} steps, "
        f"{SIDE} x {SIDE}{interval})",
        "better than naive labels, interval of the gain above 0",
        statistics.mean(gains) > 0 and (len(gains) < 2 or bootstrap_interval(gains, seed=42)[0] > 0),
    )


if __name__ == "__main__":
    main()
