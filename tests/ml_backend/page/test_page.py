"""The page shows the state of the loop, and says what does not answer."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chestct.catalog.catalog import Catalog
from chestct.settings import Settings
from ml_backend.app import create_app
from ml_backend.model import Backend
from ml_backend.page.language import Translator
from ml_backend.page.views import short_time


@pytest.fixture
def card(settings: Settings) -> Path:
    folder = settings.weights_dir / "base-1"
    folder.mkdir(parents=True)
    figure = {"mean": 0.7421, "interval": [0.6512, 0.8133], "patients": 10}
    metrics = {"covid-ct-seg": {"patients": 10, "lesion_dice": figure, "nll": figure}}
    (folder / "card.json").write_text(json.dumps({"version": "base-1", "metrics": metrics}))
    return folder / "card.json"


def test_the_page_shows_champion_figures_work_queue_and_decisions(
    settings: Settings, backend: Backend, catalog: Catalog, study: str, card: Path
) -> None:
    catalog.versions.register("retrained-2", "base-1", "snap")
    catalog.versions.refuse(
        "retrained-2", {"promote": False, "reasons": ["lesion Dice falls <b>"], "figures": {}}
    )
    catalog.requests.add("button")
    answer = create_app(settings, backend).test_client().get("/")
    text = re.sub(r"\s+", " ", answer.text)
    for expected in (
        "Research software, not a medical device: not for diagnosis or treatment decisions.",
        "base-1",
        "0.742",
        "0.651 to 0.813",
        "<dt>Slices</dt><dd>3</dd>",
        "Retrain: fitting",
        "40 % 3 min left",
        "lesion Dice falls &lt;b&gt;",
        "Retrain asked by button",
        "http://label-studio.test/projects/7/data",
    ):
        assert expected in text, expected
    assert "<script" not in text


def test_where_two_versions_serve_the_page_says_which_serves_what(
    settings: Settings, backend: Backend, catalog: Catalog, study: str
) -> None:
    catalog.versions.register("v2", "base-1", None)
    catalog.versions.serve_open_studies("v2", [catalog.studies.by_name(study).id])
    client = create_app(settings, backend).test_client()
    for language, sentence in (
        ("en", "v2 pre-labels what is open in the studies that it learned from (1), base-1 everything else."),
        ("ru", "v2 размечает открытое в исследованиях, на которых училась (их 1), base-1 — всё остальное."),
    ):
        assert sentence in re.sub(r"\s+", " ", client.get(f"/?lang={language}").text)


def test_nothing_is_asked_of_other_sites(settings: Settings, backend: Backend, study: str) -> None:
    client = create_app(settings, backend).test_client()
    answer = client.get("/")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", answer.text)
    own = {"/static/page.css", "data:,", "/scan", "/?lang=en", "/?lang=ru"}
    # The last is a link to follow, not something loaded.
    assert set(loaded) == own | {"http://label-studio.test/projects/7/data"}
    with client.get("/static/page.css") as css:
        assert css.status_code == 200
        assert not re.search(r"url\(|@import", css.text)


def test_an_empty_loop_and_a_queue_that_is_down_are_said(
    settings: Settings, backend: Backend, queue: Any
) -> None:
    queue.is_down = True
    text = create_app(settings, backend).test_client().get("/").text
    assert "No study is imported yet" in text
    assert "There is no champion yet" in text
    assert "the queue: does not answer" in text


def test_a_missing_or_strange_card_is_said(settings: Settings, backend: Backend, study: str) -> None:
    client = create_app(settings, backend).test_client()
    assert "cannot be read" in client.get("/").text
    folder = settings.weights_dir / "base-1"
    folder.mkdir(parents=True)
    for strange in ("[]", '{"metrics": 5}', '{"metrics": {"a": {"lesion_dice": {"mean": "x"}}}}', "{"):
        (folder / "card.json").write_text(strange)
        assert client.get("/").status_code == 200


def test_times_are_written_for_people() -> None:
    assert short_time("2026-03-01T09:30:00.000000Z") == "2026-03-01 09:30 UTC"
    time_left = Translator("en").time_left
    assert (time_left(None), time_left(42.2), time_left(200.0)) == ("", "42 s left", "3 min left")
    assert time_left(3 * 3600) == "3.0 h left"
    assert Translator("ru").time_left(1.5 * 3600) == "осталось 1,5 ч"
