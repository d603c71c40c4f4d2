"""The page's section about learning: the figures of the decisions, in both languages."""

import json
import re

from chestct.catalog.catalog import Catalog
from chestct.settings import Settings
from ml_backend.app import create_app
from ml_backend.model import Backend
from ml_backend.page.learning import LearningPanel


def _retrained(catalog: Catalog, version: str, evidence: str) -> None:
    means = {"champion": 0.7, "challenger": 0.75, "difference": 0.05, "interval": [-0.02, 0.12]}
    figures = {"unseen": {"evidence": evidence, "patients": 4, "looks": 2, **means}}
    catalog.versions.register(version, "base-1", "ab" * 32)
    catalog.versions.refuse(
        version, {"promote": False, "serves": "nothing", "reasons": ["too little"], "figures": figures}
    )


def _page(settings: Settings, backend: Backend, language: str) -> str:
    text = create_app(settings, backend).test_client().get(f"/?lang={language}").text
    return re.sub(r"\s+", " ", text)


def test_a_version_is_shown_with_evidence_intervals_and_what_is_not_known(
    settings: Settings, backend: Backend, catalog: Catalog, study: str
) -> None:
    _retrained(catalog, "v1", "own test patients")
    english, russian = (_page(settings, backend, language) for language in ("en", "ru"))
    for expected in (
        "0.700 to 0.750 (\N{MINUS SIGN}0.020 to +0.120)",
        "own test patients: 4; look 2",
        "not known yet",
        "What the next 50 corrections bring is not known yet",
    ):
        assert expected in english, expected
    for expected in (
        "с 0,700 до 0,750 (от \N{MINUS SIGN}0,020 до +0,120)",
        "свои тестовые пациенты: 4; проверка № 2",
        "пока неизвестно",
    ):
        assert expected in russian, expected


def test_before_the_first_retrain_the_page_says_that_nothing_is_known(
    settings: Settings, backend: Backend, study: str
) -> None:
    assert "What corrections bring is not known yet" in _page(settings, backend, "en")


def test_the_figures_are_worked_out_anew_only_where_something_has_come(
    settings: Settings, backend: Backend, catalog: Catalog, study: str
) -> None:
    panel = LearningPanel(settings, catalog)
    first = panel.section()
    assert panel.section() is first
    _retrained(catalog, "v1", "reference labels")
    assert [row.version for row in panel.section().rows] == ["v1"]


def test_bodies_of_scores_on_a_card_are_named_for_what_they_are(
    settings: Settings, backend: Backend, study: str
) -> None:
    folder = settings.weights_dir / "base-1"
    folder.mkdir(parents=True)
    figure = {"mean": 0.7421, "interval": [0.6512, 0.8133], "patients": 10}
    metrics = {body: {"lesion_dice": figure} for body in ("test", "crossed_patients", "phantoms")}
    (folder / "card.json").write_text(json.dumps({"version": "base-1", "metrics": metrics}))
    english, russian = (_page(settings, backend, language) for language in ("en", "ru"))
    for expected in (
        "own test patients or reference labels",
        "corrected patients kept from the fit, anchored",
        "phantoms, an alarm only",
    ):
        assert expected in english, expected
    for expected in (
        "эталонная разметка",
        "исправленные пациенты вне обучения",
        "фантомы, только против поломок",
    ):
        assert expected in russian, expected
