"""Who may call the backend."""

import hmac
import ipaddress
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, Request, Response, jsonify, request

from chestct.errors import SettingsError
from ml_backend.label_studio.client import BACKEND_USER

# Label Studio's health check and container orchestrators come without a key; nothing is told there.
_OPEN_PATHS = frozenset({"/health"})
_TAKES_FORMS = "takes_forms"

View = TypeVar("View", bound=Callable[..., object])


def takes_forms(view: View) -> View:
    """Marks a view that a form of our own pages may be sent to."""
    setattr(view, _TAKES_FORMS, True)
    return view


def require_safe_bind(host: str, key: str | None) -> None:
    """Refuses to serve a network without a key.

    Args:
        host: the address that the server binds.
        key: the setting `backend_key`.
    Raises:
        SettingsError: the address is not loopback and there is no key.
    """
    if not key and not is_loopback(host):
        raise SettingsError(
            f"the backend would answer anybody at {host}; set LUNGLOOP_BACKEND_KEY to a long random text, "
            "or bind 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def guard(app: Flask, key: str | None) -> None:
    """Puts the checks before every request.

    With a key every call shows it, as the password of HTTP Basic (the user is "lungloop") or as
    `Authorization: Token <key>`. Without one only this machine is answered, under a loopback name:
    a page of another site whose name was made to point here is refused.
    """

    @app.before_request
    def check() -> tuple[Response, int] | Response | None:
        if request.path in _OPEN_PATHS:
            return None
        if key:
            if not _shows(request, key):
                answer, _ = refusal("not allowed", "show the backend's key", 401)
                answer.status_code = 401
                answer.headers["WWW-Authenticate"] = 'Basic realm="LungLoop", charset="UTF-8"'
                return answer
        elif not is_loopback(urlsplit(f"//{request.host}").hostname or "") or not is_loopback(
            request.remote_addr or ""
        ):
            return refusal(
                "not allowed", "without a key only 127.0.0.1 is served; set LUNGLOOP_BACKEND_KEY", 403
            )
        if request.method == "POST" and not request.is_json:
            # A form of another site can be sent without asking, JSON cannot.
            view = app.view_functions.get(request.endpoint or "")
            if not getattr(view, _TAKES_FORMS, False):
                return refusal("not JSON", "send Content-Type: application/json", 415)
            if not is_same_origin(request):
                return refusal("not allowed", "send this form from its own page", 403)
        return None


def is_same_origin(call: Request) -> bool:
    """Whether a request comes from one of our own pages, or from no page at all.

    Browsers show the key of HTTP Basic to us whatever site asks them to, but they also say which
    site that was, and no script can change what they say.
    """
    site = call.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = call.headers.get("Origin")
    # Hosts are compared, not schemes: behind a proxy that ends TLS we are asked by plain HTTP.
    return origin is None or urlsplit(origin).netloc == call.host


def refusal(error: str, detail: str, status: int) -> tuple[Response, int]:
    """The JSON that every failing call answers."""
    return jsonify({"error": error, "detail": detail}), status


def _shows(call: Request, key: str) -> bool:
    credentials = call.authorization
    if credentials is None:
        return False
    if credentials.type == "basic":
        return _same(credentials.username or "", BACKEND_USER) & _same(credentials.password or "", key)
    return credentials.type == "token" and _same(credentials.token or "", key)


def _same(sent: str, expected: str) -> bool:
    return hmac.compare_digest(sent.encode(), expected.encode())
