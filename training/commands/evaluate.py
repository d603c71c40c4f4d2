"""What `lungloop evaluate` does, free of the command line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chestct.inference.unet_segmenter import UNetSegmenter
from chestct.model.architecture import CLASSES
from chestct.progress import OnProgress, part_of, unheard
from chestct.settings import Settings
from training.data.dataset import TrainingSample
from training.data.labelled_folder import read_labelled_folder
from training.evaluate import score_patients, summarise
from training.evaluate.summary import reliability_of
from training.evaluate.tally import SURFACE_TOLERANCE_MM, SURFACE_TOLERANCE_PIXELS
from training.evaluate.worst import WorstSlices, WrongSlice
from training.report.evaluation import write_evaluation


def run_evaluate(
    folder: Path,
    version: str,
    settings: Settings,
    on_progress: OnProgress = unheard,
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
    slices = [sample for samples in labelled.samples.values() for sample in samples]
    report: dict[str, Any] = {
        "model_version": version,
        "input": str(folder),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "classes": list(CLASSES),
        "temperature": segmenter.card.temperature,
        "surface_tolerance": {
            "mm": SURFACE_TOLERANCE_MM,
            "pixels_without_spacing": SURFACE_TOLERANCE_PIXELS,
            "slices_with_spacing": sum(sample.spacing_mm is not None for sample in slices),
        },
        "splits": {},
        "patients": [],
        "reliability": {},
        "worst_slices": {},
        "failed": [{"input": str(failed.source), "error": failed.reason} for failed in labelled.failed],
    }
    worst, done = {}, 0
    for side, samples in labelled.samples.items():
        scored = part_of(on_progress, done / len(slices), len(samples) / len(slices), "")
        worst[side] = _score_side(report, side, samples, segmenter, scored)
        done += len(samples)
    if out is not None:
        write_evaluation(out, report, worst)
    return report


def _score_side(
    report: dict[str, Any],
    side: str,
    samples: Sequence[TrainingSample],
    segmenter: UNetSegmenter,
    on_progress: OnProgress,
) -> list[WrongSlice]:
    """Scores one side of the split into the report; its worst slices."""
    kept = WorstSlices()
    scores = score_patients(
        segmenter, samples, on_progress, temperature=segmenter.card.temperature, on_slice=kept.add
    )
    worst = kept.worst_first()
    report["splits"][side] = summarise(scores)
    report["patients"] += [{"split": side, **score.as_row()} for score in scores]
    report["reliability"][side] = reliability_of(scores)
    report["worst_slices"][side] = [wrong.as_row() for wrong in worst]
    return worst
