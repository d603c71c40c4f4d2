"""Studies from disk into the catalog; importing the same content again changes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import StudyRecord
from chestct.catalog.splits import OwnTesting
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
        own_test_patients: patients without reference labels that are held back for testing from now on.
        testing: what holding own test patients back comes to in all; empty where there are none.
    """

    created: list[str] = field(default_factory=list)
    known: int = 0
    slices: int = 0
    failed: list[FailedInput] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)
    test_patient: str | None = None
    own_test_patients: list[str] = field(default_factory=list)
    testing: str = ""

    def remarks(self) -> list[str]:
        """What a person should know of single inputs, a sentence each."""
        return [
            *(f"note: {source}: {note}" for source, note in self.notes),
            *(f"not imported: {failed.source}: {failed.reason}" for failed in self.failed),
            *([self.testing] if self.own_test_patients else []),
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
            "own_test_patients": self.own_test_patients,
        }


def import_studies(
    catalog: Catalog,
    found: Iterable[Study | FailedInput],
    layout: str,
    on_progress: OnProgress = unheard,
    testing: OwnTesting = OwnTesting(),  # noqa: B008 - frozen
) -> ImportReport:
    """Adds what was found, one study in memory at a time; one bad input does not stop the rest.

    Args:
        found: as `chestct.formats.layouts.discover` yields it.
        layout: noted with each study.
        on_progress: told each study, by name.
        testing: how many patients without reference labels to hold back, and how much of them is read.
    """
    report = ImportReport()
    fixed: set[str] = set()
    for count, study in enumerate(found, start=1):
        if isinstance(study, FailedInput):
            report.failed.append(study)
            on_progress(Progress(count, None, study.source.name))
            continue
        report.notes += [(study.source, note) for note in study.notes]
        if study.split is not None:
            fixed.add(study.patient)
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
    report.own_test_patients = catalog.patients.draw_own_test_patients(testing, fixed)
    if report.own_test_patients:
        report.testing = _cost_of_testing(catalog)
    return report


def _cost_of_testing(catalog: Catalog) -> str:
    """What readers are asked for, in the unit that they know: slices."""
    state = catalog.own_test_readings.state()
    patients = len({study.patient for study in catalog.studies.all()})
    return (
        f"{state.patients} of {patients} patients are held back for testing: {state.slices} slices are read "
        "early and without pre-label, and no model learns from theirs (LUNGLOOP_TEST_PERCENT and _SLICES)"
    )


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
