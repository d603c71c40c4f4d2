"""Predictions: computed once for each slice and model version.

Every question takes a release's name in place of a version's (`releases`); only `add` wants the version.
"""

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.catalog import pixels, tables, timestamps
from chestct.catalog.database import Database
from chestct.catalog.records import PredictionRecord, SliceRecord
from chestct.catalog.releases import made_by
from chestct.catalog.slices import SLICE_ROWS, SliceStore
from chestct.catalog.storage import UNCERTAINTY, Storage
from chestct.catalog.store import Store
from chestct.errors import InputError
from chestct.prediction import SlicePrediction

# Stands where a model version stands, for masks that people brought as pre-labels.
OWN_MASKS = "own-masks"
# Figures that may be unknown, by the names that they have in predictions and in the table.
_FIGURES = (
    *("lesion_expected", "lesion_deviation", "lesion_zone", "disagreement"),
    *("zone_entropy", "ground_glass_entropy", "consolidation_entropy"),
)


class PredictionStore(Store):
    """Keeping and finding what models found, and the masks that were brought to be shown instead."""

    def __init__(self, database: Database, storage: Storage, slices: SliceStore) -> None:
        super().__init__(database, storage)
        self._slices = slices

    def add_prelabel(self, slice_id: int, label_map: npt.NDArray[np.uint8]) -> bool:
        """Keep a mask made elsewhere as a slice's pre-label; whether it is new.

        Raises:
            InputError: it does not fit the slice, or another one is there: readers may have seen it.
        """
        kept = self.of_slice(slice_id, OWN_MASKS)
        if kept is None:
            self.add(slice_id, OWN_MASKS, SlicePrediction(label_map, score=1.0, entropy_mean=0.0))
        elif not np.array_equal(self._storage.read_label_map(kept.label_map_path), label_map):
            slice_record = self._slices.get(slice_id)
            raise InputError(
                f"mask of {slice_record.study_name} slice {slice_record.index}",
                "differs from the pre-label that the slice has; it never changes, use a catalog of its own",
            )
        return kept is None

    def prelabel(self, slice_id: int, model_version: str) -> PredictionRecord | None:
        """The own mask that readers see in place of what a version found, None where there is none.

        A mask that came after the version had looked is not shown: the version's own pre-label may
        be on a reader's screen already, and what a reader started from must stay known.
        """
        own, predicted = self.of_slice(slice_id, OWN_MASKS), self.of_slice(slice_id, model_version)
        return own if own and (predicted is None or own.created_at <= predicted.created_at) else None

    def add(
        self, slice_id: int, model_version: str, prediction: SlicePrediction, seconds: float | None = None
    ) -> PredictionRecord:
        """Keep a prediction; where this version has predicted the slice before, the first one stays.

        Args:
            seconds: how long it took; the prediction's own time where left out.
        Raises:
            InputError: the label map does not fit the slice.
            NotFoundError: there is no such slice.
        """
        slice_record = self._slices.get(slice_id)
        size = (slice_record.height, slice_record.width)
        if prediction.label_map.shape != size:
            raise InputError(
                f"prediction of {slice_record.study_name} slice {slice_record.index}",
                f"has the shape {prediction.label_map.shape}; the slice is {size}",
            )
        kept = self.of_slice(slice_id, model_version)
        if kept is not None:
            return kept
        uncertainty = prediction.uncertainty
        values = {
            "slice_id": slice_id,
            "model_version": model_version,
            "label_map_path": self._storage.write_label_map(prediction.label_map),
            "score": float(prediction.score),
            "ground_glass_fraction": prediction.ground_glass_fraction,
            "consolidation_fraction": prediction.consolidation_fraction,
            "entropy_mean": float(prediction.entropy_mean),
            "seconds": prediction.seconds if seconds is None else seconds,
            "created_at": timestamps.now(),
            **{name: _finite(getattr(prediction, name)) for name in _FIGURES},
            "doubt_path": None
            if uncertainty is None
            else self._storage.write_bytes(UNCERTAINTY, pixels.to_png(uncertainty), "png"),
        }
        with self._database.writing() as connection:
            self._database.add_new(connection, tables.predictions, values)
            query = sa.select(tables.predictions).where(_of(slice_id, model_version))
            return PredictionRecord(**connection.execute(query).mappings().one())

    def read_uncertainty(self, prediction: PredictionRecord) -> npt.NDArray[np.uint8] | None:
        """(h, w) uint8 picture as `SlicePrediction.uncertainty`; None where it has none."""
        path = prediction.doubt_path
        return None if path is None else pixels.from_png(self._storage.read_bytes(path), path)

    def of_slice(self, slice_id: int, model_version: str) -> PredictionRecord | None:
        """What a version found in a slice, None where it has not looked."""
        row = self._database.row(sa.select(tables.predictions).where(_of(slice_id, model_version)))
        return None if row is None else PredictionRecord(**row)

    def by_version(self, model_version: str) -> list[PredictionRecord]:
        """All that a version found, in the order of the slices."""
        by_version = made_by(tables.predictions, model_version)
        query = sa.select(tables.predictions).where(by_version).order_by(tables.predictions.c.slice_id)
        return [PredictionRecord(**row) for row in self._database.rows(query)]

    def of_study(self, study_id: int, model_version: str) -> list[PredictionRecord]:
        """What a version found in the slices of a study, as far as it has looked, in their order."""
        predictions, slices = tables.predictions, tables.slices
        query = (
            sa.select(predictions)
            .join(slices, predictions.c.slice_id == slices.c.id)
            .where((slices.c.study_id == study_id) & made_by(predictions, model_version))
            .order_by(slices.c.index)
        )
        return [PredictionRecord(**row) for row in self._database.rows(query)]

    def cover_study(self, study_id: int, model_version: str) -> bool:
        """Whether a version has looked at every slice of a study."""
        # Asked after every slice that is predicted, so one row must be enough for the answer.
        predictions, slices = tables.predictions, tables.slices
        by_version = (predictions.c.slice_id == slices.c.id) & made_by(predictions, model_version)
        query = (
            sa.select(slices.c.id)
            .select_from(slices.outerjoin(predictions, by_version))
            .where((slices.c.study_id == study_id) & predictions.c.id.is_(None))
            .limit(1)
        )
        return self._database.row(query) is None

    def missing(self, model_version: str, *, open_only: bool = False) -> list[SliceRecord]:
        """Slices that a version has not looked at.

        Args:
            open_only: leave out those that readers are done with.
        """
        predictions = tables.predictions
        predicted = sa.select(predictions.c.slice_id).where(made_by(predictions, model_version))
        query = SLICE_ROWS.where(tables.slices.c.id.not_in(predicted))
        return self._slices.select(query.where(~tables.slices.c.reviewed) if open_only else query)

    def count_open(self, model_version: str) -> int:
        """How many open slices a version has looked at."""
        slices, predictions = tables.slices, tables.predictions
        query = (
            sa.select(sa.func.count())
            .select_from(predictions.join(slices, predictions.c.slice_id == slices.c.id))
            .where(made_by(predictions, model_version) & ~slices.c.reviewed)
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one()


def _finite(figure: float | None) -> float | None:
    """A plain number; not a number is not known."""
    return None if figure is None or np.isnan(figure) else float(figure)


def _of(slice_id: int, model_version: str) -> sa.ColumnElement[bool]:
    return (tables.predictions.c.slice_id == slice_id) & made_by(tables.predictions, model_version)
