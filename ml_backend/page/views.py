"""Routes of the pages."""

from datetime import datetime

from flask import Blueprint, Response, make_response, render_template

from chestct.model.card import calibration_of_version
from ml_backend.model import Backend
from ml_backend.page.open_grades import SettlingBoard
from ml_backend.page.readers import ReadersPanel
from ml_backend.page.state import loop_state

# No script, no frame, nothing from elsewhere.
_CONTENT_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'"


def page(backend: Backend) -> Blueprint:
    """The pages under `/`."""
    routes = Blueprint(
        "page", __name__, template_folder="templates", static_folder="static", static_url_path="/static"
    )

    panel = ReadersPanel(backend.settings, backend.catalog)
    board = SettlingBoard(
        backend.catalog, lambda version: calibration_of_version(backend.settings.weights_dir, version)
    )

    @routes.get("/")
    def state() -> Response:
        shown = loop_state(backend.settings, backend.catalog, backend.queue)
        to_settle = board.shown(shown.champion.version) if shown.champion else None
        response = make_response(
            render_template("state.html", state=shown, readers=panel.section(), to_settle=to_settle)
        )
        response.headers["Content-Security-Policy"] = _CONTENT_POLICY
        response.headers["Cache-Control"] = "no-store"
        return response

    routes.add_app_template_filter(short_time)
    routes.add_app_template_filter(duration)
    return routes


def short_time(moment: str | None) -> str:
    """A catalog time as people read it, "2026-03-01 09:30 UTC"."""
    if not moment:
        return ""
    try:
        return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return moment


def duration(seconds: float | None) -> str:
    """How long something still takes, in the largest fitting unit."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s left"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min left"
    return f"{seconds / 3600:.1f} h left"
