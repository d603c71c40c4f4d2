"""What comes next, and how long a new version's order takes, in catalogs of 1,000 to 100,000 slices.

Compared in one run, on one catalog for each size, of which four tenths are corrected: (a) `lungloop next`
from the kept order, and from the same order once another fifth of all slices has been read in it, beside
the old way: read all open slices and all predictions, work out of all corrections what is open, and sort;
(b) making and keeping the order of a new version (fingerprints asked for, pool, chances that a correction
changes a grade, lots, strategy, order kept), lots drawn for the first time, beside the smaller catalogs.

Rows are made directly, without pixel files.

    python benchmarks/ordering.py [database URL] [slices ...]     SQLite in a folder of its own by default
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from _results import Measurement, show, write

from chestct.catalog import tables, timestamps
from chestct.catalog.catalog import Catalog
from chestct.catalog.current import reviewed_slices
from chestct.catalog.database import Database
from chestct.catalog.records import SliceRecord
from chestct.catalog.slices import SLICE_ROWS, slice_record
from lungloop.next_slices import next_slices
from ml_backend.prelabelling.worklist import update_worklist

_SIZES = (1_000, 10_000, 100_000)
_SLICES_A_STUDY = 40
_CALLS, _SHOWN = 30, 10
_OLD, _NEW = "base-1", "v2"
_GOAL_NEXT_MS, _GOAL_ORDER_SECONDS = 50.0, 10.0


@dataclass(frozen=True)
class Timing:
    """One size.

    Args:
        next_ms, late_ms: median and 95th percentile of `next`, with the order fresh and with a fifth of the
            catalog read in it since.
        old_ms: one call of the old way.
        order_seconds: with lots drawn for all, with lots known.
        counts_ms: median of `catalog.counts`, for orientation.
    """

    slices: int
    next_ms: tuple[float, float]
    late_ms: tuple[float, float]
    old_ms: float
    order_seconds: tuple[float, float]
    counts_ms: float


def main() -> None:
    urls = [one for one in sys.argv[1:] if not one.isdigit()]
    sizes = [int(one) for one in sys.argv[1:] if one.isdigit()]
    timings = [timed_catalog(size, urls[0] if urls else None) for size in sizes or _SIZES]
    measured = measurements(timings, "PostgreSQL" if urls else "SQLite")
    if urls or sizes:
        show(measured)
    else:
        write("ordering", measured)


def timed_catalog(size: int, url: str | None) -> Timing:
    with tempfile.TemporaryDirectory() as folder:
        database_url = url or f"sqlite:///{Path(folder) / 'catalog.sqlite3'}"
        with Catalog.open(database_url, folder) as catalog, closing(Database(database_url)) as database:
            fill(database, size)
            catalog.versions.set_champion(_OLD)
            drawing = seconds(lambda: make_order(catalog, _OLD))
            catalog.versions.set_champion(_NEW)
            again = seconds(lambda: make_order(catalog, _NEW))
            fresh = calls_ms(lambda: next_slices(catalog, _SHOWN))
            counts = calls_ms(catalog.counts)
            old = seconds(lambda: old_next(database, catalog)) * 1000
            served = [one.slice.id for one in catalog.worklist.next(size // 5)]
            correct(database, served, first_annotation=size)
            late = calls_ms(lambda: next_slices(catalog, _SHOWN))
            if url:
                empty(database)
    return Timing(size, fresh, late, old, (drawing, again), counts[0])


def fill(database: Database, size: int) -> None:
    """Studies, slices, predictions of two versions, and corrections of four tenths."""
    rng, now = np.random.default_rng(size), timestamps.now()
    studies = size // _SLICES_A_STUDY
    with database.writing() as connection:

        def add(table: sa.Table, rows: list[dict[str, Any]]) -> None:
            database.add_all(connection, table, rows)

        # Every fifth study is the second one of a patient.
        patients = [f"patient-{number - number % 5 // 4}" for number in range(studies)]
        add(tables.patients, [{"patient": one, "split": "train", "created_at": now} for one in set(patients)])
        add(
            tables.studies,
            [
                {"id": number + 1, "key": f"{number:064x}", "name": f"study-{number}",
                 "patient": patients[number], "layout": "nifti", "source": "/in", "intensity": "hu",
                 "slice_count": _SLICES_A_STUDY, "created_at": now}
                for number in range(studies)
            ],
        )  # fmt: skip
        fingerprints = rng.integers(-(2**63), 2**63 - 1, size)
        add(
            tables.slices,
            [
                {"id": number + 1, "study_id": number // _SLICES_A_STUDY + 1,
                 "index": number % _SLICES_A_STUDY, "key": f"{number:064x}", "width": 512, "height": 512,
                 "pixels_path": f"pixels/{number % 256:02x}/{number:064x}.npz",
                 "picture_path": f"picture/{number % 256:02x}/{number:064x}.png",
                 "reviewed": False, "fingerprint": int(fingerprints[number])}
                for number in range(size)
            ],
        )  # fmt: skip
        for version in (_OLD, _NEW):
            add(tables.versions, [{"version": version, "state": "challenger", "created_at": now}])
            add(tables.predictions, predictions(version, size, rng, now))
    corrected = rng.choice(size, size * 2 // 5, replace=False) + 1
    correct(database, corrected.tolist(), first_annotation=0)


def predictions(version: str, size: int, rng: np.random.Generator, now: str) -> list[dict[str, Any]]:
    uncertainty = rng.random((size, 6))
    return [
        {"slice_id": number + 1, "model_version": version, "created_at": now, "seconds": 0.05,
         "label_map_path": f"label_map/{number % 256:02x}/{number:064x}.png",
         "score": row[0], "entropy_mean": 0.1, "ground_glass_fraction": 0.1, "consolidation_fraction": 0.05,
         "zone_entropy": row[1] / 5, "ground_glass_entropy": row[2] / 10,
         "consolidation_entropy": row[3] / 20, "disagreement": row[4] / 10,
         "lesion_zone": max(0.0, row[5] - 0.4)}
        for number, row in enumerate(uncertainty.tolist())
    ]  # fmt: skip


def correct(database: Database, slice_ids: list[int], first_annotation: int) -> None:
    """One submitted state of one annotation for each of the slices."""
    now, order = timestamps.now(), tables.work_order
    rows = [
        {"slice_id": slice_id, "project_uid": "1:2026", "task_id": slice_id, "annotation_id": annotation_id,
         "annotation_updated_at": now, "state": "submitted", "annotator": f"reader-{slice_id % 3}",
         "lead_time_seconds": 60.0, "ground_truth": False, "label_map_path": "label_map/00/x.png",
         "received_at": now, "via": "sync"}
        for annotation_id, slice_id in enumerate(slice_ids, start=first_annotation)
    ]  # fmt: skip
    with database.writing() as connection:
        database.add_all(connection, tables.corrections, rows)
        for table, slice_id in ((tables.slices, tables.slices.c.id), (order, order.c.slice_id)):
            connection.execute(sa.update(table).where(slice_id.in_(reviewed_slices())).values(reviewed=True))


def make_order(catalog: Catalog, version: str) -> None:
    """As it is done after every promotion."""
    update_worklist(catalog, version).keep(catalog)


def old_next(database: Database, catalog: Catalog) -> list[SliceRecord]:
    """As `next` did before orders were kept."""
    scores = {one.slice_id: one.score for one in catalog.predictions.by_version(_NEW)}
    query = SLICE_ROWS.where(tables.slices.c.id.not_in(reviewed_slices()))
    with database.reading() as connection:
        still_open = [slice_record(row) for row in connection.execute(query).mappings()]
    return sorted(still_open, key=lambda one: (one.id not in scores, scores.get(one.id, 0.0), one.id))[
        :_SHOWN
    ]


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def calls_ms(call: Callable[[], object]) -> tuple[float, float]:
    """Median and 95th percentile of many calls."""
    each = [1000 * seconds(call) for _ in range(_CALLS)]
    return statistics.median(each), statistics.quantiles(each, n=20)[-1]


def empty(database: Database) -> None:
    """For the next size, in a database that is not thrown away; TRUNCATE is refused for corrections."""
    with database.writing() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for table in reversed(tables.metadata.sorted_tables):
            connection.execute(sa.delete(table))


def measurements(timings: list[Timing], database: str) -> list[Measurement]:
    found: list[Measurement] = []
    for one in timings:
        size = f"{one.slices:,} slices on {database}"
        old = f"the old way, on the same catalog: {one.old_ms:.0f} ms"
        for name, (median, high) in (("", one.next_ms), (", a fifth of all read in it since", one.late_ms)):
            found.append(
                Measurement(
                    f"`next` of {size}, order kept{name}: 95th percentile of {_CALLS} calls",
                    high,
                    "ms",
                    f"median {median:.1f} ms; {old}",
                    f"under {_GOAL_NEXT_MS:.0f} ms",
                    high < _GOAL_NEXT_MS,
                )
            )
        drawing, again = one.order_seconds
        found.append(
            Measurement(
                f"making and keeping a new version's order of {size}, lots drawn for all that are open",
                drawing,
                "s",
                f"lots known: {again:.2f} s; counts() takes {one.counts_ms:.0f} ms",
                f"under {_GOAL_ORDER_SECONDS:.0f} s",
                drawing < _GOAL_ORDER_SECONDS,
            )
        )
    return found


if __name__ == "__main__":
    main()
