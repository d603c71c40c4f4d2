"""The second picture of a slice: one file, always at its place, of the champion or of nobody."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chestct.catalog.catalog import Catalog
from chestct.errors import InputError
from chestct.prediction import SlicePrediction
from ml_backend.label_studio.heat_map import heat_map_address, heat_map_path, show_heat_map
from ml_backend.label_studio.tasks import create_missing_tasks
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.preannotate import preannotate


def predict(catalog: Catalog, version: str, value: int | None) -> None:
    for one in catalog.slices.all():
        uncertainty = None if value is None else np.full((8, 8), value, np.uint8)
        found = SlicePrediction(np.zeros((64, 64), np.uint8), 0.5, 0.1, uncertainty=uncertainty)
        catalog.predictions.add(one.id, version, found, 0.1)


def test_the_place_never_changes_and_begins_as_plain_grey(catalog: Catalog, study: str) -> None:
    one = catalog.slices.all()[0]
    picture = f"/data/local-files/?d=storage/{one.picture_path}"
    address = heat_map_address(catalog, one, picture)
    assert address == f"/data/local-files/?d=storage/picture/doubt/{one.key[:2]}/{one.key}.png"
    with Image.open(heat_map_path(catalog, one)) as image:
        assert image.getextrema() == (64, 64)
    assert heat_map_address(catalog, one, "https://elsewhere.test/other.png") is None


def test_it_follows_the_version_and_is_written_only_when_that_changes(catalog: Catalog, study: str) -> None:
    one = catalog.slices.all()[0]
    predict(catalog, "base-1", 0)
    predict(catalog, "next", 255)
    path = heat_map_path(catalog, one)
    assert show_heat_map(catalog, one, catalog.predictions.of_slice(one.id, "base-1"))
    sure = path.read_bytes()
    assert not show_heat_map(catalog, one, catalog.predictions.of_slice(one.id, "base-1"))
    assert show_heat_map(catalog, one, catalog.predictions.of_slice(one.id, "next"))
    assert path.read_bytes() != sure
    assert show_heat_map(catalog, one, None)
    with Image.open(path) as image:
        assert image.getextrema() == (64, 64)
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing half-written is left"


def test_a_damaged_file_is_written_anew(catalog: Catalog, study: str) -> None:
    one = catalog.slices.all()[0]
    predict(catalog, "base-1", 9)
    show_heat_map(catalog, one, catalog.predictions.of_slice(one.id, "base-1"))
    heat_map_path(catalog, one).write_bytes(b"no picture")
    assert show_heat_map(catalog, one, catalog.predictions.of_slice(one.id, "base-1"))


def test_a_key_that_is_no_hash_names_no_file(catalog: Catalog, study: str) -> None:
    with pytest.raises(InputError, match="64 hexadecimal"):
        heat_map_path(catalog, replace(catalog.slices.all()[0], key="../../etc/passwd"))


def test_tasks_made_before_there_were_heat_maps_get_theirs(
    catalog: Catalog, study: str, champion: Champion, label_studio: Any, tmp_path: Any
) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    named = label_studio.tasks[1].pop("doubt")
    preannotate(catalog, champion, label_studio.client(), 7)
    assert label_studio.tasks[1]["doubt"] == named
    assert label_studio.tasks[1]["slice"] == 0, "the rest of the data stays"


def test_a_project_that_shows_no_heat_map_is_left_alone(
    catalog: Catalog, study: str, champion: Champion, label_studio: Any, tmp_path: Any, slice_xml: str
) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    label_studio.project["label_config"] = slice_xml.replace("$doubt", "$other")
    del label_studio.tasks[1]["doubt"]
    preannotate(catalog, champion, label_studio.client(), 7)
    assert "doubt" not in label_studio.tasks[1]
