"""`severity`: the grade of studies and what it rests on, without any service."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from chestct.settings import Settings
from chestct.severity.rule import SeverityRule
from lungloop.console import AsJson, print_json, print_table, progress, say
from lungloop.context import serving_version
from lungloop.grading import by_mask, by_model, grade_inputs

_COLUMNS = (
    "study",
    "grade",
    "possible",
    "left %",
    "right %",
    "whole %",
    "interval %",
    "lung ml",
    "lesion ml",
)


app = typer.Typer()


@app.command(epilog="Example: lungloop severity study_0255.nii.gz")
def severity(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Studies, or folders of them.", show_default=False),
    ],
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS",
            help="Label map of the one input (0 background, 1 ground-glass, 2 consolidation, 3 lung), "
            "graded instead of a model's.",
        ),
    ] = None,
    rule: Annotated[
        Literal["worst-lung", "whole"],
        typer.Option(help="Which percent decides: the worse lung's, or both lungs' together."),
    ] = "worst-lung",
    model: Annotated[str | None, typer.Option(help="Version; the champion where not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Grade studies CT-0 to CT-4 by the diseased share of the lungs; needs no services."""
    if mask is not None and len(inputs) != 1:
        raise typer.BadParameter(f"--mask belongs to one input; {len(inputs)} came", param_hint="--mask")
    if mask is not None and model is not None:
        raise typer.BadParameter("--mask grades the given masks; leave --model out", param_hint="--model")
    settings = Settings.load()
    deciding = SeverityRule(deciding="whole" if rule == "whole" else "worst_lung")
    report = _graded(inputs, mask, deciding, settings, model)
    failed = [entry for entry in report if "error" in entry]
    for entry in failed:
        say(f"not graded: {entry['input']}: {entry['error']}")
    if as_json:
        print_json(report)
    else:
        _print_for_people([entry for entry in report if "error" not in entry])
    if failed:
        raise typer.Exit(1)


def _graded(
    inputs: list[Path], mask: Path | None, rule: SeverityRule, settings: Settings, model: str | None
) -> list[dict[str, Any]]:
    if mask is not None:
        return grade_inputs(inputs, by_mask(mask, rule))
    from chestct.inference.unet_segmenter import UNetSegmenter  # loads torch

    segmenter = UNetSegmenter.load(settings.weights_dir, model or serving_version(settings))
    with progress(f"grade with {segmenter.version}") as update:
        return grade_inputs(inputs, by_model(segmenter, rule), update)


def _print_for_people(graded: list[dict[str, Any]]) -> None:
    if not graded:
        return
    print_table(_COLUMNS, [_row(entry) for entry in graded])
    for entry in graded:
        for warning in entry["warnings"]:
            say(f"{entry['name']}: {warning}")


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    percent, volume, interval = entry["percent"], entry["volume_ml"], entry["interval_percent"]
    lesion = None if volume["lung"] is None else volume["ground_glass"] + volume["consolidation"]
    return (
        entry["name"],
        entry["grade"] or "none",
        ", ".join(entry["possible_grades"]),
        *(_rounded(percent[lung], 1) for lung in ("left", "right", "whole")),
        "" if interval is None else f"{interval[0]:.1f}-{interval[1]:.1f}",
        _rounded(volume["lung"], 0),
        _rounded(lesion, 0),
    )


def _rounded(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
