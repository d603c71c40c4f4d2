"""The login and keys of a local stack: random, made once, readable by their owner only."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from chestct.errors import SettingsError
from chestct.files import PRIVATE, write_atomic

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
        write_atomic(path, json.dumps(asdict(made), indent=2), mode=PRIVATE)
    try:
        return Credentials(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"{path} is damaged ({error}): restore it, or delete it together with "
            f"{home / 'label-studio'}, whose accounts it opens (annotations there are lost)"
        ) from error
