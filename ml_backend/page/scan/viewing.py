"""What the pages and the report of a scan show, gathered for their templates."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from chestct.labels import COLOURS_RGB
from chestct.render.overlay import montage, png_bytes
from chestct.render.uncertainty import GREY_SHARE, uncertainty_table
from ml_backend.page.language import Translator
from ml_backend.page.scan.drawing import CLASSES, DEFAULT_OPACITY, Drawing, findings_over_slice, hex_colour
from ml_backend.page.scan.kept_study import Findings, KeptStudy, StudyFacts, numbered_study
from ml_backend.page.scan.record import Scan, read_json
from ml_backend.page.scan.wording import (
    cautions_shown,
    facts_shown,
    grade_shown,
    phase_sentence,
    share_table,
    volumes,
    why_no_grade,
)

_MOST_PICTURES, _COLUMNS, _TILE = 8, 4, 300


def scan_context(scan: Scan, folder: Path, number: int, ahead: int, text: Translator) -> dict[str, Any]:
    """What every page of a scan shows; `number` is the study looked at, `ahead` scans come before it."""
    studies = [(each, numbered_study(folder, each)) for each in range(1, scan.studies + 1)]
    return {
        "scan": scan,
        "number": number,
        "listed": [(each, study.facts().name, study.findings() is not None) for each, study in studies],
        "sentence": phase_sentence(scan, ahead, text),
        "expires_at": datetime.fromtimestamp(scan.expires_at, UTC).strftime("%H:%M UTC"),
    }


def _findings_context(facts: StudyFacts, findings: Findings, text: Translator) -> dict[str, Any]:
    """What the viewer's page and the report both show."""
    return {
        "facts": facts,
        "facts_shown": facts_shown(facts, text),
        "findings": findings,
        "study_shares": share_table(findings.study, text),
        "grade": grade_shown(findings.severity, text),
        "warnings": cautions_shown(findings, text),
        "volumes": volumes(findings.severity, text),
        "why_no_grade": why_no_grade(facts, findings, text),
    }


def study_context(study: KeptStudy, findings: Findings, base: str, text: Translator) -> dict[str, Any]:
    """What the viewer's page shows and its script needs; below the URL `base` the study's data lies."""
    facts = study.facts()
    first = most_affected_slice(findings)
    classes = [
        {"label": int(label), "key": key, "name": text(key), "colour": hex_colour(COLOURS_RGB[label])}
        for label, key in ((label, label.name.lower()) for label in CLASSES)
    ]
    spacing = facts.geometry.spacing_mm if facts.geometry else None
    return {
        **_findings_context(facts, findings, text),
        "slice_shares": share_table(findings.slices[first], text),
        "classes": classes,
        "base": base,
        "for_script": {
            "base": base,
            "language": text.language,
            "stem": facts.stem,
            "hu": facts.is_hu,
            "sizes": facts.sizes,
            "names": facts.slice_names,
            "pixel_aspect": spacing[1] / spacing[2] if spacing else 1.0,
            "slices": findings.slices,
            "classes": classes,
            "opacity": round(100 * DEFAULT_OPACITY),
            "doubt": _uncertainty_for_script(findings),
            "overview": read_json(study.folder / "overview.json"),
            "first": first,
        },
    }


def _uncertainty_for_script(findings: Findings) -> dict[str, Any] | None:
    """What the viewer draws as `chestct.render.uncertainty` does; None where there is none."""
    if not findings.tells_uncertainty:
        return None
    table = [[*map(int, colour), round(opacity, 3)] for *colour, opacity in uncertainty_table().tolist()]
    return {"sizes": findings.doubt_sizes, "table": table, "grey": GREY_SHARE}


def report_context(
    study: KeptStudy, facts: StudyFacts, findings: Findings, drawing: Drawing, text: Translator
) -> dict[str, Any]:
    """The one-page report: figures and pictures, all inside the one file."""
    indices = most_affected_slices(findings)
    pictures = [findings_over_slice(study, facts, index, drawing) for index in indices]
    sheet = png_bytes(montage(pictures, columns=_COLUMNS, tile=_TILE if len(pictures) > 1 else 2 * _TILE))
    affected = any(findings.lesion_pixels)
    return {
        **_findings_context(facts, findings, text),
        "made_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "classes": [
            (text(label.name.lower()), hex_colour(colour)) for label, colour in drawing.colours.items()
        ],
        "sheet": base64.b64encode(sheet).decode(),
        "sheet_title": text("most_affected" if affected and len(facts.sizes) > 1 else "some_slices"),
        "sheet_slices": [index + 1 for index in indices],
    }


def most_affected_slice(findings: Findings) -> int:
    """The slice to begin with: the one with most lesion; the middle one where nothing is found."""
    lesion = findings.lesion_pixels
    return lesion.index(max(lesion)) if any(lesion) else len(lesion) // 2


def most_affected_slices(findings: Findings) -> list[int]:
    """The slices with most lesion, in their order; evenly spread ones where nothing is found."""
    lesion = np.array(findings.lesion_pixels)
    if not lesion.any():
        return sorted({int(index) for index in np.linspace(0, len(lesion) - 1, _MOST_PICTURES).round()})
    # Stable, so that of equal slices the first ones are taken.
    order = np.argsort(-lesion, kind="stable")[:_MOST_PICTURES]
    return sorted(int(index) for index in order if lesion[index])
