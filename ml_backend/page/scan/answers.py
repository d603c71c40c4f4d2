"""Pages and errors of the scan page, as every route gives them."""

import logging
from collections.abc import Mapping

from flask import Blueprint, Response, jsonify, make_response, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, NotFound, RequestEntityTooLarge

from chestct.errors import InputError, LungLoopError, NotFoundError
from ml_backend.page.language import asked_translator, rendered
from ml_backend.page.scan.incoming import BrokenForm, NoFile, NoRoom

_LOG = logging.getLogger(__name__)

_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_GIB_IN_MIB = 1024
_KEYS: Mapping[type, str] = {
    RequestEntityTooLarge: "too_large",
    ClientDisconnected: "broken_upload",
    BrokenForm: "broken_upload",
    NoRoom: "no_room",
    NoFile: "no_file",
}


def wants_json() -> bool:
    """Whether the page's script asks, not a person."""
    if request.path.endswith(".json"):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json"


def size_limit(mib: int) -> str:
    """A number of MiB for people."""
    return (
        f"{mib / _GIB_IN_MIB:g}\N{NO-BREAK SPACE}GiB" if mib >= _GIB_IN_MIB else f"{mib}\N{NO-BREAK SPACE}MiB"
    )


def seal(routes: Blueprint) -> None:
    """Nothing of these pages is kept by a browser, framed, or allowed to load anything from elsewhere."""

    @routes.after_request
    def with_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
        response.headers["Cache-Control"] = "no-store"
        # Not "no-referrer": with that, browsers would call the origin of our own forms "null".
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def answer_errors(routes: Blueprint, scan_max_mib: int) -> None:
    """Errors in a sentence: as a page for people, as JSON for the page's own script."""

    @routes.errorhandler(NotFoundError)
    @routes.errorhandler(FileNotFoundError)
    @routes.errorhandler(NotFound)
    def gone(error: Exception) -> Response:
        return _refusal(asked_translator()("gone"), 404)

    @routes.errorhandler(HTTPException)
    def of_http(error: HTTPException) -> Response:
        key = _KEYS.get(type(error))
        limit = size_limit(scan_max_mib)
        sentence = asked_translator()(key, limit=limit) if key else error.description or error.name
        return _refusal(sentence, error.code or 500)

    @routes.errorhandler(LungLoopError)
    def of_ours(error: LungLoopError) -> Response:
        return _refusal(str(error), 400 if isinstance(error, InputError) else 500)

    @routes.errorhandler(Exception)
    def of_nobody(error: Exception) -> Response:
        _LOG.exception("%s failed", request.endpoint, exc_info=error)
        return _refusal(asked_translator()("failed_inside"), 500)


def _refusal(sentence: str, status: int) -> Response:
    if wants_json():
        return make_response(jsonify({"error": "refused", "detail": sentence}), status)
    return rendered("scan_error.html", status, sentence=sentence)
