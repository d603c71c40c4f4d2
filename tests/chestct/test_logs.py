"""`LUNGLOOP_LOG=json`: one object a line, with the request or job that it belongs to."""

import json
import subprocess
import sys
from datetime import datetime, timedelta

_PROGRAM = """
import logging, sys
from chestct.logs import begin_logs, log_as
begin_logs(sys.argv[1])
log_as(job_id="retrain-3")
log = logging.getLogger("training.jobs")
log.info("no sync within %.0f s", 60)
try:
    raise ValueError("bad")
except ValueError:
    log.exception("it failed")
log_as(request_id="abc")
logging.getLogger("gunicorn.access").info("GET /health")
"""


def lines(style: str) -> list[str]:
    """What a program with logs of this style writes to stderr."""
    done = subprocess.run((sys.executable, "-c", _PROGRAM, style), capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_each_line_is_an_object_that_names_its_job_or_request() -> None:
    first, second, third = map(json.loads, lines("json"))
    assert datetime.fromisoformat(first.pop("timestamp")).utcoffset() == timedelta(0)
    assert first == {
        "event": "no sync within 60 s",
        "level": "info",
        "logger": "training.jobs",
        "job_id": "retrain-3",
    }
    assert "ValueError: bad" in second["exception"]
    assert (third["request_id"], third["logger"]) == ("abc", "gunicorn.access")
    assert "job_id" not in third


def test_text_stays_as_python_writes_it() -> None:
    assert lines("text")[0] == "it failed"
