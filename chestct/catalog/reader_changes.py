"""Filling in what readers changed: each mask is read once, its counts are kept."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import combinations, islice
from typing import Any

import sqlalchemy as sa

from chestct.catalog import pixels, tables
from chestct.catalog.current import current_corrections
from chestct.catalog.database import Database
from chestct.catalog.predictions import OWN_MASKS
from chestct.catalog.records import VersionState
from chestct.catalog.storage import Storage
from chestct.catalog.store import Store
from chestct.errors import InputError, NotFoundError
from chestct.labels import LESIONS, Label
from chestct.reader_study.changes import changes_between, class_dice

_LOG = logging.getLogger(__name__)

# Two masks a row: some ten milliseconds each.
MOST_AT_ONCE = 500
# Rows of one transaction: other writers wait no longer than this takes.
_AT_ONCE = 50
_CLASSES = {
    "lesion_dice": LESIONS,
    "ground_glass_dice": (Label.GROUND_GLASS,),
    "consolidation_dice": (Label.CONSOLIDATION,),
}


class ReaderChangesStore(Store):
    """Keeps counts of current corrections against predictions, and of two readers against each other."""

    def count_changes(self, most: int = MOST_AT_ONCE) -> int:
        """Count what no row says yet: of new corrections, of a new champion's predictions, of new pairs.

        Safe to run twice and side by side. A file that is missing or damaged leaves its row out, said in
        the log, and is tried again by the next run.

        Args:
            most: rows of each kind, so that the first run over an old catalog does not hold up a sync;
                the newest come first, the next run goes on.
        Returns:
            How many rows were added.
        """
        with self._database.reading() as connection:
            changes = list(connection.execute(_uncounted_changes().limit(most)).mappings())
            pairs = list(islice(_uncounted_pairs(connection), most))
        changed, paired = _counted_changes(self.storage, changes), _counted_pairs(self.storage, pairs)
        return _keep(self._database, tables.correction_changes, changed) + _keep(
            self._database, tables.reading_pairs, paired
        )


def _counted_changes(storage: Storage, wanted: Iterable[sa.RowMapping]) -> Iterator[dict[str, Any]]:
    for row in wanted:
        try:
            uncertainty = row["doubt_path"]
            found = changes_between(
                storage.read_label_map(row["corrected_path"]),
                storage.read_label_map(row["predicted_path"]),
                row["model_version"],
                None
                if uncertainty is None
                else pixels.from_png(storage.read_bytes(uncertainty), uncertainty),
            )
        except (InputError, NotFoundError) as error:
            _LOG.warning("correction %s is not counted: %s", row["correction_id"], error)
            continue
        yield {"correction_id": row["correction_id"], "beside": bool(row["beside"]), **asdict(found)}


def _counted_pairs(storage: Storage, wanted: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in wanted:
        try:
            first, second = (storage.read_label_map(row[f"{which}_path"]) for which in ("first", "second"))
        except (InputError, NotFoundError) as error:
            _LOG.warning(
                "corrections %s and %s are not compared: %s", row["first_id"], row["second_id"], error
            )
            continue
        dice = {name: class_dice(first, second, group) for name, group in _CLASSES.items()}
        yield {"first_id": row["first_id"], "second_id": row["second_id"], **dice}


def _keep(database: Database, table: sa.Table, rows: Iterator[dict[str, Any]]) -> int:
    """Adds some rows a transaction, reading masks between them and never within one."""
    added = 0
    while batch := list(islice(rows, _AT_ONCE)):
        with database.writing() as connection:
            added += sum(database.add_new(connection, table, row) for row in batch)
    return added


def _uncounted_changes() -> sa.Select[Any]:
    """Current corrections beside the prediction that was or would have been shown, and the champion's."""
    wanted, known = _beside(), tables.correction_changes
    counted = (known.c.correction_id == wanted.c.correction_id) & (
        known.c.model_version == wanted.c.model_version
    )
    champion = sa.select(tables.versions.c.version).where(
        tables.versions.c.state == VersionState.CHAMPION.value
    )
    needed = (wanted.c.place == 1) | (wanted.c.model_version == champion.scalar_subquery())
    return (
        sa.select(wanted, (wanted.c.place == 1).label("beside"))
        .where(needed & ~sa.exists().where(counted))
        .order_by(wanted.c.correction_id.desc(), wanted.c.place)
    )


def _beside() -> sa.Subquery:
    """Each current correction with each model's prediction of its slice; the one to stand beside it first.

    That is the version it started from; where it started from none, the newest that had looked by then.
    Predictions that came later can only be the champion's, and come last.
    """
    current, found = current_corrections(), tables.predictions
    rank = sa.case(
        (found.c.model_version == current.c.model_version, 0),
        (found.c.created_at <= current.c.annotation_updated_at, 1),
        else_=2,
    )
    place = sa.func.row_number().over(
        partition_by=current.c.id, order_by=(rank, found.c.created_at.desc(), found.c.id.desc())
    )
    return (
        sa.select(
            current.c.id.label("correction_id"),
            current.c.label_map_path.label("corrected_path"),
            found.c.label_map_path.label("predicted_path"),
            found.c.model_version,
            found.c.doubt_path,
            # A prediction of later was on nobody's screen, so it stands in no first place.
            sa.case((rank < 2, place), else_=place + 1).label("place"),
        )
        .join(found, found.c.slice_id == current.c.slice_id)
        .where(found.c.model_version != OWN_MASKS)
        .subquery()
    )


def _uncounted_pairs(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    """Two readers' current corrections of one slice, each pair once, the newest first.

    Paired here: a database takes minutes to join thousands of current corrections with themselves.
    """
    current, pairs = current_corrections(), tables.reading_pairs
    columns = current.c.id, current.c.slice_id, current.c.label_map_path
    known = set(map(tuple, connection.execute(sa.select(pairs.c.first_id, pairs.c.second_id))))
    of_slice: dict[int, list[sa.Row[Any, Any, Any]]] = defaultdict(list)
    for row in connection.execute(sa.select(*columns).order_by(current.c.id)):
        of_slice[row.slice_id].append(row)
    for rows in reversed(of_slice.values()):
        for first, second in combinations(rows, 2):
            if (first.id, second.id) not in known:
                yield {
                    "first_id": first.id,
                    "second_id": second.id,
                    "first_path": first.label_map_path,
                    "second_path": second.label_map_path,
                }
