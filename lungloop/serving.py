"""The backend under gunicorn: one process, several threads, one model in memory."""

from typing import Any

from gunicorn.app.base import BaseApplication

from chestct.errors import WeightsError
from chestct.logs import CONFIG, JSON, begin_logs
from chestct.settings import Settings
from lungloop.console import say
from lungloop.context import ensure_champion
from ml_backend.app import create_app
from ml_backend.auth import require_safe_bind

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


def serve_backend(settings: Settings, host: str, port: int, threads: int) -> None:
    """Serves until a signal asks to stop.

    Raises:
        SettingsError: others could reach the address, and no key is set.
    """
    require_safe_bind(host, settings.backend_key)
    begin_logs(settings.log)
    try:
        ensure_champion(settings)
    except WeightsError as error:
        # The pages and webhooks work without a model; what needs one says so.
        say(f"nothing can be segmented yet: {error}")
    address = host.strip("[]")
    options = {
        "bind": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
        "workers": 1,
        "threads": threads,
        "worker_class": "gthread",
        "timeout": _TIMEOUT_SECONDS,
        "graceful_timeout": _GRACE_SECONDS,
        "accesslog": "-",
        "proc_name": "lungloop-serve",
    }
    if settings.log == JSON:
        options["logconfig_dict"] = CONFIG
    _Server(settings, options).run()
