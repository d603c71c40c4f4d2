"""Which language a page speaks, and its texts in it."""

from collections.abc import Callable, Mapping

from flask import Request, Response

from ml_backend.page.strings import TEXTS

LANGUAGES = ("en", "ru")
_COOKIE = "lang"
_YEAR_SECONDS = 365 * 24 * 3600

Translate = Callable[..., str]


def language_of(call: Request) -> str:
    """`?lang=`, else the cookie that an earlier `?lang=` left, else what the browser asks for."""
    for asked in (call.args.get(_COOKIE), call.cookies.get(_COOKIE)):
        if asked in LANGUAGES:
            return asked
    return call.accept_languages.best_match(LANGUAGES, LANGUAGES[0])


def remember_language(call: Request, response: Response) -> None:
    """Keeps a language that was chosen by `?lang=` for the next pages."""
    if call.args.get(_COOKIE) in LANGUAGES:
        response.set_cookie(
            _COOKIE,
            language_of(call),
            max_age=_YEAR_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=call.is_secure,
        )


def translator(language: str) -> Translate:
    """`text(key, **values)` in that language.

    Raises (the result does):
        KeyError: no such text, or a value that it needs is missing.
    """
    column = LANGUAGES.index(language)

    def text(key: str, **values: object) -> str:
        return TEXTS[key][column].format(**values)

    return text


def number(value: float, language: str, digits: int = 1) -> str:
    """A number as that language writes it; a true minus sign."""
    written = f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return written.replace(".", ",") if language == "ru" else written


def share(value: float | None, language: str) -> str:
    """A percentage for people, without its sign; what is not nothing is never written as 0."""
    if value is None:
        return "\N{EN DASH}"
    return f"< {number(0.1, language)}" if 0 < value < 0.1 else number(value, language)


def percent(value: float | None, language: str) -> str:
    """The same with its sign."""
    return share(value, language) if value is None else f"{share(value, language)} %"


def duration(seconds: float, text: Translate) -> str:
    """About how long something still takes, in the largest fitting unit."""
    if seconds < 90:
        return text("about_seconds", count=max(1, round(seconds)))
    return text("about_minutes", count=round(seconds / 60))


def texts_of(prefix: str, language: str) -> Mapping[str, str]:
    """The texts whose keys begin so, without the prefix and not filled in, for a script."""
    column = LANGUAGES.index(language)
    return {key.removeprefix(prefix): TEXTS[key][column] for key in TEXTS if key.startswith(prefix)}
