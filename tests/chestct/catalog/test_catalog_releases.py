"""Which version serves which study, through every question that the catalog answers."""

import contextlib
import json

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from chestct.catalog import migrate
from chestct.catalog.catalog import Catalog
from chestct.catalog.database import Database
from chestct.catalog.records import Release, VersionState
from chestct.errors import InputError, NotFoundError
from chestct.labels import SeverityGrade
from chestct.severity.grading import Severity

OPEN, CHAMPION = VersionState.OPEN_STUDIES, VersionState.CHAMPION
REFUSED, RETIRED = VersionState.REFUSED, VersionState.RETIRED
MIXED = "base-1+v2"


def _states(catalog):
    return {version.version: version.state for version in catalog.versions.all()}


@pytest.fixture
def studies(catalog, make_study):
    """Ids of two studies with two slices each; base-1 serves, v2 has learned from the second."""
    ids = [catalog.studies.add(make_study(name, seed=seed), "nifti")[0].id for seed, name in enumerate("ab")]
    catalog.versions.ensure_base("base-1")
    catalog.versions.register("v2", "base-1", "snapshot-1", study_ids=ids[1:])
    catalog.versions.register("v3", "base-1", "snapshot-2", study_ids=ids)
    return ids


@pytest.fixture
def mixed(catalog, studies):
    """v2 serves the second study; both versions have looked at everything, and say what they are."""
    catalog.versions.serve_open_studies("v2")
    return studies


def test_before_the_first_champion_nothing_serves(catalog):
    assert catalog.versions.release() is None
    assert catalog.counts()["predicted"] == 0
    with pytest.raises(NotFoundError, match="lungloop up"):
        catalog.versions.required_release()


def test_a_version_serves_what_it_learned_from_and_the_champion_everything_else(catalog, mixed):
    release = catalog.versions.release()
    assert release == Release("base-1", "v2", frozenset(mixed[1:]))
    assert (release.name, release.versions) == (MIXED, ("base-1", "v2"))
    assert [release.version_of(study_id) for study_id in (*mixed, None)] == ["base-1", "v2", "base-1"]
    assert [catalog.versions.version_of(MIXED, study_id) for study_id in mixed] == ["base-1", "v2"]
    assert catalog.versions.champion().version == "base-1"
    assert _states(catalog) == {"base-1": CHAMPION, "v2": OPEN, "v3": VersionState.CHALLENGER}


def test_a_promotion_serves_everything_and_retires_both(catalog, mixed):
    catalog.versions.set_champion("v3")
    assert catalog.versions.release() == Release("v3")
    assert _states(catalog) == {"base-1": RETIRED, "v2": RETIRED, "v3": CHAMPION}
    assert catalog.versions.version_of(MIXED, mixed[1]) == "v2", "a name of before says what it said"


def test_the_next_version_takes_the_place_of_the_one_beside_the_champion(catalog, mixed):
    catalog.versions.serve_open_studies("v3", mixed, {"serves": "open studies"})
    assert catalog.versions.release() == Release("base-1", "v3", frozenset(mixed))
    assert _states(catalog) == {"base-1": CHAMPION, "v2": RETIRED, "v3": OPEN}
    assert catalog.versions.get("v3").decision == {"serves": "open studies"}


def test_rollback_takes_back_both_parts_one_release_at_a_time(catalog, mixed):
    catalog.versions.serve_open_studies("v3")
    catalog.versions.set_champion("v3")
    names = []
    with pytest.raises(NotFoundError, match="before"):
        while True:
            catalog.versions.rollback()
            names.append(catalog.versions.release().name)
    assert names == ["base-1+v3", MIXED, "base-1"]
    assert _states(catalog) == {"base-1": CHAMPION, "v2": RETIRED, "v3": RETIRED}


def test_the_champion_alone_again_is_a_release_of_its_own(catalog, mixed):
    catalog.versions.set_champion("base-1")
    assert catalog.versions.release() == Release("base-1")
    assert catalog.versions.rollback().version == "base-1"
    assert catalog.versions.release().name == MIXED


