"""What serves, as commands tell it."""

from typing import Any

from chestct.catalog.records import Release


def release_entry(release: Release) -> dict[str, Any]:
    """JSON-ready: `name`, `default`, `open_studies_version` and the number of its `studies`."""
    return {
        "name": release.name,
        "default": release.default,
        "open_studies_version": release.open_version,
        "studies": len(release.study_ids),
    }


def open_studies_sentence(entry: dict[str, Any]) -> str:
    """What the version beside the champion serves, for a person; empty where the champion serves all."""
    version = entry["open_studies_version"]
    if version is None:
        return ""
    return (
        f"{version} pre-labels what is open in the studies that it learned from ({entry['studies']}), "
        f"{entry['default']} everything else"
    )
