"""The severity of a study, worked out once all its slices are predicted."""

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SeverityRecord
from chestct.prediction import SlicePrediction
from chestct.severity.grading import InvolvementCalibration, severity_of_predictions


def ensure_severity(
    catalog: Catalog, study_id: int, model_version: str, calibration: InvolvementCalibration | None
) -> SeverityRecord | None:
    """Work out and keep a study's severity, if this version has looked at all its slices.

    What was kept first stays, as with predictions. Pictures without geometry have no severity.

    Args:
        calibration: of the version's card.
    Returns:
        What is kept; None while a slice lacks its prediction, and for pictures.
    """
    if not catalog.predictions.cover_study(study_id, model_version):
        return None
    kept = catalog.severities.of_study(study_id, model_version)
    if kept is not None:
        return kept
    study = catalog.studies.get(study_id)
    if study.geometry is None:
        return None
    predictions = [
        SlicePrediction(
            label_map=catalog.storage.read_label_map(prediction.label_map_path),
            score=prediction.score,
            entropy_mean=prediction.entropy_mean,
            seconds=prediction.seconds,
            lesion_expected=prediction.lesion_expected,
            lesion_deviation=prediction.lesion_deviation,
        )
        for prediction in catalog.predictions.of_study(study_id, model_version)
    ]
    severity = severity_of_predictions(
        predictions,
        study.geometry,
        study.intensity,
        calibration=calibration,
        model_version=model_version,
    )
    catalog.severities.keep(study_id, model_version, severity)
    return catalog.severities.of_study(study_id, model_version)
