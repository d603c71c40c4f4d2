"""What is said to people, as values until it is worded in one of the languages that pages speak."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

from chestct.labels import SeverityGrade

LANGUAGES = ("en", "ru")
# Key -> (English, Russian); `{name:.1f}` is filled in as the language writes numbers.
Texts = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Message:
    """One thing to say.

    Args:
        kind: key of a table of texts.
        values: for the blanks of that text.
    """

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


_RUSSIAN_SIGNS = str.maketrans({",": "\N{NO-BREAK SPACE}", ".": ",", "-": "\N{MINUS SIGN}"})


class _Russian(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        written = super().format_field(value, format_spec)
        if isinstance(value, SeverityGrade):
            return written.replace("CT", "КТ")
        if isinstance(value, int | float):
            return written.translate(_RUSSIAN_SIGNS)
        return written


_FORMATTERS = {"en": Formatter(), "ru": _Russian()}


def read_texts(path: Path) -> Texts:
    """A table of texts: a TOML file with `en` and `ru` below each key."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {key: (text["en"], text["ru"]) for key, text in table.items()}


def worded(message: Message, texts: Texts, language: str = "en") -> str:
    """The message in that language.

    Raises:
        KeyError: no such text, or a value that it needs is missing.
    """
    text = texts[message.kind][LANGUAGES.index(language)]
    return _FORMATTERS[language].vformat(text, (), message.values)


def written(value: object, format_spec: str, language: str) -> str:
    """A number or a grade as that language writes it: "1,234.5" and "CT-2", "1 234,5" and "КТ-2"."""
    return _FORMATTERS[language].format_field(value, format_spec)
