"""Dice of a held-out slice looked at alone, as a slice of its study, and with every view.

Compared on the same slices in one run: (a) each slice alone, as a picture is segmented (two passes),
(b) the slices of a volume as a study (one pass at the lungs, neighbours averaged in), (c) `--tta` of
both. Slices: covid-ct-seg's held-out volumes, whole, and medseg's held-out slices (alone only: they
have no neighbours). Dice is pooled over a patient's slices, then averaged over patients, as the
model card's. Needs the shared research data; the volumes' slices are taken to lie 1.25 mm apart
(the rendering has lost the distance; whole thin-slice volumes have about that).

    python benchmarks/looks.py [--model VERSION]
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from _results import Measurement, write
from _weights import newest_base

from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.intensity import Intensity
from chestct.labels import LESIONS, Label
from chestct.model.views import THOROUGH
from chestct.settings import Settings
from training.data.dataset import TrainingSample
from training.data.shared_data import COVID_CT_SEG, MEDSEG, shared_samples
from training.evaluate.metrics import Counts, counts_of

_GROUPS: dict[str, tuple[Label, ...]] = {
    "lesion": LESIONS,
    "ground-glass": (Label.GROUND_GLASS,),
    "consolidation": (Label.CONSOLIDATION,),
    "lung": (*LESIONS, Label.LUNG),
}
_APART_MM = 1.25
LabelMaps = list[npt.NDArray[np.uint8]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="version; the newest base-* where not given")
    asked = parser.parse_args()
    settings = Settings.load()
    if settings.shared_data is None:
        raise SystemExit("set LUNGLOOP_SHARED_DATA: this benchmark needs held-out patients")
    version = asked.model or newest_base(settings.weights_dir)
    usual = UNetSegmenter.load(settings.weights_dir, version)
    thorough = UNetSegmenter.load(settings.weights_dir, version, views=THOROUGH)
    samples = shared_samples(settings.shared_data).held_out
    volumes = [sample for sample in samples if sample.source == COVID_CT_SEG]
    slices = [sample for sample in samples if sample.source == MEDSEG]
    found: dict[str, dict[str, float]] = {
        f"{COVID_CT_SEG} slice alone": dice(volumes, alone(usual, volumes)),
        f"{COVID_CT_SEG} slice of a study": dice(volumes, in_studies(usual, volumes)),
        f"{COVID_CT_SEG} slice alone, --tta": dice(volumes, alone(thorough, volumes)),
        f"{COVID_CT_SEG} slice of a study, --tta": dice(volumes, in_studies(thorough, volumes)),
        f"{MEDSEG} slice alone": dice(slices, alone(usual, slices)),
        f"{MEDSEG} slice alone, --tta": dice(slices, alone(thorough, slices)),
    }
    write("looks", list(measurements(version, found)))


def pixels(sample: TrainingSample) -> npt.NDArray[np.uint8]:
    return np.rint(sample.image * 255.0).astype(np.uint8)


def alone(segmenter: UNetSegmenter, samples: list[TrainingSample]) -> LabelMaps:
    return [segmenter.segment(pixels(sample), Intensity.PICTURE).label_map for sample in samples]


def in_studies(segmenter: UNetSegmenter, samples: list[TrainingSample]) -> LabelMaps:
    """Volume by volume; the samples of a patient stand together in their order."""
    maps: LabelMaps = []
    for patient in dict.fromkeys(sample.patient for sample in samples):
        own = [pixels(sample) for sample in samples if sample.patient == patient]
        predictions = segmenter.segment_study(own, Intensity.PICTURE, slices_apart_mm=_APART_MM)
        maps += [prediction.label_map for prediction in predictions]
    return maps


def dice(samples: list[TrainingSample], label_maps: LabelMaps) -> dict[str, float]:
    """Mean over patients of each group that the source tells apart."""
    pooled: dict[tuple[str, str], Counts] = defaultdict(Counts)
    for sample, label_map in zip(samples, label_maps, strict=True):
        for name, group in _GROUPS.items():
            counts = counts_of(label_map, sample.partial_labels, group)
            if counts is not None:
                pooled[name, sample.patient] += counts
    scores: dict[str, list[float]] = defaultdict(list)
    for (name, _), counts in pooled.items():
        value = counts.dice()
        # A kind that a source does not label is decided only where nothing is marked: no score.
        if value is not None and counts.true_pixels:
            scores[name].append(value)
    return {name: float(np.mean(values)) for name, values in scores.items()}


def measurements(version: str, found: Mapping[str, Mapping[str, float]]) -> Iterable[Measurement]:
    for way, figures in found.items():
        one_look = found[f"{way.split()[0]} slice alone"]
        for name, value in figures.items():
            yield Measurement(
                f"{name} Dice of {version}, {way}",
                round(value, 4),
                "Dice",
                f"slice alone {one_look[name]:.4f}",
                "none: the ways are compared",
                None,
            )


if __name__ == "__main__":
    main()
