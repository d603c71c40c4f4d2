"""Filling in what readers changed: each mask is read once, its counts are kept."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from chestct.catalog import pixels
from chestct.catalog.catalog import Catalog
from chestct.catalog.storage import Storage
from chestct.errors import InputError, NotFoundError
from chestct.labels import LESIONS, Label
from chestct.reader_study.changes import changes_between, class_dice

_LOG = logging.getLogger(__name__)

# Two masks a row: some ten milliseconds each.
MOST_AT_ONCE = 500
_CLASSES = {
    "lesion_dice": LESIONS,
    "ground_glass_dice": (Label.GROUND_GLASS,),
    "consolidation_dice": (Label.CONSOLIDATION,),
}


def count_changes(catalog: Catalog, most: int = MOST_AT_ONCE) -> int:
    """Count what no row says yet: of new corrections, of a new champion's predictions, of new pairs.

    Safe to run twice and side by side. A file that is missing or damaged leaves its row out, said in
    the log, and is tried again by the next run.

    Args:
        most: rows of each kind, so that the first run over an old catalog does not hold up a sync;
            the newest come first, the next run goes on.
    Returns:
        How many rows were added.
    """
    changes, pairs = catalog.reader_changes.uncounted(most), catalog.reader_changes.unpaired(most)
    return catalog.reader_changes.keep(
        _counted_changes(catalog.storage, changes), _counted_pairs(catalog.storage, pairs)
    )


def _counted_changes(storage: Storage, rows: Iterable[Mapping[Any, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        path = row["doubt_path"]
        try:
            changes = changes_between(
                storage.read_label_map(row["corrected_path"]),
                storage.read_label_map(row["predicted_path"]),
                row["model_version"],
                None if path is None else pixels.from_png(storage.read_bytes(path), path),
            )
        except (InputError, NotFoundError) as error:
            _LOG.warning("correction %s is not counted: %s", row["correction_id"], error)
            continue
        yield {"correction_id": row["correction_id"], "beside": bool(row["beside"]), **asdict(changes)}


def _counted_pairs(storage: Storage, rows: Iterable[Mapping[Any, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        ids = {"first_id": row["first_id"], "second_id": row["second_id"]}
        try:
            first, second = (storage.read_label_map(row[f"{which}_path"]) for which in ("first", "second"))
        except (InputError, NotFoundError) as error:
            _LOG.warning("corrections %s and %s are not compared: %s", *ids.values(), error)
            continue
        yield {**ids, **{name: class_dice(first, second, group) for name, group in _CLASSES.items()}}