def test_the_version_beside_the_champion_can_become_it(catalog, mixed):
    assert catalog.versions.set_champion("v2").state is CHAMPION
    assert _states(catalog)["base-1"] is RETIRED


def test_serving_again_changes_nothing_but_the_decision(catalog, mixed):
    catalog.versions.serve_open_studies("v2", mixed[1:], {"by": "hand"})
    catalog.versions.rollback()
    assert catalog.versions.release() == Release("base-1")
    assert catalog.versions.get("v2").decision == {"by": "hand"}


def test_what_serves_cannot_be_refused(catalog, mixed):
    with pytest.raises(InputError, match="serving the open studies"):
        catalog.versions.refuse("v2", {})


def test_what_a_version_learned_from_never_changes(catalog, mixed):
    for change in (
        lambda: catalog.versions.serve_open_studies("v2", mixed),
        lambda: catalog.versions.register("v2", "base-1", "snapshot-1", study_ids=mixed),
    ):
        with pytest.raises(InputError, match="learned from 1 studies"):
            change()
    assert catalog.versions.studies_of("v2") == frozenset(mixed[1:])


def test_a_version_serves_open_studies_only_beside_a_champion_and_by_known_studies(catalog, studies):
    catalog.versions.register("v4", None, None)
    with pytest.raises(InputError, match="not known to have learned"):
        catalog.versions.serve_open_studies("v4")
    with pytest.raises(InputError, match="is the champion"):
        catalog.versions.serve_open_studies("base-1", studies)
    with pytest.raises(NotFoundError, match="'v9'"):
        catalog.versions.serve_open_studies("v9", studies)
    assert catalog.versions.release() == Release("base-1")
    assert catalog.versions.studies_of("base-1") == frozenset()


def test_without_a_champion_nobody_serves_the_other_studies(catalog, make_study):
    study, _ = catalog.studies.add(make_study(), "nifti")
    catalog.versions.register("v2", None, None)
    with pytest.raises(NotFoundError, match="no champion"):
        catalog.versions.serve_open_studies("v2", [study.id])


def test_a_version_is_not_named_like_a_release(catalog):
    with pytest.raises(InputError, match="joins the versions"):
        catalog.versions.register("a+b", None, None)
    with pytest.raises(InputError, match="serve_open_studies"):
        catalog.versions.register("v2", None, None, OPEN)


def test_the_database_itself_allows_one_version_beside_the_champion(catalog, mixed):
    two = sa.text("UPDATE versions SET state = 'open studies' WHERE version = 'v3'")
    with pytest.raises(sa.exc.IntegrityError), catalog._database.writing() as connection:
        connection.execute(two)


def test_every_question_by_a_releases_name_is_answered_by_the_version_that_serves(
    catalog, mixed, make_prediction
):
    ids = {study_id: [record.id for record in catalog.slices.of_study(study_id)] for study_id in mixed}
    first, second = (ids[study_id] for study_id in mixed)
    assert {record.id for record in catalog.predictions.missing(MIXED)} == {*first, *second}
    for slice_id in (*first, *second):
        catalog.predictions.add(slice_id, "base-1", make_prediction(score=0.1))
    assert catalog.counts()["predicted"] == catalog.predictions.count_open(MIXED) == 2
    assert [record.id for record in catalog.predictions.missing(MIXED, open_only=True)] == second
    assert catalog.predictions.cover_study(mixed[0], MIXED)
    assert not catalog.predictions.cover_study(mixed[1], MIXED)
    assert catalog.predictions.of_study(mixed[1], MIXED) == []
    assert [score for _, score in catalog.worklist.unplaced(MIXED, 9)] == [0.1, 0.1, None, None]

    for slice_id in second:
        catalog.predictions.add(slice_id, "v2", make_prediction(score=0.7))
    catalog.predictions.add(first[0], "v2", make_prediction(score=0.9))
    assert catalog.predictions.missing(MIXED) == []
    assert catalog.counts()["predicted"] == 4
    by_release = [(row.slice_id, row.model_version) for row in catalog.predictions.by_version(MIXED)]
    assert by_release == [*((one, "base-1") for one in first), *((one, "v2") for one in second)]
    assert catalog.predictions.of_slice(first[0], MIXED).model_version == "base-1"
    assert catalog.predictions.of_slice(second[0], MIXED).model_version == "v2"
    pool = catalog.pool.of_version(MIXED)
    assert pool.slice_ids.tolist() == [*first, *second]
    assert pool.zone_entropy.round(3).tolist() == [0.9, 0.9, 0.3, 0.3]
    assert [score for _, score in catalog.worklist.unplaced(MIXED, 9)] == [0.1, 0.1, 0.7, 0.7]


