"""The backend's web application: the protocol and the pages behind one guard."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from chestct.catalog.catalog import Catalog
from chestct.errors import InputError, LabelConfigError, LungLoopError, NotFoundError, ServiceUnavailableError
from chestct.logs import log_as
from chestct.settings import Settings
from ml_backend.auth import guard, refusal
from ml_backend.model import Backend
from ml_backend.page import page, scan_page
from ml_backend.protocol import protocol

_LOG = logging.getLogger(__name__)

# "Batch predictions" sends every selected task at once, and a webhook the whole RLE of an annotation.
_MOST_BODY_BYTES = 64 * 2**20
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


def create_app(settings: Settings, backend: Backend | None = None) -> Flask:
    """The application; nothing of the model is loaded before the first prediction.

    Args:
        settings: built once at the entry point.
        backend: another one than the settings describe, for tests.
    Raises:
        ServiceUnavailableError: the catalog cannot be opened.
    """
    if backend is None:
        backend = Backend.build(settings, Catalog.open(settings.database_url, settings.storage_url))
    app = Flask("ml_backend", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BODY_BYTES
    # Before the guard: what it refuses is counted too, and has an id.
    _follow_requests(app, backend)
    guard(app, settings.backend_key)
    app.register_blueprint(protocol(backend))
    app.register_blueprint(page(backend))
    app.register_blueprint(scan_page(backend))
    _answer_errors_in_json(app)
    return app


def _answer_errors_in_json(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def of_http(error: HTTPException) -> tuple[Response, int]:
        return refusal(error.name.lower(), error.description or error.name, error.code or 500)

    @app.errorhandler(LungLoopError)
    def of_ours(error: LungLoopError) -> tuple[Response, int]:
        if isinstance(error, ServiceUnavailableError):
            return refusal("service unavailable", str(error), 503)
        if isinstance(error, InputError | LabelConfigError):
            return refusal("bad request", str(error), 400)
        if isinstance(error, NotFoundError):
            # No champion yet: Label Studio may ask again later, nothing is wrong with its question.
            return refusal("not ready", str(error), 503)
        _LOG.error("%s %s failed: %s", request.method, request.path, error)
        return refusal("failed", str(error), 500)

    @app.errorhandler(Exception)
    def of_nobody(error: Exception) -> tuple[Response, int]:
        _LOG.exception("%s %s failed", request.method, request.path, exc_info=error)
        return refusal("internal error", "the backend's log has the details", 500)


def _follow_requests(app: Flask, backend: Backend) -> None:
    @app.before_request
    def begin() -> None:
        g.started_at = time.perf_counter()
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        log_as(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        # By route, never by path: callers must not be able to make up new counters.
        route = request.url_rule.rule if request.url_rule else "unknown"
        seconds = time.perf_counter() - g.started_at
        backend.counters.add("lungloop_requests_total", route=route, status=str(response.status_code))
        backend.counters.add("lungloop_request_seconds_total", seconds, route=route)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers["X-Request-ID"] = g.request_id
        return response
