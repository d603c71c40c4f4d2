"""The readers' log: every current correction with what its slice was drawn for and what it changed."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from chestct.acquisition.allocation import Arm
from chestct.catalog import tables
from chestct.catalog.current import champion_version, current_corrections
from chestct.catalog.predictions import OWN_MASKS
from chestct.catalog.store import Store
from chestct.reader_study.agreement import CLASSES, ReadingPair
from chestct.reader_study.changes import Changes
from chestct.reader_study.reading import Reading

_OF_CORRECTION = ["slice_id", "annotator", "project_uid", "task_id", "received_at", "lead_time_seconds"]
_CHANGES = tuple(field.name for field in fields(Changes))


class ReaderLogStore(Store):
    """Reads the log whole: no mask is opened, see `derived.reader_changes` for what fills it."""

    def readings(self) -> list[Reading]:
        """Every current correction, in the order of receipt."""
        current = current_corrections()
        slices, studies, drawn = tables.slices, tables.studies, tables.assignments
        own = (tables.predictions.c.slice_id == current.c.slice_id) & (
            tables.predictions.c.model_version == OWN_MASKS
        )
        study_task = (tables.study_tasks.c.project_uid == current.c.project_uid) & (
            tables.study_tasks.c.task_id == current.c.task_id
        )
        query = (
            sa.select(
                *(current.c[name] for name in _OF_CORRECTION),
                current.c.id.label("correction_id"),
                current.c.model_version.label("shown_version"),
                current.c.annotation_updated_at.label("updated_at"),
                slices.c.study_id,
                slices.c.index.label("slice_index"),
                studies.c.name.label("study_name"),
                studies.c.patient,
                drawn.c.arm,
                drawn.c.prelabelled,
                sa.func.coalesce(drawn.c.read_twice, sa.false()).label("read_twice"),
                sa.exists().where(study_task).label("of_study_task"),
                sa.exists().where(own).label("has_own_mask"),
            )
            .join(slices, slices.c.id == current.c.slice_id)
            .join(studies, studies.c.id == slices.c.study_id)
            .outerjoin(drawn, drawn.c.slice_id == current.c.slice_id)
            .order_by(current.c.id)
        )
        counted = tables.correction_changes
        by_champion = counted.c.model_version == champion_version()
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            beside = _changes(connection, counted.c.beside)
            later = _changes(connection, by_champion & ~counted.c.beside)
        return [
            Reading(
                **row,
                changes=beside.get(row["correction_id"]),
                champion_changes=later.get(row["correction_id"]),
            )
            for row in map(_as_fields, rows)
        ]

    def pairs(self, readings: Iterable[Reading]) -> list[ReadingPair]:
        """How far two readers agree on each slice that two have read in tasks of single slices.

        Args:
            readings: of `readings`: pairs of other rows no longer count. (Joined here: a database takes
                minutes to find thousands of current corrections twice.)
        """
        current = {reading.correction_id: reading for reading in readings if not reading.of_study_task}
        pairs = tables.reading_pairs
        rows = self._database.rows(sa.select(pairs).order_by(pairs.c.first_id, pairs.c.second_id))
        return [
            _pair(row, current[row["first_id"]], current[row["second_id"]])
            for row in rows
            if {row["first_id"], row["second_id"]} <= current.keys()
        ]

    def stamp(self) -> tuple[object, ...]:
        """Something that changes whenever the log does, for who keeps figures of it."""
        query = sa.select(
            sa.select(sa.func.max(tables.corrections.c.id)).scalar_subquery(),
            *(
                sa.select(sa.func.count()).select_from(table).scalar_subquery()
                for table in (tables.correction_changes, tables.reading_pairs, tables.assignments)
            ),
            sa.select(sa.func.max(tables.champion_changes.c.id)).scalar_subquery(),
        )
        with self._database.reading() as connection:
            return tuple(connection.execute(query).one())


def _changes(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> dict[int, Changes]:
    query = sa.select(tables.correction_changes).where(condition)
    return {
        row["correction_id"]: Changes(**{name: row[name] for name in _CHANGES})
        for row in connection.execute(query).mappings()
    }


def _pair(row: sa.RowMapping, first: Reading, second: Reading) -> ReadingPair:
    return ReadingPair(
        slice_id=first.slice_id,
        patient=first.patient,
        readers=(first.annotator, second.annotator),
        was_drawn=first.read_twice,
        dice={name: row[f"{name}_dice"] for name in CLASSES},
    )


def _as_fields(row: Mapping[Any, Any]) -> dict[str, Any]:
    """SQLite answers 0 and 1 where an expression is true or false."""
    truths = {name: bool(row[name]) for name in ("read_twice", "of_study_task", "has_own_mask")}
    return {**row, **truths, "arm": None if row["arm"] is None else Arm(row["arm"])}
