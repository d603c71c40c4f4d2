"""Pages speak the language that was chosen, else the browser's, and say the same in both."""

import re
from string import Formatter

import pytest
from flask import Flask, Response, request

from ml_backend.page.language import TEXTS, Translator, language_of, remember_language


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_a_text_is_there_in_both_languages_with_the_same_values(key: str) -> None:
    english, russian = TEXTS[key]
    assert english and russian
    assert fields(english) == fields(russian)
    assert not re.search("[а-яА-Я]", english)
    if len(english) > 12:
        assert re.search("[а-я]", russian)


@pytest.mark.parametrize(
    ("path", "cookie", "header", "expected"),
    [
        ("/", None, None, "en"),
        ("/", None, "de, ru;q=0.8, en;q=0.5", "ru"),
        ("/", None, "de", "en"),
        ("/", "ru", "en", "ru"),
        ("/?lang=en", "ru", "ru", "en"),
        ("/?lang=xx", "ru", "en", "ru"),
        ("/?lang=xx", "yy", "ru", "ru"),
    ],
)
def test_the_question_wins_over_the_cookie_and_that_over_the_browser(
    path: str, cookie: str | None, header: str | None, expected: str
) -> None:
    headers = {"Accept-Language": header} if header else {}
    if cookie:
        headers["Cookie"] = f"lang={cookie}"
    with Flask("test").test_request_context(path, headers=headers):
        assert language_of(request) == expected


def test_a_chosen_language_is_remembered_and_an_asked_for_one_is_not() -> None:
    app = Flask("test")
    for path, kept in (("/?lang=ru", True), ("/", False), ("/?lang=xx", False)):
        with app.test_request_context(path):
            response = Response()
            remember_language(request, response)
            assert ("lang=ru" in response.headers.get("Set-Cookie", "")) is kept


def test_texts_are_filled_in_and_scripts_get_them_with_their_blanks() -> None:
    assert Translator("ru")("slice_of", done=1, total=3) == "Срез 1 из 3"
    assert Translator("en").for_script()["slice"] == "Slice {number} of {total}"
    with pytest.raises(KeyError):
        Translator("en")("slice_of", done=1)
