"""Findings as people read them, in the language of the page; shared by the page and the reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_backend.page.language import Translate, number, percent, share
from ml_backend.page.scan.kept_study import Findings, StudyFacts

SIDES = ("right", "left", "whole")
GROUPS = ("ground_glass", "consolidation", "both")
_GRADES = ("CT-0", "CT-1", "CT-2", "CT-3", "CT-4")


@dataclass(frozen=True)
class GradeShown:
    """A study's grade in words.

    Args:
        grade: "CT-2" or "КТ-2".
        possible: every grade that the interval touches, as one text; empty without an interval.
        more_than_one: whether a radiologist must decide.
        deciding: whose percent decided, and that percent.
        interval: in words; says so where there is none.
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


def grade_in(language: str, grade: str) -> str:
    """ "CT-2" as that language writes it."""
    return grade.replace("CT", "КТ") if language == "ru" else grade


def grade_shown(severity: Mapping[str, Any], language: str, text: Translate) -> GradeShown | None:
    """The grade of `Severity.as_dict`; None where it holds none."""
    if severity["grade"] is None:
        return None
    rule, possible = severity["rule"], severity["possible_grades"]
    worst = rule["deciding"] == "worst_lung"
    share = severity["percent"]["worst" if worst else "whole"]
    ends = severity["interval_percent"]
    sentence = text("no_interval")
    if ends:
        sentence = text("interval", low=percent(ends[0], language), high=percent(ends[1], language))
    one, two, three = (f"{step:g}" for step in rule["boundaries_percent"])
    steps = text("rule_steps", zero=f"{rule['ct_0_percent']:g}", one=one, two=two, three=three)
    return GradeShown(
        grade=grade_in(language, severity["grade"]),
        possible=", ".join(grade_in(language, one) for one in possible) if ends else "",
        more_than_one=len(possible) > 1,
        deciding=(text("deciding_worst" if worst else "deciding_whole"), percent(share, language)),
        interval=sentence,
        bar={
            "percent": share,
            "low": ends[0] if ends else None,
            "high": ends[1] if ends else None,
            "steps": (rule["ct_0_percent"], *rule["boundaries_percent"]),
        },
        basis={
            text("rule"): f"{text('rule_worst' if worst else 'rule_whole')}: {steps}",
            text("model"): severity["model_version"] or "",
        },
    )


def share_table(shares: Mapping[str, Any], language: str) -> list[tuple[str, list[str]]]:
    """Rows (key of a finding, [right, left, both lungs]) of percentages, without their sign."""
    return [
        (group, [share(shares[side] and shares[side][group], language) for side in SIDES]) for group in GROUPS
    ]


def volumes(severity: Mapping[str, Any], language: str, text: Translate) -> list[tuple[str, str]]:
    """(name, "1234 ml") of each volume that is known."""
    known = severity["volume_ml"]
    return [
        (text(name), text("ml", value=number(known[name], language, 0 if known[name] >= 10 else 1)))
        for name in ("lung", "ground_glass", "consolidation")
        if known.get(name) is not None
    ]


def facts_shown(facts: StudyFacts, language: str, text: Translate) -> list[tuple[str, str]]:
    """(label, value) of what the images are."""
    same_size = len(set(facts.sizes)) == 1
    height, width = facts.sizes[0]
    shown = [
        (text("slices"), str(len(facts.sizes))),
        (text("size"), f"{width} × {height}" if same_size else text("different_sizes")),
        (text("values"), text("values_hu" if facts.is_hu else "values_picture")),
    ]
    if facts.geometry is not None:
        apart, row, column = (number(mm, language, 2) for mm in facts.geometry.spacing_mm)
        spacing = text("spacing_value", column=column, row=row, slice=apart)
        shown.insert(2, (text("spacing"), spacing))
    return shown


def slice_name(facts: StudyFacts, index: int) -> str:
    """A slice's own file name where it has one."""
    return facts.slice_names[index] if index < len(facts.slice_names) else ""


def why_no_grade(facts: StudyFacts, findings: Findings, text: Translate) -> str:
    """Why a study has no grade, in a sentence; empty where it has one."""
    if findings.severity is not None and findings.severity["grade"] is not None:
        return ""
    if len(facts.sizes) == 1:
        return text("no_grade_image")
    return text("no_grade_pictures" if facts.geometry is None else "no_grade_study")
