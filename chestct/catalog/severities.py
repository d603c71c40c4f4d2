"""The severity of each study by each model version, and the rows that decide how sure its grade is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from chestct.catalog import tables, timestamps
from chestct.catalog.current import chosen_corrections
from chestct.catalog.records import SeverityRecord
from chestct.catalog.releases import made_by
from chestct.catalog.store import Store
from chestct.labels import SeverityGrade
from chestct.severity.grading import Severity


@dataclass(frozen=True, eq=False)
class GradeEvidence:
    """What decides the grades of studies by one release: rows in bulk, in the order of the studies' ids.

    Args:
        studies: with a grade: `study_id`, `model_version` (which serves it), `percent`, `severity`, `name`,
            `stored_shape`, `affine`, `slice_count`.
        slices: predicted: `id`, `study_id`, `index`, `reviewed`, `lesion_expected`, `lesion_deviation`.
        corrections: chosen: `slice_id`, `label_map_path`, `changed_fraction`, `model_version`, and the
            `predicted_path` of the version that serves the slice.
    """

    studies: Sequence[sa.Row[Any]]
    slices: Sequence[sa.Row[Any]]
    corrections: Sequence[sa.Row[Any]]


class SeverityStore(Store):
    """Keeping and finding what models make of whole studies."""

    def of_study(self, study_id: int, model_version: str) -> SeverityRecord | None:
        """What a version found in a study; None where not all its slices are predicted, or for pictures."""
        table = tables.study_severities
        here = (table.c.study_id == study_id) & made_by(table, model_version)
        row = self._database.row(sa.select(table).where(here))
        if row is None:
            return None
        return SeverityRecord(
            **{**row, "grade": None if row["grade"] is None else SeverityGrade(row["grade"])}
        )

    def keep(self, study_id: int, model_version: str, severity: Severity) -> None:
        """Keep what a version makes of a study; what was kept first stays."""
        low, high = severity.interval_percent or (None, None)
        values = {
            "study_id": study_id,
            "model_version": model_version,
            "grade": None if severity.grade is None else severity.grade.value,
            "percent": severity.deciding_percent,
            "interval_low": low,
            "interval_high": high,
            "severity": severity.as_dict(),
            "created_at": timestamps.now(),
        }
        with self._database.writing() as connection:
            self._database.add_new(connection, tables.study_severities, values)

    def evidence(self, model_version: str, study_name: str | None = None) -> GradeEvidence:
        """What decides the grades of all studies, or of one, at one moment."""
        only = sa.true() if study_name is None else tables.studies.c.name == study_name
        with self._database.reading() as connection:
            studies = connection.execute(_graded_studies(model_version).where(only)).all()
            slices = connection.execute(_predicted_slices(model_version).where(only)).all()
            any_read = any(row.reviewed for row in slices)
            corrections = connection.execute(_corrections(model_version)).all() if any_read else []
        return GradeEvidence(studies, slices, corrections)

    def evidence_stamp(self, model_version: str) -> tuple[int, int]:
        """Changes whenever the evidence may have: the last correction, the last severity."""
        severities = tables.study_severities
        last_severity = sa.select(sa.func.max(severities.c.id)).where(made_by(severities, model_version))
        query = sa.select(
            sa.select(sa.func.max(tables.corrections.c.id)).scalar_subquery(), last_severity.scalar_subquery()
        )
        with self._database.reading() as connection:
            correction, severity = connection.execute(query).one()
        return correction or 0, severity or 0


def _graded_studies(model_version: str) -> sa.Select[*tuple[Any, ...]]:
    severities, studies = tables.study_severities, tables.studies
    return (
        sa.select(
            *(severities.c[name] for name in ("study_id", "model_version", "percent", "severity")),
            *(studies.c[name] for name in ("name", "stored_shape", "affine", "slice_count")),
        )
        .join(studies, studies.c.id == severities.c.study_id)
        .where(made_by(severities, model_version) & severities.c.grade.is_not(None))
        .order_by(severities.c.study_id)
    )


def _predicted_slices(model_version: str) -> sa.Select[*tuple[Any, ...]]:
    predictions, slices, studies = tables.predictions, tables.slices, tables.studies
    return (
        sa.select(
            *(slices.c[name] for name in ("id", "study_id", "index", "reviewed")),
            *(predictions.c[name] for name in ("lesion_expected", "lesion_deviation")),
        )
        .join(predictions, predictions.c.slice_id == slices.c.id)
        .join(studies, studies.c.id == slices.c.study_id)
        .where(made_by(predictions, model_version))
        .order_by(slices.c.study_id, slices.c.index)
    )


def _corrections(model_version: str) -> sa.Select[*tuple[Any, ...]]:
    chosen, predictions = chosen_corrections(), tables.predictions
    return (
        sa.select(
            *(chosen.c[name] for name in ("slice_id", "label_map_path", "changed_fraction", "model_version")),
            predictions.c.label_map_path.label("predicted_path"),
        )
        .join(predictions, predictions.c.slice_id == chosen.c.slice_id)
        .where(made_by(predictions, model_version))
    )
