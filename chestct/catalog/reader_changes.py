"""What readers changed: which corrections are not counted yet, and the counts, each kept once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, islice
from typing import Any

import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.current import champion_version, current_corrections
from chestct.catalog.predictions import OWN_MASKS
from chestct.catalog.store import Store

# Rows of one transaction: other writers wait no longer than this takes.
_AT_ONCE = 50


class ReaderChangesStore(Store):
    """Counts of current corrections against predictions, and of two readers against each other."""

    def uncounted(self, most: int) -> list[sa.RowMapping]:
        """Current corrections beside predictions that no count compares them with yet, the newest first.

        Returns:
            At most so many: `correction_id`, `corrected_path`, `predicted_path`, `model_version`,
            `doubt_path` and `beside`.
        """
        return list(self._database.rows(_uncounted_changes().limit(most)))

    def unpaired(self, most: int) -> list[dict[str, Any]]:
        """Two readers' current corrections of one slice that no row compares yet, the newest first.

        Returns:
            At most so many: `first_id`, `second_id`, `first_path` and `second_path`.
        """
        with self._database.reading() as connection:
            return list(islice(_uncounted_pairs(connection), most))

    def keep(self, changes: Iterable[dict[str, Any]], pairs: Iterable[dict[str, Any]]) -> int:
        """Keep rows of `correction_changes` and of `reading_pairs`; how many are new."""
        return self._keep(tables.correction_changes, changes) + self._keep(tables.reading_pairs, pairs)

    def _keep(self, table: sa.Table, rows: Iterable[dict[str, Any]]) -> int:
        """Some rows a transaction: what works them out reads masks between transactions, never within one."""
        added, rows = 0, iter(rows)
        while batch := list(islice(rows, _AT_ONCE)):
            with self._database.writing() as connection:
                added += sum(self._database.add_new(connection, table, row) for row in batch)
        return added


def _uncounted_changes() -> sa.Select[Any]:
    """Current corrections beside the prediction that was or would have been shown, and the champion's."""
    wanted, counts = _beside(), tables.correction_changes
    counted = (counts.c.correction_id == wanted.c.correction_id) & (
        counts.c.model_version == wanted.c.model_version
    )
    needed = (wanted.c.rank == 1) | (wanted.c.model_version == champion_version())
    return (
        sa.select(wanted, (wanted.c.rank == 1).label("beside"))
        .where(needed & ~sa.exists().where(counted))
        .order_by(wanted.c.correction_id.desc(), wanted.c.rank)
    )


def _beside() -> sa.Subquery:
    """Each current correction with each model's prediction of its slice; the one to stand beside it first.

    That is the version it started from; where it started from none, the newest that had looked by then.
    Predictions that came later can only be the champion's, and come last.
    """
    current, predictions = current_corrections(), tables.predictions
    kind = sa.case(
        (predictions.c.model_version == current.c.model_version, 0),
        (predictions.c.created_at <= current.c.annotation_updated_at, 1),
        else_=2,
    )
    rank = sa.func.row_number().over(
        partition_by=current.c.id, order_by=(kind, predictions.c.created_at.desc(), predictions.c.id.desc())
    )
    return (
        sa.select(
            current.c.id.label("correction_id"),
            current.c.label_map_path.label("corrected_path"),
            predictions.c.label_map_path.label("predicted_path"),
            predictions.c.model_version,
            predictions.c.doubt_path,
            # A prediction of later was on nobody's screen, so it is never the first.
            sa.case((kind < 2, rank), else_=rank + 1).label("rank"),
        )
        .join(predictions, predictions.c.slice_id == current.c.slice_id)
        .where(predictions.c.model_version != OWN_MASKS)
        .subquery()
    )


def _uncounted_pairs(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    """Two readers' current corrections of one slice, each pair once, the newest first.

    Paired here: a database takes minutes to join thousands of current corrections with themselves.
    """
    current, pairs = current_corrections(), tables.reading_pairs
    columns = current.c.id, current.c.slice_id, current.c.label_map_path
    paired = set(map(tuple, connection.execute(sa.select(pairs.c.first_id, pairs.c.second_id))))
    of_slice: dict[int, list[sa.Row[Any, Any, Any]]] = defaultdict(list)
    for row in connection.execute(sa.select(*columns).order_by(current.c.id)):
        of_slice[row.slice_id].append(row)
    for rows in reversed(of_slice.values()):
        for first, second in combinations(rows, 2):
            if (first.id, second.id) not in paired:
                yield {
                    "first_id": first.id,
                    "second_id": second.id,
                    "first_path": first.label_map_path,
                    "second_path": second.label_map_path,
                }
