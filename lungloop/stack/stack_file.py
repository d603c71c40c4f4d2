"""`stack.json`: where the services of a running stack are, for commands and for scripts outside."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from chestct.files import PRIVATE, write_atomic


@dataclass(frozen=True)
class StackFile:
    """The fields of stack.json; the names are a contract with scripts outside.

    Args:
        label_studio_files_root: what `/data/local-files/?d=` is relative to.
    """

    label_studio_url: str
    label_studio_token: str
    label_studio_files_root: str
    project_id: int
    ml_backend_id: int
    backend_url: str
    page_url: str
    redis_url: str
    database_url: str
    storage_url: str


def write(home: Path, stack: StackFile) -> None:
    """Publishes the stack; in one step and for its owner only, since it holds a token."""
    write_atomic(home / "stack.json", json.dumps(asdict(stack), indent=2), mode=PRIVATE)


def remove(home: Path) -> None:
    """The stack is gone."""
    (home / "stack.json").unlink(missing_ok=True)
