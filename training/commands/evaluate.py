"""What `lungloop evaluate` does, free of the command line."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.model.architecture import CLASSES
from chestct.settings import Settings
from training.data.labelled_folder import read_labelled_folder
from training.evaluate import score_patients, summarise
from training.evaluate.summary import reliability_of
from training.evaluate.tally import SURFACE_TOLERANCE_MM, SURFACE_TOLERANCE_PIXELS
from training.evaluate.worst import WorstSlices
from training.report.evaluation import write_evaluation


def run_evaluate(
    folder: Path,
    version: str,
    settings: Settings,
    on_progress: Callable[[float], None] = lambda fraction: None,
    *,
    out: Path | None = None,
) -> dict[str, Any]:
    """Scores of a version on a labelled folder, by side of the split.

    The network sees each slice once; of the slices that have passed only the worst few are kept.

    Args:
        folder: covid-ct-seg, medseg, MosMedData, studies with masks, or an export of this project.
        version: of `settings.weights_dir`.
        out: folder for `evaluation.json` and `evaluation.html`, made where it is missing; None
            writes nothing.
    Returns:
        JSON-ready: `model_version`, `input`, `splits` (side -> figures with intervals, see
        `training.evaluate.summarise`), `patients` (one row each), `failed` inputs, and by side of the
        split `reliability` and `worst_slices`.
    Raises:
        InputError: nothing labelled is in the folder, or `out` cannot be written.
        WeightsError: the version is missing or damaged.
    """
    segmenter = UNetSegmenter.load(settings.weights_dir, version)
    labelled = read_labelled_folder(folder)
    total = sum(len(samples) for samples in labelled.samples.values())
    splits, patients, reliability, worst, done = {}, [], {}, {}, 0
    for side, samples in labelled.samples.items():

        def advance(fraction: float, before: int = done, own: int = len(samples)) -> None:
            on_progress((before + fraction * own) / total)

        kept = WorstSlices()
        scores = score_patients(
            segmenter, samples, advance, temperature=segmenter.card.temperature, on_slice=kept.add
        )
        done += len(samples)
        splits[side] = summarise(scores)
        reliability[side] = reliability_of(scores)
        worst[side] = kept.worst_first()
        patients += [{"split": side, **score.as_row()} for score in scores]
    every_sample = [sample for samples in labelled.samples.values() for sample in samples]
    report = {
        "model_version": version,
        "input": str(folder),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "classes": list(CLASSES),
        "temperature": segmenter.card.temperature,
        "surface_tolerance": {
            "mm": SURFACE_TOLERANCE_MM,
            "pixels_without_spacing": SURFACE_TOLERANCE_PIXELS,
            "slices_with_spacing": sum(sample.spacing_mm is not None for sample in every_sample),
        },
        "splits": splits,
        "patients": patients,
        "reliability": reliability,
        "worst_slices": {side: [one.as_row() for one in slices] for side, slices in worst.items()},
        "failed": [{"input": str(one.source), "error": one.reason} for one in labelled.failed],
    }
    if out is not None:
        write_evaluation(out, report, worst)
    return report
