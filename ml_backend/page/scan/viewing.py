"""What the pages of a scan show, gathered for their templates."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chestct.labels import COLOURS_RGB, Label
from chestct.render.uncertainty import GREY_SHARE, uncertainty_table
from ml_backend.page.language import Translate
from ml_backend.page.scan.cautions import cautions
from ml_backend.page.scan.drawing import DEFAULT_OPACITY, hex_colour
from ml_backend.page.scan.kept_study import Findings, KeptStudy
from ml_backend.page.scan.reading import study_folder
from ml_backend.page.scan.record import Scan, read_json
from ml_backend.page.scan.status import phase_sentence, share_done
from ml_backend.page.scan.wording import facts_shown, grade_shown, share_table, volumes, why_no_grade

_CLASSES = (
    (Label.GROUND_GLASS, "ground_glass"),
    (Label.CONSOLIDATION, "consolidation"),
    (Label.LUNG, "lung"),
)


def scan_context(scan: Scan, folder: Path, number: int, ahead: int, text: Translate) -> dict[str, Any]:
    """What every page of a scan shows.

    Args:
        number: of the study that is looked at.
        ahead: scans that are worked on before this one.
    """
    listed = []
    for one in range(1, scan.studies + 1):
        study = KeptStudy(study_folder(folder, one))
        listed.append((one, study.facts().name, study.findings() is not None))
    return {
        "scan": scan,
        "number": number,
        "listed": listed,
        "sentence": phase_sentence(scan, ahead, text),
        "share_done": share_done(scan),
        "expires_at": datetime.fromtimestamp(scan.expires_at, UTC).strftime("%H:%M UTC"),
    }


def study_context(
    study: KeptStudy, findings: Findings, base: str, language: str, text: Translate
) -> dict[str, Any]:
    """What the viewer's page shows, and what its script needs to know.

    Args:
        base: URL below which the study's data lies.
    """
    facts = study.facts()
    first = most_telling(findings)
    classes = [
        {"label": int(label), "key": key, "name": text(key), "colour": hex_colour(COLOURS_RGB[label])}
        for label, key in _CLASSES
    ]
    spacing = facts.geometry.spacing_mm if facts.geometry else None
    severity = findings.severity
    return {
        "facts": facts,
        "facts_shown": facts_shown(facts, language, text),
        "findings": findings,
        "study_shares": share_table(findings.study, language),
        "slice_shares": share_table(findings.slices[first], language),
        "grade": grade_shown(severity, language, text) if severity else None,
        "warnings": cautions(severity, language),
        "volumes": volumes(severity, language, text) if severity else [],
        "why_no_grade": why_no_grade(facts, findings, text),
        "classes": classes,
        "base": base,
        "for_script": {
            "base": base,
            "language": language,
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
    """What the viewer needs to draw doubt as `chestct.render.uncertainty` does; None where there is none."""
    if not findings.tells_uncertainty:
        return None
    table = [
        [int(red), int(green), int(blue), round(a, 3)] for red, green, blue, a in uncertainty_table().tolist()
    ]
    return {"sizes": findings.doubt_sizes, "table": table, "grey": GREY_SHARE}


def most_telling(findings: Findings) -> int:
    """The slice to begin with: the one with most lesion; the middle one where nothing is found."""
    lesion = findings.lesion_pixels
    return lesion.index(max(lesion)) if any(lesion) else len(lesion) // 2
