"""`evaluation.json` and `evaluation.html`: the same figures, for machines and for people."""

import base64
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import binary_erosion

from chestct.render.overlay import png_bytes
from training.evaluate.worst import WrongSlice
from training.report.plots import dots_plot, involvement_plot, reliability_plot
from training.report.rendering import rendered, write_whole

JSON_NAME, HTML_NAME = "evaluation.json", "evaluation.html"
FINDINGS = {
    "lesion": "Lesion",
    "ground_glass": "Ground glass",
    "consolidation": "Consolidation",
    "lung": "Whole lung",
    "healthy_lung": "Healthy lung",
}
_SIDES = {
    "held_out": ("Held out", "Patients that are kept out of training: read these figures."),
    "unsplit": ("No split", "Nothing says whether the model has been fitted on these patients."),
    "train": ("Training patients", "Patients that models may be fitted on: these figures flatter."),
}

# Told apart by people who do not tell red from green; white where the two are one.
LABELS_RGB, MODEL_RGB, BOTH_RGB = (40, 200, 255), (255, 140, 0), (255, 255, 255)
# Longest side of a picture on the page, twice what the page shows, for sharp screens.
_LONGEST = 480
_OUTLINE_PIXELS = 2


def write_evaluation(out: Path, report: Mapping[str, Any], worst: Mapping[str, Sequence[WrongSlice]]) -> None:
    """Writes both files of an evaluation, each in one step.

    Args:
        out: folder, made where it is missing; other files in it are left alone.
        report: of `training.commands.evaluate.run_evaluate`.
        worst: side of the split -> its worst slices, the worst first.
    Raises:
        InputError: the folder cannot be written to.
    """
    page = evaluation_page(report, worst)
    write_whole(out / JSON_NAME, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    write_whole(out / HTML_NAME, page)


def evaluation_page(report: Mapping[str, Any], worst: Mapping[str, Sequence[WrongSlice]]) -> str:
    """The whole page as HTML; it asks nothing of any other file."""
    sides = [_side(side, report, worst.get(side, ())) for side in _SIDES if side in report["splits"]]
    return rendered(
        "evaluation.html",
        report=report,
        source=Path(report["input"]).name or report["input"],
        sides=sides,
        findings=FINDINGS,
        colours={"labels": LABELS_RGB, "model": MODEL_RGB, "both": BOTH_RGB},
    )


def _side(side: str, report: Mapping[str, Any], worst: Sequence[WrongSlice]) -> dict[str, Any]:
    figures = report["splits"][side]
    patients = [row for row in report["patients"] if row["split"] == side]
    name, note = _SIDES[side]
    dots = [
        (
            finding,
            figures[f"{key}_dice"],
            [(row["patient"], value) for row in patients if (value := row.get(f"{key}_dice")) is not None],
        )
        for key, finding in FINDINGS.items()
        if f"{key}_dice" in figures and key != "healthy_lung"
    ]
    involvement = [
        (row["patient"], 100 * row["involvement_true"], 100 * row["involvement_predicted"])
        for row in patients
        if row["involvement_true"] is not None and row["involvement_predicted"] is not None
    ]
    reliability = report["reliability"][side]
    return {
        "key": side,
        "name": name,
        "note": note,
        # A figure that this data cannot give is None to the template.
        "figures": defaultdict(lambda: None, figures),
        "patients": sorted(patients, key=lambda row: row["lesion_dice"]),
        "dots": dots_plot(dots),
        "involvement": involvement_plot(involvement) if involvement else None,
        "reliability": (
            reliability_plot(reliability["served"], reliability["without_temperature"])
            if reliability["served"]
            else None
        ),
        "worst": [
            {**wrong.as_row(), "picture": f"data:image/png;base64,{png}", "size": picture.shape[1::-1]}
            for wrong in worst
            for picture in [contour_picture(wrong)]
            for png in [base64.b64encode(png_bytes(picture)).decode("ascii")]
        ],
    }


def contour_picture(wrong: WrongSlice) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8: the slice in grey, both outlines in colour, longest side 480."""
    height, width = wrong.image.shape
    scale = _LONGEST / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = Image.fromarray(np.rint(wrong.image * 255).astype(np.uint8))
    drawn = np.repeat(np.asarray(grey.resize(size, Image.Resampling.BICUBIC))[:, :, None], 3, axis=2)
    labels, model = (_outline(mask, size) for mask in (wrong.truth, wrong.predicted))
    for where, colour in ((labels, LABELS_RGB), (model, MODEL_RGB), (labels & model, BOTH_RGB)):
        drawn[where] = colour
    return drawn


def _outline(mask: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The inner border of a mask, enlarged first so that its thickness is that of the screen."""
    large = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    return large & ~binary_erosion(large, iterations=_OUTLINE_PIXELS, border_value=1)