def test_the_grade_of_a_study_is_that_of_the_version_that_serves_it(catalog, mixed):
    for version, grade in (("base-1", SeverityGrade.CT_1), ("v2", SeverityGrade.CT_3)):
        for study_id in mixed:
            catalog.severities.keep(study_id, version, _severity(grade))
    stamp = catalog.severities.evidence_stamp(MIXED)
    grades = [catalog.severities.of_study(study_id, MIXED).grade for study_id in mixed]
    assert grades == [SeverityGrade.CT_1, SeverityGrade.CT_3]
    evidence = catalog.severities.evidence(MIXED)
    assert [(row.study_id, row.model_version) for row in evidence.studies] == [
        (mixed[0], "base-1"),
        (mixed[1], "v2"),
    ]
    assert stamp != catalog.severities.evidence_stamp("base-1")


def _severity(grade):
    class Found(Severity):
        def __init__(self) -> None:
            pass

        interval_percent = None
        deciding_percent = 10.0

        def as_dict(self):
            return {}

    Found.grade = grade
    return Found()


def test_a_home_of_before_releases_opens_with_nothing_lost(empty_database_url, storage_url):
    config = Config()
    config.set_main_option("script_location", str(migrate._SCRIPTS))
    decision = {"promote": True, "reasons": ["better"]}
    rows = [
        ("base-1", "retired", None, None, "2026-01-01", None),
        ("v2", "champion", "base-1", "s", "2026-01-02", json.dumps(decision)),
        ("v3", "refused", "base-1", "t", "2026-01-03", None),
    ]
    with contextlib.closing(Database(empty_database_url)) as database, database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        for row in rows:
            values = ", ".join("NULL" if value is None else f"'{value}'" for value in row)
            connection.exec_driver_sql(f"INSERT INTO versions VALUES ({values})")
        for number, version in enumerate(("base-1", "v2"), 1):
            connection.exec_driver_sql(
                "INSERT INTO champion_changes (id, version, kind, changed_at) "
                f"VALUES ({number}, '{version}', 'promotion', '2026-01-0{number}')"
            )
        if not database.is_sqlite:
            connection.exec_driver_sql("SELECT setval('champion_changes_id_seq', 2)")
    with Catalog.open(empty_database_url, storage_url) as catalog:
        kept = [
            (v.version, v.state.value, v.parent, v.snapshot, v.created_at) for v in catalog.versions.all()
        ]
        assert kept == [row[:5] for row in rows]
        assert catalog.versions.get("v2").decision == decision
        assert catalog.versions.release() == Release("v2")
        assert catalog.versions.rollback().version == "base-1"
        with catalog._database.reading() as connection:
            changes = connection.execute(sa.text("SELECT id, version, open_version FROM champion_changes"))
            assert sorted(map(tuple, changes)) == [(1, "base-1", None), (2, "v2", None), (3, "base-1", None)]
        # The keys that point to versions still do.
        nobody = sa.text(
            "INSERT INTO champion_changes (version, kind, changed_at) VALUES ('x', 'rollback', '')"
        )
        with pytest.raises(sa.exc.DBAPIError), catalog._database.writing() as connection:
            connection.execute(nobody)
