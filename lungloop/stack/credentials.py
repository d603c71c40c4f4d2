"""The login and keys of a local stack: random, made once, readable by their owner only."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from chestct.errors import SettingsError

READER = "reader@lungloop.local"


@dataclass(frozen=True)
class Credentials:
    """What opens the services of one local stack.

    Args:
        user: Label Studio's login.
        password: of that login.
        token: Label Studio's API token of that user.
        queue_password: other users of this machine must not give our workers jobs.
    """

    user: str
    password: str
    token: str
    queue_password: str


def load_or_create(home: Path) -> Credentials:
    """The credentials of this home, made at the first call.

    Raises:
        SettingsError: the file is damaged.
    """
    path = home / "secrets.json"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        made = Credentials(READER, secrets.token_urlsafe(9), secrets.token_hex(20), secrets.token_hex(20))
        write_private(path, json.dumps(asdict(made), indent=2))
    try:
        return Credentials(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"{path} is damaged ({error}): restore it, or delete it together with "
            f"{home / 'label-studio'}, whose accounts it opens (annotations there are lost)"
        ) from error


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, in one step."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
