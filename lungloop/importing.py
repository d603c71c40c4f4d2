"""Studies from disk into the catalog; importing the same content again changes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import StudyRecord
from chestct.errors import InputError
from chestct.formats.folders import failed
from chestct.progress import OnProgress, Progress, unheard
from chestct.study import FailedInput, Study


@dataclass
class ImportReport:
    """What an import did.

    Args:
        created: names of studies that are new.
        known: how many studies the catalog held already.
        slices: slices of the new studies.
        failed: inputs that could not be read, each with its reason.
        notes: what was chosen, assumed or left out, each with its study's source.
        test_patient: the patient that was held back for testing because there was none yet.
    """

    created: list[str] = field(default_factory=list)
    known: int = 0
    slices: int = 0
    failed: list[FailedInput] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)
    test_patient: str | None = None

    def remarks(self) -> list[str]:
        """What a person should know of single inputs, a sentence each."""
        return [
            *(f"note: {source}: {note}" for source, note in self.notes),
            *(f"not imported: {failed.source}: {failed.reason}" for failed in self.failed),
        ]

    def sentence(self) -> str:
        """What the import did, for a person."""
        return f"{len(self.created)} new studies with {self.slices} slices, {self.known} known already"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "created": self.created,
            "known": self.known,
            "slices": self.slices,
            "failed": [{"input": str(failure.source), "error": failure.reason} for failure in self.failed],
            "notes": [{"input": str(source), "note": note} for source, note in self.notes],
            "test_patient": self.test_patient,
        }


def import_studies(
    catalog: Catalog,
    found: Iterable[Study | FailedInput],
    layout: str,
    on_progress: OnProgress = unheard,
) -> ImportReport:
    """Adds what was found, one study in memory at a time; one bad input does not stop the rest.

    Args:
        found: as `chestct.formats.layouts.discover` yields it.
        layout: noted with each study.
        on_progress: told each study, by name.
    """
    report = ImportReport()
    for count, study in enumerate(found, start=1):
        if isinstance(study, FailedInput):
            report.failed.append(study)
            on_progress(Progress(count, None, study.source.name))
            continue
        report.notes += [(study.source, note) for note in study.notes]
        try:
            record, created = catalog.studies.add(study, layout)
            report.notes += _add_prelabels(catalog, study, record)
        except InputError as error:
            report.failed.append(failed(study.source, error))
        else:
            if created:
                report.created.append(record.name)
                report.slices += record.slice_count
            else:
                report.known += 1
        on_progress(Progress(count, None, study.name))
    report.test_patient = catalog.patients.freeze_test_patient()
    return report


def _add_prelabels(catalog: Catalog, study: Study, record: StudyRecord) -> list[tuple[Path, str]]:
    """Masks to be shown to readers; what to know of those that come too late."""
    release = catalog.versions.release()
    late = 0
    for slice_record in catalog.slices.of_study(record.id) if study.prelabels else []:
        prelabel = study.prelabels.get(slice_record.index)
        if prelabel is not None:
            catalog.predictions.add_prelabel(slice_record.id, prelabel)
            late += release is not None and (
                catalog.predictions.prelabel(slice_record.id, release.name) is None
            )
    if not late:
        return []
    note = f"{late} slices were pre-labelled by the model already: their masks show from the next version on"
    return [(study.source, note)]
