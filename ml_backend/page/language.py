"""Which language a page speaks, and its texts in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Request, Response, make_response, render_template, request

from chestct.wording import LANGUAGES, Message, read_texts, worded, written

_FOLDER = Path(__file__).parent / "texts"
TEXTS = {**read_texts(_FOLDER / "scan.toml"), **read_texts(_FOLDER / "state.toml")}
_COOKIE = "lang"
_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True)
class Translator:
    """The texts in one of LANGUAGES: `text(key, **values)`."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        """A text, filled in; KeyError where there is none, or a value that it needs is missing."""
        return self.of(Message(key, values))

    def of(self, message: Message) -> str:
        """A message in words."""
        return worded(message, TEXTS, self.language)

    def named(self, prefix: str, name: object) -> str:
        """The word for one of a few names of ours; a name without one as it is."""
        key = f"{prefix}_{name}"
        return self(key) if key in TEXTS else str(name or "")

    def written(self, value: object, form: str = "") -> str:
        """A number or a grade as the language writes it."""
        return written(value, form, self.language)

    def number(self, value: float, form: str = ".1f") -> str:
        """The same with a true minus sign."""
        return self.written(value, form).replace("-", "\N{MINUS SIGN}")

    def share(self, value: float | None) -> str:
        """A percentage without its sign; what is not nothing is never written as 0."""
        if value is None:
            return "\N{EN DASH}"
        return f"< {self.number(0.1)}" if 0 < value < 0.1 else self.number(value)

    def percent(self, value: float | None) -> str:
        """The same with its sign."""
        return self.share(value) if value is None else f"{self.share(value)} %"

    def time_left(self, seconds: float | None) -> str:
        """How long something still takes, in the largest fitting unit; nothing where nobody knows."""
        if seconds is None:
            return ""
        if seconds < 90:
            return self("seconds_left", count=max(1, round(seconds)))
        if seconds < 90 * 60:
            return self("minutes_left", count=round(seconds / 60))
        return self("hours_left", count=seconds / 3600)

    def for_script(self) -> Mapping[str, str]:
        """The texts that scripts use, not filled in."""
        keys = [key for key in TEXTS if key.startswith("js_") or key in ("too_large", "no_lung")]
        return {key.removeprefix("js_"): TEXTS[key][LANGUAGES.index(self.language)] for key in keys}


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


def asked_translator() -> Translator:
    """The texts in the language of the request."""
    return Translator(language_of(request))


def rendered(template: str, status: int = 200, **context: Any) -> Response:
    """A page in the language of the request."""
    page = render_template(
        template,
        t=asked_translator(),
        languages=LANGUAGES,
        here=request.path,
        query={key: value for key, value in request.args.items() if key != _COOKIE},
        **context,
    )
    response = make_response(page, status)
    remember_language(request, response)
    return response
