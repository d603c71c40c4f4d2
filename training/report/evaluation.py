"""`evaluation.json` and `evaluation.html`: the same figures, for machines and for people."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.evaluate.worst import WrongSlice
from training.report.contours import BOTH_RGB, LABELS_RGB, MODEL_RGB, contour_picture, data_url
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
            {**wrong.as_row(), "picture": data_url(picture), "size": picture.shape[1::-1]}
            for wrong in worst
            for picture in [contour_picture(wrong)]
        ],
    }
