"""What the figures say: English for the terminal and JSON, either language for the page."""

from pathlib import Path

from chestct.wording import Message, read_texts, worded

TEXTS = read_texts(Path(__file__).with_name("sentences.toml"))


def said(message: Message, language: str = "en") -> str:
    """A message in that language, the names in its values too."""
    values = {
        name: said(Message(f"name_{value}"), language) if f"name_{value}" in TEXTS else value
        for name, value in message.values.items()
    }
    return worded(Message(message.kind, values), TEXTS, language)
