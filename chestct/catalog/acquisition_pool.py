"""The open slices that a version has predicted, as the columns that a worklist is made from."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.acquisition.pool import Pool
from chestct.catalog import tables
from chestct.catalog.incoming import UNKNOWN_FINGERPRINT
from chestct.catalog.releases import made_by
from chestct.catalog.store import Store
from chestct.labels import Split

_UNCERTAINTY = (
    "zone_entropy",
    "ground_glass_entropy",
    "consolidation_entropy",
    "disagreement",
    "lesion_zone",
)


class PoolStore(Store):
    """Reading pools."""

    def of_version(self, model_version: str) -> Pool:
        """All open slices that a version has predicted, or that of a release which serves them, by their ids.

        Predictions from before a column existed have NaN there; their entropy is then 1 - confidence, which
        orders them among themselves (it is a mean over the zone, not a share of the picture). The chance
        to change a grade is not known here.
        """
        slices, studies, predictions = tables.slices, tables.studies, tables.predictions
        entropy = sa.func.coalesce(predictions.c.zone_entropy, 1.0 - predictions.c.score)
        query = (
            sa.select(
                slices.c.id,
                slices.c.study_id,
                studies.c.patient,
                slices.c.index,
                entropy.label("zone_entropy"),
                *(predictions.c[name] for name in _UNCERTAINTY[1:]),
                sa.func.coalesce(slices.c.fingerprint, UNKNOWN_FINGERPRINT),
                tables.patients.c.split,
            )
            .join(slices, predictions.c.slice_id == slices.c.id)
            .join(studies, slices.c.study_id == studies.c.id)
            .join(tables.patients, tables.patients.c.patient == studies.c.patient)
            .where(made_by(predictions, model_version) & ~slices.c.reviewed)
            .order_by(slices.c.id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        ids, study_ids, patients, positions, *uncertainty, fingerprints, splits = (
            zip(*rows, strict=True) if rows else [()] * 11
        )
        return Pool.of(
            slice_ids=ids,
            study_ids=study_ids,
            patients=_codes(patients),
            positions=positions,
            **dict(zip(_UNCERTAINTY, uncertainty, strict=True)),
            fingerprints=np.array(fingerprints, np.int64).view(np.uint64),
            held_back=[split == Split.TEST for split in splits],
        )


def _codes(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """A number for each name, from 0 in the order of their coming; equal names, equal numbers."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
