"""Fingerprints of the slices' pictures: kept as signed numbers, since SQL has no others of 64 bits."""

import logging

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from chestct.acquisition.fingerprint import fingerprint
from chestct.catalog import pixels, tables
from chestct.catalog.store import Store
from chestct.errors import InputError, NotFoundError

_LOG = logging.getLogger(__name__)

UNKNOWN_FINGERPRINT = 0
# One statement changes as many rows: three parameters each, of the 32,767 that PostgreSQL's protocol has.
_ROWS_A_STATEMENT = 500


def kept_fingerprint(picture: npt.NDArray[np.uint8]) -> int:
    """The fingerprint of a (H, W) uint8 picture as the catalog keeps it, in [-2 ** 63, 2 ** 63)."""
    found = fingerprint(picture)
    return found - 2**64 if found >= 2**63 else found


class FingerprintStore(Store):
    """Fingerprints of studies that came before there were any."""

    def fill_fingerprints(self, limit: int | None = None) -> int:
        """Work out fingerprints that are missing, of open slices first.

        A picture that is lost or damaged is named in the log and counts as unknown from then on: it must not
        keep all the others from being ordered.

        Args:
            limit: at most as many; a picture takes some milliseconds.
        Returns:
            How many were worked out; 0 once none is missing.
        Raises:
            ServiceUnavailableError: the storage does not answer; what was worked out before is kept.
        """
        slices = tables.slices
        missing = sa.select(slices.c.id, slices.c.picture_path).where(slices.c.fingerprint.is_(None))
        with self._database.reading() as connection:
            query = missing.order_by(slices.c.reviewed, slices.c.id).limit(limit)
            waiting = [(slice_id, path) for slice_id, path in connection.execute(query)]
        for start in range(0, len(waiting), _ROWS_A_STATEMENT):
            some = waiting[start : start + _ROWS_A_STATEMENT]
            self._keep({slice_id: self._fingerprint(path) for slice_id, path in some})
        return len(waiting)

    def _fingerprint(self, picture_path: str) -> int:
        try:
            return kept_fingerprint(pixels.from_png(self.storage.read_bytes(picture_path), picture_path))
        except (NotFoundError, InputError) as error:
            _LOG.warning("no fingerprint: %s", error)
            return UNKNOWN_FINGERPRINT

    def _keep(self, found: dict[int, int]) -> None:
        slices = tables.slices
        change = sa.update(slices).where(slices.c.id.in_(list(found)))
        with self._database.writing() as connection:
            connection.execute(change.values(fingerprint=sa.case(found, value=slices.c.id)))
