"""How long `make up` takes on a fresh clone, until its Ready line.

Compared in one run, on one clone of HEAD in an empty folder: `make environments` (installing alone,
the named baseline), the first `make up` after it (phantoms, Label Studio's first start and
migrations, import, pre-annotation), and a second `make up` (everything is there).
"""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from _results import Measurement, write

_CHECKOUT = Path(__file__).parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(_CHECKOUT), str(clone)], check=True)
        started = time.monotonic()
        subprocess.run(["make", "environments"], cwd=clone, check=True, env=_environment())
        installing = time.monotonic() - started
        first, second = until_ready(clone), until_ready(clone)
    write(
        "make_up",
        [
            Measurement(
                "a fresh clone's `make up` until Ready / installing alone",
                (installing + first) / installing,
                "x",
                f"installing both environments {installing:.0f} s; then {first:.0f} s until Ready",
                "at most 2",
                (installing + first) / installing <= 2,
            ),
            Measurement(
                "a second `make up` until Ready / the first one's start",
                second / first,
                "x",
                f"first start {first:.0f} s, second {second:.0f} s",
                "at most 0.5",
                second / first <= 0.5,
            ),
        ],
    )


def until_ready(clone: Path) -> float:
    """Seconds from `make up` to its Ready line; then Ctrl-C."""
    started = time.monotonic()
    process = subprocess.Popen(
        ["make", "up", "ARGS=--port 19190 --label-studio-port 18190"],
        cwd=clone,
        env=_environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Ready"):
            seconds = time.monotonic() - started
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
            return seconds
    raise RuntimeError(f"make up ended with {process.wait()} and no Ready line")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LUNGLOOP_")}


if __name__ == "__main__":
    main()
