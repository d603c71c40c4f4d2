"""Fingerprints of studies that came before there were any."""

import logging

from chestct.catalog import pixels
from chestct.catalog.catalog import Catalog
from chestct.catalog.incoming import UNKNOWN_FINGERPRINT, kept_fingerprint
from chestct.errors import InputError, NotFoundError

_LOG = logging.getLogger(__name__)

# One statement changes as many rows: three parameters each, of the 32,767 that PostgreSQL's protocol has.
_ROWS_A_STATEMENT = 500


def fill_fingerprints(catalog: Catalog, limit: int | None = None) -> int:
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
    waiting = list(catalog.slices.without_fingerprint(limit).items())
    for start in range(0, len(waiting), _ROWS_A_STATEMENT):
        some = waiting[start : start + _ROWS_A_STATEMENT]
        catalog.slices.keep_fingerprints({slice_id: _fingerprint(catalog, path) for slice_id, path in some})
    return len(waiting)


def _fingerprint(catalog: Catalog, picture_path: str) -> int:
    try:
        picture = pixels.from_png(catalog.storage.read_bytes(picture_path), picture_path)
    except (NotFoundError, InputError) as error:
        _LOG.warning("no fingerprint: %s", error)
        return UNKNOWN_FINGERPRINT
    return kept_fingerprint(picture)
