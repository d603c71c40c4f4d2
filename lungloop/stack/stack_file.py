"""`stack.json`: where the services of a running stack are, for commands and for scripts outside."""

import json
from pathlib import Path

from chestct.files import PRIVATE, write_atomic
from chestct.settings import Settings

# Settings that a local stack publishes, and `connect` for services that somebody else runs; the names are a
# contract with scripts outside.
CONNECTED = ("label_studio_url", "backend_url", "project_id", "ml_backend_id")
LOCAL = (
    *CONNECTED,
    "label_studio_token",
    "label_studio_files_root",
    "redis_url",
    "database_url",
    "storage_url",
)


def write(settings: Settings, names: tuple[str, ...]) -> dict[str, object]:
    """Publishes settings and the pages' address, in one step and for the owner only: one is a token.

    Returns:
        What was written; settings that have no value are left out.
    """
    values = {name: getattr(settings, name) for name in names}
    stack = {name: value for name, value in values.items() if value is not None}
    stack["page_url"] = f"{settings.backend_url}/"
    write_atomic(settings.home / "stack.json", json.dumps(stack, indent=2), mode=PRIVATE)
    return stack


def remove(home: Path) -> None:
    """The stack is gone."""
    (home / "stack.json").unlink(missing_ok=True)
