"""What the backend counts about itself, as Prometheus text."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping

_HELP = {
    "lungloop_requests_total": "Answered requests, by route and status.",
    "lungloop_request_seconds_total": "Seconds spent answering, by route.",
    "lungloop_predicted_tasks_total": "Tasks of /predict, by outcome (known, computed, failed, late).",
    "lungloop_webhooks_total": "Webhook events, by action.",
}

Labels = tuple[tuple[str, str], ...]


class Counters:
    """Numbers that only grow; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: Counter[tuple[str, Labels]] = Counter()

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Adds to one counter."""
        with self._lock:
            self._values[name, tuple(sorted(labels.items()))] += amount  # type: ignore[assignment]

    def text(self, gauges: Mapping[str, float], champion: str | None) -> str:
        """The exposition format, version 0.0.4.

        Args:
            gauges: name without prefix -> value now.
            champion: told as a label.
        """
        with self._lock:
            values = dict(self._values)
        lines: list[str] = []
        for name in sorted({name for name, _ in values}):
            lines += [f"# HELP {name} {_HELP.get(name, name)}", f"# TYPE {name} counter"]
            lines += [
                _line(name, labels, value) for (known, labels), value in values.items() if known == name
            ]
        for gauge, value in gauges.items():
            lines += [f"# TYPE lungloop_{gauge} gauge", _line(f"lungloop_{gauge}", (), value)]
        if champion is not None:
            lines += ["# TYPE lungloop_champion_info gauge"]
            lines += [_line("lungloop_champion_info", (("version", champion),), 1)]
        return "\n".join(lines) + "\n"


def _line(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
