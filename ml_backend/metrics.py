"""What the backend counts about itself, for Prometheus."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest

from chestct.catalog.records import Release

# Name without `lungloop_` and `_total` -> what it counts, and its labels.
_COUNTERS = {
    "requests": ("Answered requests, by route and status.", ("route", "status")),
    "request_seconds": ("Seconds spent answering, by route.", ("route",)),
    "predicted_tasks": ("Tasks of /predict, by outcome (known, computed, failed, late).", ("outcome",)),
    "webhooks": ("Webhook events, by action.", ("action",)),
}
# A `..._created` beside each counter would double the page; Prometheus reads resets from the counters.
disable_created_metrics()


class Counters:
    """Numbers that only grow, of one application; safe to use from many threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters = {
            f"lungloop_{name}_total": Counter(f"lungloop_{name}", text, labels, registry=self._registry)
            for name, (text, labels) in _COUNTERS.items()
        }

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Adds to one counter."""
        self._counters[name].labels(**labels).inc(amount)

    def text(self, gauges: Mapping[str, float], release: Release | None) -> bytes:
        """The exposition format, version 0.0.4.

        Args:
            gauges: name without prefix -> value now.
            release: told as labels.
        """
        now = CollectorRegistry()
        for name, value in gauges.items():
            Gauge(f"lungloop_{name}", f"{name.capitalize()} now.", registry=now).set(value)
        if release is not None:
            champion, name, other = release.default, release.name, release.open_version or ""
            Gauge("lungloop_champion_info", "Who serves.", ("version",), registry=now).labels(champion).set(1)
            labels = ("name", "default", "open_studies_version")
            info = Gauge("lungloop_release_info", "Which version serves what.", labels, registry=now)
            info.labels(name, champion, other).set(1)
        return generate_latest(self._registry) + generate_latest(now)
