"""Routes of the pages."""

from datetime import datetime

from flask import Blueprint, Response

from chestct.model.card import calibration_of_version
from ml_backend.model import Backend
from ml_backend.page.language import rendered
from ml_backend.page.learning import LearningPanel
from ml_backend.page.open_grades import GradesBoard
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
    learning = LearningPanel(backend.settings, backend.catalog)
    board = GradesBoard(
        backend.catalog, lambda version: calibration_of_version(backend.settings.weights_dir, version)
    )

    @routes.get("/")
    def state() -> Response:
        state = loop_state(backend.settings, backend.catalog, backend.queue)
        open_grades = board.open_grades(state.release.name) if state.release else None
        response = rendered(
            "state.html",
            state=state,
            learning=learning.section(),
            readers=panel.section(),
            open_grades=open_grades,
        )
        response.headers["Content-Security-Policy"] = _CONTENT_POLICY
        response.headers["Cache-Control"] = "no-store"
        return response

    routes.add_app_template_filter(short_time)
    return routes


def short_time(moment: str | None) -> str:
    """A catalog time as people read it, "2026-03-01 09:30 UTC"."""
    if not moment:
        return ""
    try:
        return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return moment
