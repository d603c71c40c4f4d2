"""Predictions: computed once for each slice and model version."""

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.catalog import pixels, tables, timestamps
from chestct.catalog.records import PredictionRecord, SliceRecord
from chestct.catalog.slices import SLICE_ROWS, SliceStore
from chestct.catalog.storage import UNCERTAINTY
from chestct.errors import InputError
from chestct.prediction import SlicePrediction

# Stands where a model version stands, for masks that people brought as pre-labels.
OWN_MASKS = "own-masks"
# Figures that order the work, by the names that they have in predictions and in the table.
_UNCERTAINTY = (
    "zone_entropy",
    "ground_glass_entropy",
    "consolidation_entropy",
    "disagreement",
    "lesion_zone",
)


class PredictionStore(SliceStore):
    """Keeping and finding what models found, and the masks that were brought to be shown instead."""

    def add_prelabel(self, slice_id: int, label_map: npt.NDArray[np.uint8]) -> bool:
        """Keep a mask made elsewhere as a slice's pre-label; whether it is new.

        Raises:
            InputError: it does not fit the slice, or another one is there: readers may have seen it.
        """
        known = self.prediction(slice_id, OWN_MASKS)
        if known is None:
            self.add_prediction(slice_id, OWN_MASKS, SlicePrediction(label_map, score=1.0, entropy_mean=0.0))
        elif not np.array_equal(self.storage.read_label_map(known.label_map_path), label_map):
            shown = self.slice(slice_id)
            raise InputError(
                f"mask of {shown.study_name} slice {shown.index}",
                "differs from the pre-label that the slice has; it never changes, use a catalog of its own",
            )
        return known is None

    def prelabel(self, slice_id: int, model_version: str) -> PredictionRecord | None:
        """The own mask that readers see in place of what a version found, None where there is none.

        A mask that came after the version had looked is not shown: the version's own pre-label may
        be on a reader's screen already, and what a reader started from must stay known.
        """
        own, found = self.prediction(slice_id, OWN_MASKS), self.prediction(slice_id, model_version)
        return own if own and (found is None or own.created_at <= found.created_at) else None

    def add_prediction(
        self, slice_id: int, model_version: str, prediction: SlicePrediction, seconds: float | None = None
    ) -> PredictionRecord:
        """Keep a prediction; where this version has predicted the slice before, the first one stays.

        Args:
            seconds: how long it took; the prediction's own time where left out.
        Raises:
            InputError: the label map does not fit the slice.
            NotFoundError: there is no such slice.
        """
        shown = self.slice(slice_id)
        if prediction.label_map.shape != (shown.height, shown.width):
            raise InputError(
                f"prediction of {shown.study_name} slice {shown.index}",
                f"has the shape {prediction.label_map.shape}; the slice is {(shown.height, shown.width)}",
            )
        known = self.prediction(slice_id, model_version)
        if known is not None:
            return known
        values = {
            "slice_id": slice_id,
            "model_version": model_version,
            "label_map_path": self.storage.write_label_map(prediction.label_map),
            "score": float(prediction.score),
            "ground_glass_fraction": prediction.ground_glass_fraction,
            "consolidation_fraction": prediction.consolidation_fraction,
            "entropy_mean": float(prediction.entropy_mean),
            "seconds": prediction.seconds if seconds is None else seconds,
            "created_at": timestamps.now(),
            "lesion_expected": prediction.lesion_expected,
            "lesion_deviation": prediction.lesion_deviation,
            **{name: _known(getattr(prediction, name)) for name in _UNCERTAINTY},
            "doubt_path": self._write_uncertainty(prediction.uncertainty),
        }
        with self._database.writing() as connection:
            self._database.add_new(connection, tables.predictions, values)
        return self._predictions(_of(slice_id, model_version))[0]

    def read_uncertainty(self, prediction: PredictionRecord) -> npt.NDArray[np.uint8] | None:
        """(h, w) uint8 picture as `SlicePrediction.uncertainty`; None where it has none."""
        path = prediction.doubt_path
        return None if path is None else pixels.from_png(self.storage.read_bytes(path), path)

    def prediction(self, slice_id: int, model_version: str) -> PredictionRecord | None:
        """What a version found in a slice, None where it has not looked."""
        found = self._predictions(_of(slice_id, model_version))
        return found[0] if found else None

    def predictions(self, model_version: str) -> list[PredictionRecord]:
        """All that a version found, in the order of the slices."""
        return self._predictions(tables.predictions.c.model_version == model_version)

    def predictions_of_study(self, study_id: int, model_version: str) -> list[PredictionRecord]:
        """What a version found in the slices of a study, as far as it has looked, in their order."""
        of_study = sa.select(tables.slices.c.id).where(tables.slices.c.study_id == study_id)
        here = tables.predictions.c.slice_id.in_(of_study)
        return self._predictions(here & (tables.predictions.c.model_version == model_version))

    def slices_without_prediction(
        self, model_version: str, limit: int | None = None, *, open_only: bool = False
    ) -> list[SliceRecord]:
        """Slices that a version has not looked at.

        Args:
            open_only: leave out those that readers are done with.
        """
        predicted = sa.select(tables.predictions.c.slice_id).where(
            tables.predictions.c.model_version == model_version
        )
        query = SLICE_ROWS.where(tables.slices.c.id.not_in(predicted)).limit(limit)
        if open_only:
            query = query.where(~tables.slices.c.reviewed)
        return self._slices(query)

    def _write_uncertainty(self, uncertainty: npt.NDArray[np.uint8] | None) -> str | None:
        return (
            None
            if uncertainty is None
            else self.storage.write_bytes(UNCERTAINTY, pixels.to_png(uncertainty), "png")
        )

    def _predictions(self, condition: sa.ColumnElement[bool]) -> list[PredictionRecord]:
        query = sa.select(tables.predictions).where(condition).order_by(tables.predictions.c.slice_id)
        with self._database.reading() as connection:
            return [PredictionRecord(**row) for row in connection.execute(query).mappings()]


def _known(figure: float | None) -> float | None:
    """A plain number; not a number is not known."""
    return None if figure is None or np.isnan(figure) else float(figure)


def _of(slice_id: int, model_version: str) -> sa.ColumnElement[bool]:
    return (tables.predictions.c.slice_id == slice_id) & (tables.predictions.c.model_version == model_version)
