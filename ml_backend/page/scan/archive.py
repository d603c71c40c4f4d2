"""Everything that a scan gave, as one zip archive that begins to arrive at once."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from chestct.render.overlay import png_bytes
from ml_backend.page.language import Translator
from ml_backend.page.scan.drawing import Drawing, findings_over_slice, uncertainty_over_slice
from ml_backend.page.scan.kept_study import LABEL_FILE, Findings, KeptStudy, StudyFacts
from ml_backend.page.scan.wording import (
    GROUPS,
    cautions_shown,
    facts_shown,
    grade_shown,
    share_table,
    volumes,
    why_no_grade,
)


class _Pipe(io.RawIOBase):
    """What zipfile writes into and the response is read from; it cannot be sought in."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def archive_of(studies: list[KeptStudy], drawing: Drawing, text: Translator) -> Iterator[bytes]:
    """The parts of the archive, in order.

    A study with geometry gives `<stem>.label.nii.gz`, pictures give `<stem>.label.png` (several:
    below a folder of the study); beside them overlays, pictures of the model's uncertainty and
    `<stem>.report.txt`; and one `report.json`.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("README.txt", f"{text('research')}\n\n{text('archive_readme')}\n")
        report = []
        for study in studies:
            facts, findings = study.facts(), study.findings()
            if findings is None:  # the scan was deleted meanwhile
                raise FileNotFoundError(study.folder)
            for name, content in _files(study, facts, findings, drawing):
                archive.writestr(name, content)
                yield pipe.take()
            archive.writestr(f"{facts.stem}.report.txt", text_report(facts, findings, text))
            report.append(_json_entry(facts, findings))
        # A zip of text compresses; pictures and .gz do not.
        archive.writestr("report.json", json.dumps(report, indent=2, ensure_ascii=False))
    yield pipe.take()


def _json_entry(facts: StudyFacts, findings: Findings) -> dict[str, object]:
    """A study in `report.json`, with the keys of `lungloop segment`'s report."""
    whole = findings.study["whole"] or dict.fromkeys(GROUPS, 0.0)
    return {
        "input": facts.name,
        "kind": facts.kind,
        "model_version": findings.model_version,
        "percent": {name: whole[name] for name in ("ground_glass", "consolidation")},
        "severity": findings.severity,
        "shares": findings.study,
        "slices": findings.slices,
    }


def text_report(facts: StudyFacts, findings: Findings, text: Translator) -> str:
    """One study's report as plain text: what it is, shares, grade, a line for each slice."""
    lines = [facts.name, "=" * len(facts.name), text("research"), "", *_listed(facts_shown(facts, text))]
    lines += [f"{text('model')}: {findings.model_version}", "", text("share")]
    columns = [text("right"), text("left_lung"), text("whole")]
    width = max(len(text(name)) for name in GROUPS) + 2
    rows = [("", columns), *((text(name), cells) for name, cells in share_table(findings.study, text))]
    lines += [f"{name:<{width}}" + "".join(f"{cell:>14}" for cell in cells) for name, cells in rows]
    lines.append("")
    grade = grade_shown(findings.severity, text)
    if grade is None:
        lines.append(why_no_grade(facts, findings, text))
    else:
        lines.append(f"{text('grade')}: {grade.grade}. {': '.join(grade.deciding)}, {grade.interval}.")
        if grade.possible:
            lines.append(text("grade_from_to", grades=grade.possible))
        if grade.more_than_one:
            lines.append(text("look"))
        lines += _listed(grade.basis.items())
    lines += _listed(volumes(findings.severity, text))
    lines += [f"- {warning}" for warning in cautions_shown(findings, text)]
    lines += ["", f"{text('by_slice')} ({text('ground_glass')}; {text('consolidation')})"]
    for index, shares in enumerate(findings.slices):
        cells = text("no_lung")
        if whole := shares["whole"]:
            cells = "; ".join(text.number(whole[name], ".2f") for name in GROUPS[:2])
        lines.append(f"{index + 1:>5}  {cells}  {facts.slice_name(index)}".rstrip())
    return "\n".join(lines) + "\n"


def _listed(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{label}: {value}" for label, value in rows]


def _files(
    study: KeptStudy, facts: StudyFacts, findings: Findings, drawing: Drawing
) -> Iterator[tuple[str, bytes]]:
    if facts.geometry is not None:
        yield f"{facts.stem}.label.nii.gz", (study.folder / LABEL_FILE).read_bytes()
    for index in range(len(facts.sizes)):
        stem = result_stem(facts, index)
        labels = study.labels(index, facts)
        if facts.geometry is None:
            yield f"{stem}.label.png", png_bytes(labels)
        yield f"{stem}.overlay.png", png_bytes(findings_over_slice(study, facts, index, drawing))
        uncertainty = uncertainty_over_slice(study, facts, findings, index)
        if uncertainty is not None:
            yield f"{stem}.doubt.png", png_bytes(uncertainty)


def result_stem(facts: StudyFacts, index: int) -> str:
    """Where a slice's pictures belong: `<stem>` for one image, `<stem>/0007` in a study.

    The number counts from 0 as in label maps; names inside an upload are never used as paths.
    """
    if facts.kind == "image":
        return facts.stem
    own = Path(facts.slice_name(index)).stem
    safe = "".join(part if part.isalnum() or part in "-_" else "_" for part in own)[:40]
    return f"{facts.stem}/{index:04d}{f'-{safe}' if safe else ''}"
