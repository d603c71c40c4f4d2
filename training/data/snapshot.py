"""What a retrain learns from and is tested on: frozen, written down and named by its content."""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.snapshots import KIND, storage_key
from chestct.errors import InputError, NotFoundError

_NAMED_COPIES = 5
_LOG = logging.getLogger(__name__)


class Truth(StrEnum):
    """Where a slice's labels come from; also the name of the body of data in training."""

    CORRECTION = "correction"
    REFERENCE = "record"
    # What a reader made of a test slice without being shown anything; it judges and never teaches.
    TEST_READING = "test reading"
    # The champion's own prediction: replay against forgetting, where too few records exist.
    DISTILLED = "distilled"


@dataclass(frozen=True)
class SliceReference:
    """One slice of a snapshot.

    Args:
        slice_id, slice_key: its row, and the hash of its pixels.
        study, patient, index: for people.
        truth: where the labels come from.
        label_map_path: storage key of the label map; None for reference labels.
        correction_id: the correction's row, for lineage.
    """

    slice_id: int
    slice_key: str
    study: str
    patient: str
    index: int
    truth: Truth
    label_map_path: str | None = None
    correction_id: int | None = None


@dataclass(frozen=True)
class NearCopy:
    """A slice of a training patient that looks like one of a test patient; perhaps they are one person.

    Args:
        study, index: of the slice that is not learned from.
        test_study, test_index: what it looks like.
    """

    study: str
    index: int
    test_study: str
    test_index: int


@dataclass(frozen=True)
class Snapshot:
    """A frozen choice of data.

    Args:
        champion: the version that training starts from and is compared with.
        corrections, replay: what is learned from; never a slice of a test patient.
        calibration: reference labels of train patients that are kept from learning, on which the
            temperature is fitted; empty where there are too few records.
        test: of test patients: reference labels, and unassisted readings of own test patients; other
            corrections never enter it.
        phantom_seeds: of the phantoms that are an alarm against damage.
        left_out: slices of train patients whose very pixels a test patient has too.
        near_copies: slices left out for looking like one of a test patient.
    """

    champion: str
    corrections: tuple[SliceReference, ...]
    replay: tuple[SliceReference, ...]
    test: tuple[SliceReference, ...]
    calibration: tuple[SliceReference, ...] = ()
    phantom_seeds: tuple[int, ...] = ()
    left_out: int = 0
    near_copies: tuple[NearCopy, ...] = ()

    @property
    def id(self) -> str:
        """sha256 of the JSON text."""
        return hashlib.sha256(self.as_json()).hexdigest()

    @property
    def learned(self) -> str:
        """What the readers said, whoever stored it when: equal for snapshots with the same lesson."""
        lesson = sorted((item.slice_key, item.label_map_path) for item in self.corrections)
        return hashlib.sha256(json.dumps(lesson).encode()).hexdigest()

    def as_json(self) -> bytes:
        """The snapshot file; the same data always gives the same bytes."""
        return json.dumps({"format": 1, **asdict(self)}, sort_keys=True, indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Snapshot":
        """Reads `as_json`.

        Raises:
            InputError: it is of another format.
        """
        stored: dict[str, Any] = json.loads(data)
        if stored.pop("format", None) != 1:
            raise InputError("snapshot", "is of another format than this LungLoop writes; make a new one")
        for side in ("corrections", "replay", "test", "calibration"):
            stored[side] = tuple(
                SliceReference(**{**item, "truth": Truth(item["truth"])}) for item in stored[side]
            )
        # Files from before there were near copies have none.
        stored["near_copies"] = tuple(NearCopy(**copy) for copy in stored.get("near_copies", ()))
        return cls(**{**stored, "phantom_seeds": tuple(stored["phantom_seeds"])})


def near_copy_sentence(snapshot: Snapshot) -> str:
    """Names slices that were left out as near copies, for a person to look at; empty where there are none."""
    copies = snapshot.near_copies
    if not copies:
        return ""
    named = "; ".join(
        f"{copy.study} slice {copy.index} like {copy.test_study} slice {copy.test_index}"
        for copy in copies[:_NAMED_COPIES]
    )
    more = f"; and {len(copies) - _NAMED_COPIES} more" if len(copies) > _NAMED_COPIES else ""
    return (
        "not learned from, for they look like a test patient's slices (one person under two names?): "
        f"{named}{more}"
    )


def store(catalog: Catalog, snapshot: Snapshot) -> str:
    """Writes the snapshot file; its id."""
    catalog.storage.write_bytes(KIND, snapshot.as_json(), "json")
    return snapshot.id


def read(catalog: Catalog, snapshot_id: str) -> Snapshot:
    """The snapshot of this id."""
    return Snapshot.from_json(catalog.storage.read_bytes(storage_key(snapshot_id)))


def read_if_kept(catalog: Catalog, snapshot_id: str) -> Snapshot | None:
    """The same, None where its file is gone or of an older format."""
    try:
        return read(catalog, snapshot_id)
    except (NotFoundError, InputError) as error:
        _LOG.warning("snapshot %s cannot be read: %s", snapshot_id, error)
        return None
