"""The severity of each study by each model version, kept once all its slices are predicted."""

import sqlalchemy as sa

from chestct.catalog import tables, timestamps
from chestct.catalog.predictions import PredictionStore
from chestct.catalog.records import SeverityRecord
from chestct.catalog.studies import StudyStore
from chestct.labels import SeverityGrade
from chestct.prediction import SlicePrediction
from chestct.severity.grading import InvolvementCalibration, severity_of_predictions


class SeverityStore(StudyStore, PredictionStore):
    """Keeping and finding what models make of whole studies."""

    def severity(self, study_id: int, model_version: str) -> SeverityRecord | None:
        """What a version found in a study; None where not all its slices are predicted, or for pictures."""
        table = tables.study_severities
        here = (table.c.study_id == study_id) & (table.c.model_version == model_version)
        with self._database.reading() as connection:
            row = connection.execute(sa.select(table).where(here)).mappings().first()
        if row is None:
            return None
        grade = None if row["grade"] is None else SeverityGrade(row["grade"])
        return SeverityRecord(**{**row, "grade": grade})

    def ensure_severity(
        self, study_id: int, model_version: str, calibration: InvolvementCalibration | None
    ) -> SeverityRecord | None:
        """Work out and keep a study's severity, if this version has looked at all its slices.

        What was kept first stays, as with predictions. Pictures without geometry have no severity.

        Args:
            calibration: of the version's card.
        Returns:
            What is kept; None while a slice lacks its prediction, and for pictures.
        """
        if self._lacks_a_prediction(study_id, model_version):
            return None
        known = self.severity(study_id, model_version)
        if known is not None:
            return known
        study = self._study_where(tables.studies.c.id == study_id)
        if study is None or study.geometry is None:
            return None
        found = severity_of_predictions(
            self._whole_study(study_id, model_version),
            study.geometry,
            study.intensity,
            calibration=calibration,
            model_version=model_version,
        )
        low, high = found.interval_percent or (None, None)
        values = {
            "study_id": study_id,
            "model_version": model_version,
            "grade": None if found.grade is None else found.grade.value,
            "percent": found.deciding_percent,
            "interval_low": low,
            "interval_high": high,
            "severity": found.as_dict(),
            "created_at": timestamps.now(),
        }
        with self._database.writing() as connection:
            self._database.add_new(connection, tables.study_severities, values)
        return self.severity(study_id, model_version)

    def _lacks_a_prediction(self, study_id: int, model_version: str) -> bool:
        # Asked after every slice that is predicted, so one row must be enough for the answer.
        predictions, slices = tables.predictions, tables.slices
        query = (
            sa.select(slices.c.id)
            .outerjoin(predictions, _prediction_by(model_version))
            .where((slices.c.study_id == study_id) & predictions.c.id.is_(None))
            .limit(1)
        )
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def _whole_study(self, study_id: int, model_version: str) -> list[SlicePrediction]:
        """A version's predictions of a study in the order of its slices."""
        predictions, slices = tables.predictions, tables.slices
        query = (
            sa.select(predictions)
            .join(slices, _prediction_by(model_version))
            .where(slices.c.study_id == study_id)
            .order_by(slices.c.index)
        )
        with self._database.reading() as connection:
            rows = list(connection.execute(query).mappings())
        return [
            SlicePrediction(
                label_map=self.storage.read_label_map(row["label_map_path"]),
                score=row["score"],
                entropy_mean=row["entropy_mean"],
                seconds=row["seconds"],
                lesion_expected=row["lesion_expected"],
                lesion_deviation=row["lesion_deviation"],
            )
            for row in rows
        ]


def _prediction_by(model_version: str) -> sa.ColumnElement[bool]:
    predictions, slices = tables.predictions, tables.slices
    return (predictions.c.slice_id == slices.c.id) & (predictions.c.model_version == model_version)
