"""Where the snapshots of retrains lie, and which corrections are in one; `training` knows the rest."""

import json
from dataclasses import dataclass

from chestct.catalog.storage import Storage
from chestct.errors import InputError, NotFoundError

KIND = "snapshot"


@dataclass(frozen=True)
class SnapshotReadings:
    """Rows of corrections that a retrain used.

    Args:
        learned: learned from.
        judged: readings of test slices, which only judge.
    """

    learned: frozenset[int]
    judged: frozenset[int]


def storage_key(snapshot_id: str) -> str:
    """Where a snapshot of this id lies in the catalog's storage."""
    return f"{KIND}/{snapshot_id[:2]}/{snapshot_id}.json"


def readings_of(storage: Storage, snapshot_id: str) -> SnapshotReadings | None:
    """The corrections of a snapshot; None where its file is gone, damaged or of a strange format."""
    try:
        stored = json.loads(storage.read_bytes(storage_key(snapshot_id)))
        return SnapshotReadings(*(_rows(stored[side]) for side in ("corrections", "test")))
    except (NotFoundError, InputError, ValueError, KeyError, TypeError):
        return None


def _rows(items: list[dict[str, object]]) -> frozenset[int]:
    return frozenset(row for item in items if isinstance(row := item.get("correction_id"), int))
