"""Lesion and lung Dice under disturbances, each beside the clean pictures of the same run.

Compared slice by slice: what the version says of a clean picture, and of the same picture after one
disturbance of `_disturbances.py`; turns, crops and sizes are undone on the label map before it is
scored. Slices: phantoms (HU seen through the lung window) always; where the shared research data is
present, also its held-out slices (`training.data.shared_data.shared_samples`): each tenth of
covid-ct-seg, all 12 of medseg. Dice is pooled over a patient's slices, then averaged over patients.

    python benchmarks/robustness.py [--model VERSION] [--every 10] [--looks whole,lung,flip]
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
from _disturbances import DISTURBANCES, Disturbed, KnownSlice
from _results import Measurement, write
from _weights import newest_base

from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.intensity import Intensity, windowed
from chestct.labels import LESIONS, Label, SeverityGrade
from chestct.model.views import Views
from chestct.partial_labels import from_label_map
from chestct.phantoms import phantom_study
from chestct.settings import Settings
from training.data.shared_data import MEDSEG, shared_samples
from training.evaluate.metrics import Counts, counts_of

_GOAL_RATIO = 0.9
_PHANTOMS = (SeverityGrade.CT_1, SeverityGrade.CT_2, SeverityGrade.CT_3)
_GROUPS: dict[str, tuple[Label, ...]] = {"lesion": LESIONS, "lung": (*LESIONS, Label.LUNG)}
_CLEAN = "clean"
# source -> figure -> mean Dice.
Scores = dict[str, dict[str, float]]


def main() -> None:
    asked = arguments()
    settings = Settings.load()
    version = asked.model or newest_base(settings.weights_dir)
    views = None
    if asked.looks:
        named = asked.looks.split(",")
        views = Views(**{name: name in named for name in ("whole", "lung", "flip")})
    segmenter = UNetSegmenter.load(settings.weights_dir, version, views=views)
    slices = [*phantom_slices(), *real_slices(settings, asked.every)]
    scores = {_CLEAN: score(segmenter, ((known, Disturbed(known.picture)) for known in slices))}
    for name, disturb in DISTURBANCES.items():
        scores[name] = score(segmenter, ((known, disturb(known)) for known in slices))
        sys.stderr.write(f"{name} done\n")
    print_table(version, scores)
    write("robustness", list(measurements(version, scores)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", help="version; the newest base-* where not given")
    parser.add_argument("--every", type=int, default=10, help="take each N-th slice of covid-ct-seg")
    parser.add_argument("--looks", help="whole,lung,flip; the card's where not given")
    return parser.parse_args()


def phantom_slices() -> Iterator[KnownSlice]:
    """Each third slice of three phantoms of 12 slices."""
    for seed, grade in enumerate(_PHANTOMS, start=11):
        phantom = phantom_study(seed, grade, (12, 256, 256))
        for index in range(1, 12, 3):
            pixels_hu = phantom.study.slices[index]
            known = from_label_map(phantom.label_map[index])
            yield KnownSlice(windowed(pixels_hu), known, "phantom", phantom.study.patient, pixels_hu)


def real_slices(settings: Settings, every: int) -> list[KnownSlice]:
    """Held-out slices of the shared research data; none where it is absent."""
    if settings.shared_data is None:
        sys.stderr.write("no shared data: phantoms only (set LUNGLOOP_SHARED_DATA)\n")
        return []
    samples = shared_samples(settings.shared_data).held_out
    volumes = [one for one in samples if one.source != MEDSEG][::every]
    loose = [one for one in samples if one.source == MEDSEG]
    return [KnownSlice(one.image, one.partial_labels, one.source, one.patient) for one in [*volumes, *loose]]


def score(segmenter: UNetSegmenter, shown: Iterable[tuple[KnownSlice, Disturbed]]) -> Scores:
    """Mean over patients of the Dice pooled over their slices."""
    counts: dict[tuple[str, str, str], Counts] = defaultdict(Counts)
    for known, disturbed in shown:
        picture = np.rint(disturbed.picture * 255.0).astype(np.uint8)
        label_map = disturbed.undo(segmenter.segment(picture, Intensity.PICTURE).label_map)
        for figure, group in _GROUPS.items():
            found = counts_of(label_map, known.partial_labels, group)
            if found is not None:
                counts[known.source, figure, known.patient] += found
    dice: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (source, figure, _), found in counts.items():
        one = found.dice()
        if one is not None:
            dice[source, figure].append(one)
    scores: Scores = defaultdict(dict)
    for (source, figure), values in dice.items():
        scores[source][figure] = float(np.mean(values))
    return dict(scores)


def print_table(version: str, scores: dict[str, Scores]) -> None:
    columns = [(source, figure) for source, figures in scores[_CLEAN].items() for figure in figures]
    sys.stdout.write(f"Dice of {version}\n\n| |" + "".join(f" {s} {f} |" for s, f in columns))
    sys.stdout.write("\n|---|" + "---:|" * len(columns) + "\n")
    for name, found in scores.items():
        cells = "".join(f" {found.get(source, {}).get(figure, 0.0):.3f} |" for source, figure in columns)
        sys.stdout.write(f"| {name} |{cells}\n")
    sys.stdout.write("\n")


def measurements(version: str, scores: dict[str, Scores]) -> Iterator[Measurement]:
    for source, figures in scores[_CLEAN].items():
        for figure, clean in figures.items():
            for name in DISTURBANCES:
                disturbed = scores[name].get(source, {}).get(figure, 0.0)
                ratio = disturbed / clean if clean else 0.0
                yield Measurement(
                    f"{figure} Dice, {name}, {source} / the same slices clean",
                    round(ratio, 4),
                    "x",
                    f"{version}: clean {clean:.3f}, {name} {disturbed:.3f}",
                    f"at least {_GOAL_RATIO}",
                    ratio >= _GOAL_RATIO,
                )


if __name__ == "__main__":
    main()
