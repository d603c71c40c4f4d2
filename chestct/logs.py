"""Logs as JSON lines where `LUNGLOOP_LOG=json` asks for them, each with its request or job.

Otherwise nothing is set up: Python's, gunicorn's and RQ's own plain text stays.
"""

import json
import logging
import logging.config
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

JSON = "json"
_context: ContextVar[dict[str, str]] = ContextVar("log_context")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_context.get({}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {JSON: {"()": _JsonLines}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": JSON}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    # gunicorn would write its own plain lines beside ours.
    "loggers": {name: {"handlers": [], "propagate": True} for name in ("gunicorn.error", "gunicorn.access")},
}


def begin_logs(style: str) -> None:
    """Sets up the logs of this process, as the setting `log` says."""
    if style == JSON:
        logging.config.dictConfig(CONFIG)


def log_as(**context: str) -> None:
    """What the next lines of this thread belong to, as in `job_id="..."`."""
    _context.set(context)
