"""The map names files that exist, and every room of the tree."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("chestct", "ml_backend", "training", "lungloop")


def named_files(document: str) -> list[str]:
    """What a document names in backticks or links and that looks like a file or folder of this tree."""
    text = (CHECKOUT / document).read_text()
    quoted = re.findall(r"`([\w./-]+(?:\.py|\.md|\.toml|/))`", text)
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    return [*quoted, *linked]


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/glossary.md"])
def test_each_file_that_is_named_exists(document: str) -> None:
    tree = [path for package in PACKAGES for path in (CHECKOUT / package).rglob("*")]
    missing = [
        name
        for name in named_files(document)
        if not (CHECKOUT / name).exists()
        and not ((CHECKOUT / document).parent / name).exists()
        and not any(str(path).endswith(f"/{name.rstrip('/')}") for path in tree)
    ]
    assert missing == []


def test_every_room_is_on_the_map() -> None:
    text = (CHECKOUT / "ARCHITECTURE.md").read_text()
    rooms = [
        path
        for package in PACKAGES
        for path in (CHECKOUT / package).iterdir()
        if path.is_dir() and (path / "__init__.py").exists()
    ]
    assert rooms
    assert [str(room.relative_to(CHECKOUT)) for room in rooms if f"`{room.name}/`" not in text] == []
