"""A home that the code at e944d34 made opens with nothing lost: catalog, pixels, weights, exports.

`tests/contracts/old_home/` holds it, and what that code said of it. The stack on it, with the real Label
Studio: `tests/end_to_end/test_an_old_home_opens.py`.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import old_home
import pytest
from chestct.unet.segmenter import Segmenter
from old_home import Ask, pixels_hash

from chestct.catalog.catalog import Catalog
from chestct.labels import Split
from lungloop import cli

Json = Any


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The old home, unpacked at a path of its own, as the home of this process."""
    for name in [name for name in os.environ if name.startswith("LUNGLOOP_")]:
        monkeypatch.delenv(name)
    old_home.unpack(tmp_path)
    monkeypatch.setenv("LUNGLOOP_HOME", str(tmp_path / old_home.HOME))
    monkeypatch.setenv("LUNGLOOP_WEIGHTS_DIR", str(tmp_path / old_home.WEIGHTS))
    return tmp_path


@pytest.fixture
def ask() -> Ask:
    return old_home.ask_in_process(cli.run)


def catalog_view(home: Path) -> Json:
    """What the catalog's own methods say, in the shape of `expected.json`; the only place that names them."""
    with Catalog.open(
        f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage"), create=False
    ) as catalog:
        slices = {one.id: one for one in catalog.slices()}

        def row(one: Any) -> Json:
            shown = slices[one.slice_id]
            pixels = one.label_map_path and pixels_hash(catalog.storage.read_label_map(one.label_map_path))
            return {**asdict(one), "study": shown.study_name, "slice": shown.index, "pixels": pixels}

        projects = sorted({one.project_uid for one in catalog.all_corrections()})
        view = {
            "studies": {one.name: [one.key, one.patient, one.split, one.grade] for one in catalog.studies()},
            "test_patients": sorted({one.patient for one in catalog.studies() if one.split is Split.TEST}),
            "current_corrections": [row(one) for one in catalog.current_corrections()],
            "all_corrections": [row(one) for one in catalog.all_corrections()],
            "current_grades": [asdict(one) for one in catalog.current_grades()],
            "slice_tasks": {uid: catalog.tasks_of_project(uid) for uid in projects},
            "study_tasks": {uid: catalog.study_tasks_of_project(uid) for uid in projects},
            "open_slices": [one.id for one in catalog.open_slices()],
            "retrain_requests": [asdict(one) for one in catalog.retrain_requests()],
        }
    return json.loads(json.dumps(view))


def test_the_commands_say_what_the_old_code_said(unpacked: Path, ask: Ask, tmp_path: Path) -> None:
    expected, said = old_home.expected(), old_home.answers(ask, tmp_path / "exports")
    assert old_home.lost(said, {name: expected[name] for name in said}) == []


def test_the_catalog_holds_every_correction_grade_task_split_and_request(unpacked: Path) -> None:
    assert old_home.lost(catalog_view(unpacked / old_home.HOME), old_home.expected()["catalog"]) == []


def test_opening_it_changes_no_row_of_the_database(unpacked: Path, ask: Ask) -> None:
    database = unpacked / old_home.HOME / "catalog.sqlite3"
    before = old_home.tables(database)
    ask("status")
    after = old_home.tables(database)
    for table, rows in before.items():
        # A newer table may have more columns.
        kept = [{column: row[column] for column in rows[0]} for row in after[table]] if rows else []
        assert kept == rows, table


def test_every_file_that_the_database_names_is_there_and_sound(unpacked: Path) -> None:
    home = unpacked / old_home.HOME
    keys = {
        value
        for rows in old_home.tables(home / "catalog.sqlite3").values()
        for row in rows
        for column, value in row.items()
        if column.endswith("_path") and value
    }
    assert len(keys) > 50
    with Catalog.open(
        f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage"), create=False
    ) as catalog:
        for key in keys:
            catalog.storage.read_bytes(key)  # checks the hash in its name


def test_importing_a_study_again_changes_nothing(unpacked: Path, ask: Ask) -> None:
    report = ask("import", str(unpacked / old_home.DATA))
    assert (report["created"], report["known"]) == ([], 1)
    assert old_home.lost(ask("status")["counts"], old_home.expected()["counts"]) == []


def test_its_own_weights_load_and_find_what_they_found(unpacked: Path) -> None:
    home = unpacked / old_home.HOME
    with Catalog.open(
        f"sqlite:///{home / 'catalog.sqlite3'}", str(home / "storage"), create=False
    ) as catalog:
        champion = catalog.champion()
        assert champion is not None
        segmenter = Segmenter.load(unpacked / old_home.WEIGHTS, champion.version)
        study = catalog.study("study_0003")
        slices = catalog.slices(study_id=study.id)
        found = segmenter.segment_study([catalog.read_pixels(one) for one in slices], study.intensity)
        kept = catalog.predictions_of_study(study.id, champion.version)
        assert len(kept) == len(slices)
        for now, then in zip(found, kept, strict=True):
            # Other processors round otherwise: a pixel at a border may fall to the other side.
            same = now.label_map == catalog.storage.read_label_map(then.label_map_path)
            assert np.mean(same) > 0.995


def test_the_champion_can_be_rolled_back_and_promoted(unpacked: Path, ask: Ask) -> None:
    expected = old_home.expected()
    former = next(one["version"] for one in expected["versions"] if one["state"] == "retired")
    assert ask("models", "rollback")["champion"] == former
    assert ask("models", "promote", expected["champion"])["champion"] == expected["champion"]
