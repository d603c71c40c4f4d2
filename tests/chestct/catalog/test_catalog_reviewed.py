"""Whether readers are done with a slice, as kept with it, is always what all rows together say."""

import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chestct.catalog import migrate, tables
from chestct.catalog.catalog import Catalog
from chestct.catalog.current import reviewed_slices
from chestct.catalog.database import Database
from chestct.catalog.records import CorrectionState
from chestct.catalog.study_annotations import StudyAnnotation

SUBMITTED, SKIPPED, DELETED = CorrectionState.SUBMITTED, CorrectionState.SKIPPED, CorrectionState.DELETED
DRAWN = np.ones((4, 4), np.uint8)

# An annotation is of a slice's task (1 to 3) or of a study's (4 to 6), never of both.
_of_slices, _of_studies = st.integers(1, 3), st.integers(4, 6)
_minutes, _indices = st.integers(0, 3), st.integers(0, 2)
_steps = st.one_of(
    st.tuples(
        st.just("slice"), _of_slices, _minutes, _indices, st.sampled_from([SUBMITTED, SKIPPED, DELETED])
    ),
    st.tuples(
        st.just("study"),
        _of_studies,
        _minutes,
        st.dictionaries(_indices, st.booleans(), min_size=1),
        st.sampled_from([SUBMITTED, SKIPPED]),
    ),
    st.tuples(st.just("delete"), _of_slices | _of_studies),
    st.tuples(st.just("order"), st.permutations([0, 1, 2])),
)
_seeds = itertools.count()


def kept_and_derived(catalog):
    """Ids of reviewed slices as kept with the slices, as worked out, and whether the order says the same."""
    order, slices = tables.work_order, tables.slices
    with catalog._database.reading() as connection:
        kept = set(connection.execute(sa.select(slices.c.id).where(slices.c.reviewed)).scalars())
        derived = set(connection.execute(reviewed_slices()).scalars())
        ordered = connection.execute(sa.select(order.c.slice_id, order.c.reviewed)).all()
    return kept, derived, all((slice_id in kept) == reviewed for slice_id, reviewed in ordered)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_steps, min_size=1, max_size=12))
def test_what_is_kept_is_what_all_rows_say_after_any_history(catalog, make_study, correct, steps):
    seed = next(_seeds)  # every example has a study and a project of its own in one catalog
    record, _ = catalog.studies.add(make_study(f"s{seed}", seed=seed, slice_count=3), "nifti")
    slices, project = catalog.slices.of_study(record.id), f"{seed}:2026"
    for step in steps:
        _take(catalog, correct, project, slices, step)
        kept, derived, order_agrees = kept_and_derived(catalog)
        assert kept == derived
        assert order_agrees
    assert {one.id for one in catalog.slices.open()} == {one.id for one in catalog.slices.all()} - derived
    assert catalog.counts()["open"] == catalog.counts()["slices"] - len(derived)
    assert catalog.counts()["corrected"] == len({row.slice_id for row in catalog.corrections.current()})


def _take(catalog, correct, project, slices, step):
    match step:
        case "slice", annotation, minute, index, state:
            correct(slices[index].id, minute, project_uid=project, annotation_id=annotation, state=state)
        case "study", annotation, minute, drawn, state:
            given = {
                slices[index].id: DRAWN if is_drawn and state is SUBMITTED else None
                for index, is_drawn in drawn.items()
            }
            updated_at = f"2026-03-01T09:{minute:02}:00Z"
            catalog.corrections.add_study_annotation(
                StudyAnnotation(
                    slices[0].study_id, project, 10, annotation, updated_at, state, "r", "sync", given
                )
            )
        case "delete", annotation:
            catalog.corrections.mark_deleted(project, annotation, "sync")
        case "order", indices:
            catalog.worklist.keep("v2", [slices[index].id for index in indices], ["because"] * 3)


def test_a_slice_is_done_with_while_one_annotation_of_it_stands(catalog, one_slice, correct):
    correct(one_slice.id, annotation_id=1)
    correct(one_slice.id, annotation_id=2)
    catalog.corrections.mark_deleted("1:2026-01-01", 1, "sync")
    assert catalog.slices.open() == []
    catalog.corrections.mark_deleted("1:2026-01-01", 2, "sync")
    assert catalog.slices.open() == [one_slice]


def test_annotations_of_one_slice_that_come_and_go_at_once_do_not_overlook_each_other(
    catalog, one_slice, correct
):
    for annotation in range(8):
        correct(one_slice.id, annotation_id=annotation)

    def change(annotation):
        if annotation % 2:
            catalog.corrections.mark_deleted("1:2026-01-01", annotation, "sync")
        else:
            correct(one_slice.id, 5, annotation_id=annotation, state=SKIPPED)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(change, range(8)))
    kept, derived, _ = kept_and_derived(catalog)
    assert kept == derived == set()


def test_a_catalog_from_before_learns_which_slices_are_done_with(empty_database_url, storage_url):
    with contextlib.closing(Database(empty_database_url)) as database:
        config = Config()
        config.set_main_option("script_location", str(migrate._SCRIPTS))
        with database.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0004")
            for statement in _ROWS:
                connection.execute(sa.text(statement))
            for row in _CORRECTIONS:
                connection.execute(_INSERT, dict(zip(_NAMES, row, strict=True)))
    with Catalog.open(empty_database_url, storage_url) as catalog:
        assert kept_and_derived(catalog) == ({3, 4}, {3, 4}, True)


_ROWS = (
    "INSERT INTO patients VALUES ('p', 'train', 't')",
    "INSERT INTO studies (id, key, name, patient, layout, source, intensity, slice_count, created_at) "
    "VALUES (1, 'k', 's', 'p', 'nifti', '/in', 'hu', 4, 't')",
    *(
        'INSERT INTO slices (id, study_id, "index", key, width, height, pixels_path, picture_path) '
        f"VALUES ({number}, 1, {number}, 'k{number}', 4, 4, 'a', 'b')"
        for number in range(1, 5)
    ),
)
_NAMES = ("slice_id", "annotation_id", "updated_at", "state", "path")
# Slice 1 was skipped after all; the newest state of annotation 7 speaks of slice 3 alone, so slice 2 is open
# again; slice 4 was skipped by one reader and corrected by another.
_CORRECTIONS = (
    (1, 6, "09:00", "submitted", "x"),
    (1, 6, "09:01", "skipped", None),
    (2, 7, "09:00", "accepted", None),
    (3, 7, "09:00", "accepted", None),
    (3, 7, "09:01", "submitted", "x"),
    (4, 8, "09:05", "skipped", None),
    (4, 9, "09:00", "submitted", "x"),
)
_INSERT = sa.text(
    "INSERT INTO corrections (slice_id, project_uid, task_id, annotation_id, annotation_updated_at, state, "
    "annotator, ground_truth, label_map_path, received_at, via) "
    "VALUES (:slice_id, '1:2026', 10, :annotation_id, :updated_at, :state, 'r', false, :path, 't', 'sync')"
)
