"""What the one-page report shows: figures and pictures, all inside the one file."""

import base64
from datetime import UTC, datetime
from typing import Any

import numpy as np

from chestct.intensity import as_picture
from chestct.render.overlay import montage, overlay, png_bytes
from ml_backend.page.language import Translate
from ml_backend.page.scan.cautions import cautions
from ml_backend.page.scan.drawing import Drawing, hex_colour
from ml_backend.page.scan.kept_study import Findings, KeptStudy, StudyFacts
from ml_backend.page.scan.wording import facts_shown, grade_shown, share_table, volumes, why_no_grade

_MOST_PICTURES, _COLUMNS, _TILE = 8, 4, 300


def report_context(
    study: KeptStudy, facts: StudyFacts, findings: Findings, drawing: Drawing, language: str, text: Translate
) -> dict[str, Any]:
    """The report's values by the names that its template uses."""
    severity = findings.severity
    indices = most_affected_slices(findings)
    pictures = [
        overlay(
            as_picture(study.pixels(index, facts), facts.intensity),
            study.labels(index, facts),
            drawing.colours,
            drawing.opacity,
        )
        for index in indices
    ]
    sheet = png_bytes(montage(pictures, columns=_COLUMNS, tile=_TILE if len(pictures) > 1 else 2 * _TILE))
    affected = any(findings.lesion_pixels)
    return {
        "facts": facts,
        "made_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "facts_shown": facts_shown(facts, language, text),
        "study_shares": share_table(findings.study, language),
        "grade": grade_shown(severity, language, text) if severity else None,
        "warnings": cautions(severity, language),
        "volumes": volumes(severity, language, text) if severity else [],
        "why_no_grade": why_no_grade(facts, findings, text),
        "model_version": findings.model_version,
        "classes": [
            (text(label.name.lower()), hex_colour(colour)) for label, colour in drawing.colours.items()
        ],
        "sheet": base64.b64encode(sheet).decode(),
        "sheet_title": text("most_affected" if affected and len(facts.sizes) > 1 else "some_slices"),
        "sheet_slices": [index + 1 for index in indices],
    }


def most_affected_slices(findings: Findings) -> list[int]:
    """The slices with most lesion, in their order; evenly spread ones where nothing is found."""
    lesion = np.array(findings.lesion_pixels)
    if not lesion.any():
        return sorted({int(one) for one in np.linspace(0, len(lesion) - 1, _MOST_PICTURES).round()})
    # Stable, so that of equal slices the first ones are taken.
    order = np.argsort(-lesion, kind="stable")[:_MOST_PICTURES]
    return sorted(int(index) for index in order if lesion[index])
