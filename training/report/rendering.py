"""Pages from templates, and files that are never half there."""

from pathlib import Path
from typing import Any

import jinja2

from chestct.files import write_atomic, writing

_TEMPLATES = Path(__file__).parent / "templates"


def rendered(template: str, **values: Any) -> str:
    """A template of this package as text; HTML escapes what it is given."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def write_whole(path: Path, text: str) -> None:
    """Writes a report atomically, its folder included.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    with writing(path):
        write_atomic(path, text, parents=True)
