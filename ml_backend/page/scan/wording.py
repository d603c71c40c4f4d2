"""A scan as people read it, in the language of the page; shared by the page and the reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chestct.labels import SeverityGrade
from chestct.severity.cautions import CautionKind, sentence
from ml_backend.page.language import Translator
from ml_backend.page.scan.kept_study import Findings, StudyFacts
from ml_backend.page.scan.record import Phase, Scan

SIDES = ("right", "left", "whole")
GROUPS = ("ground_glass", "consolidation", "both")


@dataclass(frozen=True)
class GradeShown:
    """A study's grade in words.

    Args:
        possible: every grade that the interval touches, as one text; empty without an interval.
        more_than_one: whether a radiologist must decide.
        deciding: whose percent decided, and that percent.
        bar: numbers for the drawing: percent, low, high (None), and the rule's thresholds.
        basis: label -> text.
    """

    grade: str
    possible: str
    more_than_one: bool
    deciding: tuple[str, str]
    interval: str
    bar: Mapping[str, Any]
    basis: Mapping[str, str]


def grade_shown(severity: Mapping[str, Any] | None, text: Translator) -> GradeShown | None:
    """The grade of `Severity.as_dict`; None where there is none."""
    if severity is None or severity["grade"] is None:
        return None
    rule, possible = severity["rule"], severity["possible_grades"]
    worst = rule["deciding"] == "worst_lung"
    percent = severity["percent"]["worst" if worst else "whole"]
    low, high = severity["interval_percent"] or (None, None)
    interval = text("no_interval")
    if severity["interval_percent"]:
        interval = text("interval", low=text.percent(low), high=text.percent(high))
    thresholds = (rule["ct_0_percent"], *rule["boundaries_percent"])
    names = ("zero", "one", "two", "three")
    steps = text("rule_steps", **{name: f"{step:g}" for name, step in zip(names, thresholds, strict=True)})
    return GradeShown(
        grade=_grade(severity["grade"], text),
        possible="" if low is None else ", ".join(_grade(grade, text) for grade in possible),
        more_than_one=len(possible) > 1,
        deciding=(text("deciding_worst" if worst else "deciding_whole"), text.percent(percent)),
        interval=interval,
        bar={"percent": percent, "low": low, "high": high, "steps": thresholds},
        basis={
            text("rule"): f"{text('rule_worst' if worst else 'rule_whole')}: {steps}",
            text("model"): severity["model_version"] or "",
        },
    )


def _grade(grade: str, text: Translator) -> str:
    return text.written(SeverityGrade(grade))


def cautions_shown(findings: Findings, text: Translator) -> list[str]:
    """What the page lists beside the grade; several possible grades it says louder itself."""
    if findings.cautions is None:  # kept by an earlier version, as English sentences
        warnings = findings.severity["warnings"] if findings.severity else []
        return [warning for warning in warnings if not warning.endswith("a radiologist must look")]
    return [
        sentence(caution, text.language)
        for caution in findings.cautions
        if caution.kind != CautionKind.SEVERAL_GRADES
    ]


def share_table(shares: Mapping[str, Any], text: Translator) -> list[tuple[str, list[str]]]:
    """Rows (key of a finding, [right, left, both lungs]) of percentages, without their sign."""
    return [(group, [text.share(shares[side] and shares[side][group]) for side in SIDES]) for group in GROUPS]


def volumes(severity: Mapping[str, Any] | None, text: Translator) -> list[tuple[str, str]]:
    """(name, "1234 ml") of each volume that is known."""
    volume_ml = {} if severity is None else severity["volume_ml"]
    return [
        (text(name), text("ml", value=text.number(ml, ".0f" if ml >= 10 else ".1f")))
        for name in ("lung", "ground_glass", "consolidation")
        if (ml := volume_ml.get(name)) is not None
    ]


def facts_shown(facts: StudyFacts, text: Translator) -> list[tuple[str, str]]:
    """(label, value) of what the images are."""
    same_size = len(set(facts.sizes)) == 1
    height, width = facts.sizes[0]
    rows = [
        (text("slices"), str(len(facts.sizes))),
        (text("size"), f"{width} × {height}" if same_size else text("different_sizes")),
        (text("values"), text("values_hu" if facts.is_hu else "values_picture")),
    ]
    if facts.geometry is not None:
        apart, row, column = (text.number(mm, ".2f") for mm in facts.geometry.spacing_mm)
        spacing = text("spacing_value", column=column, row=row, slice=apart)
        rows.insert(2, (text("spacing"), spacing))
    return rows


def why_no_grade(facts: StudyFacts, findings: Findings, text: Translator) -> str:
    """Why a study has no grade, in a sentence; empty where it has one."""
    if findings.severity is not None and findings.severity["grade"] is not None:
        return ""
    if len(facts.sizes) == 1:
        return text("no_grade_image")
    return text("no_grade_pictures" if facts.geometry is None else "no_grade_study")


def phase_sentence(scan: Scan, ahead: int, text: Translator) -> str:
    """What happens to a scan now, and how long it still takes; `ahead` scans are worked on before it."""
    if scan.phase is Phase.FAILED:
        return f"{text('stopped')}: {scan.error or text('failed_inside')}"
    if scan.phase is Phase.DONE:
        return text("done") if scan.studies else text("nothing_usable")
    if scan.phase is Phase.READING:
        return text("reading", slices=scan.slices_total)
    if scan.phase is Phase.WAITING:
        return text("waiting", ahead=ahead)
    if not scan.slices_done:
        return text("loading_model")
    position = text("slice_of", done=scan.slices_done, total=scan.slices_total)
    return ", ".join(filter(None, (position, text.time_left(scan.seconds_left))))
