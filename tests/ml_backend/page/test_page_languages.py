"""The state page says everything in the language of its reader; only what others wrote stays English."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _reader_log import PhantomReaders, phantom_log

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import RequestState, VersionState
from chestct.derived.severity import ensure_severity
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.job_queue.names import KINDS
from chestct.prediction import SlicePrediction
from chestct.settings import Settings
from chestct.study import Study
from chestct.wording import read_texts
from ml_backend.app import create_app
from ml_backend.model import Backend
from ml_backend.page import readers
from ml_backend.page.language import TEXTS

_UNSPOKEN = {"style", "script", "code"}
_VOID = {"meta", "link", "input", "br", "img", "line", "circle", "rect"}
# Names of people's things, of products, of measures; and a letter for each reader.
_NAMES = re.compile(
    r"LungLoop|Label Studio|Start Training|English|Dice|UTC|covid-ct-seg|CC0"
    r"|base-1|retrained-\d|v\d+|border|study-\d+|\b[A-Z]\b|z ="
)


class Spoken(HTMLParser):
    """The text nodes and spoken attributes of a page, without code and what is marked as English."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in _VOID:
            hidden = tag in _UNSPOKEN or (tag != "html" and given.get("lang") == "en")
            self._open.append(hidden or bool(self._open and self._open[-1]))
        for name in ("aria-label", "title", "alt"):
            if given.get(name):
                self.texts.append(given[name] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not (self._open and self._open[-1]):
            self.texts.append(" ".join(data.split()))


def spoken(page: str) -> list[str]:
    parser = Spoken()
    parser.feed(page)
    return parser.texts


@pytest.fixture
def full(
    settings: Settings, backend: Backend, catalog: Catalog, study: str, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A client of a loop in which every section has something to show."""
    folder = settings.weights_dir / "base-1"
    folder.mkdir(parents=True)
    figure = {"mean": 0.7421, "interval": [0.6512, 0.8133], "patients": 10}
    scores = {f"{name}_dice": figure for name in ("lesion", "ground_glass", "consolidation")}
    metrics = {**scores, "covid-ct-seg": {"lung_dice": {"mean": 0.98}}}
    card = {"version": "base-1", "metrics": metrics, "data_licence": "CC0"}
    (folder / "card.json").write_text(json.dumps(card))
    catalog.versions.register("retrained-2", "base-1", "snap")
    catalog.versions.refuse(
        "retrained-2", {"promote": False, "reasons": ["lesion Dice falls"], "figures": {}}
    )
    for by in ("button", "cli", "policy"):
        catalog.requests.add(by)
    uncertain_study(catalog)
    log = phantom_log(3, PhantomReaders(patients=20))
    assert log[0].changes is not None
    wiped = dataclasses.replace(
        log[0].changes, changed=400, lesion_before=400, lesion_after=0, dice=0.0, sure=390
    )
    log[0] = dataclasses.replace(log[0], changes=wiped, project_uid="7:2026", task_id=41)
    figures = readers.figures_of(log, [], ["base-1"])
    monkeypatch.setattr(readers, "figures_of", lambda *_: figures)
    return create_app(settings, backend).test_client()


def uncertain_study(catalog: Catalog) -> None:
    label_map = np.array([[0, 0, 0, 0], [1, 3, 0, 3], [3, 3, 0, 3], [0, 0, 0, 0]], np.uint8)
    slices = tuple(np.full((4, 4), hu, np.int16) for hu in (-800, -700, -600))
    geometry = Geometry((4, 4, 3), np.diag([-10.0, 10.0, 80.0, 1.0]))
    border = Study("border", "p", slices, Intensity.HU, Path("in"), geometry=geometry)
    stored, _ = catalog.studies.add(border, "nifti")
    for record, deviation in zip(catalog.slices.of_study(stored.id), (0.0, 0.2, 0.1), strict=True):
        prediction = SlicePrediction(label_map, 0.5, 0.1, lesion_expected=1.0, lesion_deviation=deviation)
        catalog.predictions.add(record.id, "base-1", prediction)
    ensure_severity(catalog, stored.id, "base-1", None)


def test_the_russian_page_has_no_english_of_ours(full: Any) -> None:
    answer = full.get("/?lang=ru")
    assert '<html lang="ru">' in answer.text
    assert "lang=ru" in answer.headers["Set-Cookie"]
    for text in spoken(answer.text):
        assert not re.search("[A-Za-z]{2}", _NAMES.sub("", text)), text
    for expected in ("Степени, требующие уточнения", "Вовлечение лёгких", "КТ-1 или КТ-2", "0,742", "Врачи"):
        assert expected in answer.text, expected
    # What the gate wrote into the catalog is English, and marked so for those who hear the page.
    assert re.search(r'<ul lang="en">\s*<li>lesion Dice falls', answer.text)


def test_the_english_page_has_no_russian_but_the_way_to_it(full: Any) -> None:
    texts = spoken(full.get("/").text)
    assert [text for text in texts if re.search("[а-яА-Я]", text)] == ["Русский"]
    assert "Grades to resolve" in texts


def test_the_language_stays_chosen_and_both_pages_offer_both(full: Any) -> None:
    full.get("/scan?lang=ru")
    assert "Действующая модель" in full.get("/").text
    for page in (full.get("/").text, full.get("/scan").text):
        assert "?lang=en" in page and "?lang=ru" in page


def test_an_empty_loop_is_said_in_russian_too(settings: Settings, backend: Backend, queue: Any) -> None:
    queue.is_down = True
    page = create_app(settings, backend).test_client().get("/?lang=ru").text
    for text in spoken(page):
        assert not re.search("[A-Za-z]{2}", _NAMES.sub("", text)), text
    assert "Исследования ещё не импортированы" in page
    assert '<span lang="en">the queue: does not answer' in page


def test_no_text_has_two_homes() -> None:
    tables = [read_texts(path) for path in (Path(readers.__file__).parent / "texts").iterdir()]
    assert sum(map(len, tables)) == len(TEXTS)


def test_every_state_that_the_page_names_has_its_word() -> None:
    for prefix, names in (("state", VersionState), ("request", RequestState), ("job", KINDS.values())):
        for name in names:
            assert f"{prefix}_{name}" in TEXTS
