"""The backend under gunicorn: one process, several threads, one model in memory."""

import ipaddress
from typing import Any

from gunicorn.app.base import BaseApplication

from chestct.settings import Settings
from ml_backend.app import create_app

# A batch of predictions may keep a thread for long; the time-out is for a process that hangs.
_TIMEOUT_SECONDS = 120
_GRACE_SECONDS = 5


class _Server(BaseApplication):
    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings = settings
        self._chosen = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # Called in the serving process: no connection and no torch thread is carried across the fork.
        return create_app(self._settings)


def serve_with_gunicorn(settings: Settings, host: str, port: int, threads: int) -> None:
    """Serves until a signal asks to stop."""
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": 1,
        "threads": threads,
        "worker_class": "gthread",
        "timeout": _TIMEOUT_SECONDS,
        "graceful_timeout": _GRACE_SECONDS,
        "accesslog": "-",
        "proc_name": "lungloop-serve",
    }
    _Server(settings, options).run()


def is_loopback(host: str) -> bool:
    """True where only programs of this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
