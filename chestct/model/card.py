"""A model version's card: what it is, how it came about and how good it is; read without its network.

Free of torch (2 s, 250 MB): the supervisor, the web server and `--help` read cards too. The tensors are
`chestct.model.weights`.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chestct.errors import WeightsError
from chestct.files import write_atomic
from chestct.intensity import LUNG_WINDOW_HU
from chestct.model.architecture import CLASSES
from chestct.model.views import SLICE_ALONE, SLICE_OF_STUDY, Views
from chestct.severity.interval import InvolvementCalibration

_CARD = "card.json"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Their weights left the tree (39 MB) when base-4 was better than each of them; homes may still name them.
_SUPERSEDED = ("base-1", "base-2", "base-3")


@dataclass(frozen=True)
class ModelCard:
    """What a version is, how it came about and how good it is.

    Args:
        version: name of its folder: letters, digits, `.`, `_`, `-`.
        architecture: as `chestct.model.network.build_network` takes it.
        classes: names of the logits, in the order of Label.
        window_hu: HU at grey 0 and grey 1.
        input_size: side of the square that the network sees.
        parents: versions it was fitted from, the direct one first.
        snapshot: id of the data snapshot of a retrain; None for shipped weights.
        metrics: scores, by body of data.
        calibration: `temperature` that the logits are divided by, and its effect.
        decision: `lesion_threshold`, see `chestct.prediction.most_probable`; `smallest_kind_share`, see
            `chestct.prediction.without_minor_kinds`; `looks` and `study_looks`, the views that are averaged
            of a slice alone and of a slice in a study, as `chestct.model.views.Views` takes them; what is
            absent has its default.
        data_licence: of the data it was fitted on.
        training: the fit's configuration and command.
        data: one entry a source: `source`, `labels` (what they tell apart), `licence`, and `fitted` and
            `held_out`, each `patients`, `slices` and, where they are few, `names`.
        known_failures: sentences for people.
        notes: what else to know of the data, sentences for people.
        created_at: ISO 8601, UTC.
        weights_sha256: of `model.safetensors`; filled in by `save_version`.
    """

    version: str
    architecture: str
    classes: tuple[str, ...] = CLASSES
    window_hu: tuple[float, float] = LUNG_WINDOW_HU
    input_size: int = 256
    parents: tuple[str, ...] = ()
    snapshot: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 1.0})
    decision: Mapping[str, Any] = field(default_factory=dict)
    data_licence: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[Mapping[str, Any], ...] = ()
    known_failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    weights_sha256: str = ""

    @property
    def temperature(self) -> float:
        """What the logits are divided by before they become probabilities; 1 changes nothing."""
        return float(self.calibration.get("temperature", 1.0))

    @property
    def lesion_threshold(self) -> float | None:
        """Probability above which a pixel is a lesion; None: the likeliest of lesion, lung, background."""
        threshold = self.decision.get("lesion_threshold")
        return None if threshold is None else float(threshold)

    @property
    def smallest_kind_share(self) -> float:
        """Share of a lesion below which one kind in it gives way to the other; 0 keeps every pixel's own."""
        return float(self.decision.get("smallest_kind_share", 0.0))

    @property
    def views(self) -> Views:
        """The views of a slice alone; this version was scored with them."""
        views = self.decision.get("looks")
        return SLICE_ALONE if views is None else Views(**views)

    @property
    def study_looks(self) -> Views:
        """The views of a slice in a study, whose neighbours are averaged in."""
        views = self.decision.get("study_looks")
        return SLICE_OF_STUDY if views is None else Views(**views)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def read_card(weights_dir: Path, version: str) -> ModelCard:
    """A version's card.

    Raises:
        WeightsError: it is missing or damaged.
    """
    return card_in(version_folder(weights_dir, version), version)


def card_in(folder: Path, version: str) -> ModelCard:
    """The same, of a folder that need not bear the version's name yet."""
    stored, path = _stored(folder, version), folder / _CARD
    field_names = {field.name for field in dataclasses.fields(ModelCard)}
    try:
        values = {key: value for key, value in stored.items() if key in field_names}
        # JSON knows no tuples; cards from before `data` lack the last three.
        for key in ("classes", "window_hu", "parents", "data", "known_failures", "notes"):
            values[key] = tuple(values.get(key, ()))
        card = ModelCard(**values)
        _check_decision(card)
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} lacks what a card needs ({error})") from error
    if card.version != version or card.classes != CLASSES or len(card.window_hu) != 2:
        raise WeightsError(
            f"{path} describes version {card.version!r} with the classes {card.classes}; "
            f"expected {version!r} with {CLASSES}"
        )
    return card


def stored_card(weights_dir: Path, version: str) -> dict[str, Any]:
    """What a version's card says, unchecked: for whoever shows what there is of a strange one.

    Raises:
        WeightsError: it is missing or is no JSON object.
    """
    return _stored(version_folder(weights_dir, version), version)


def write_card(folder: Path, card: ModelCard) -> None:
    """Writes a version's card into its folder, atomically."""
    write_atomic(folder / _CARD, json.dumps(card.as_dict(), indent=2, ensure_ascii=False) + "\n")


def list_versions(weights_dir: Path) -> list[str]:
    """Names of the versions that have a card, sorted."""
    if not weights_dir.is_dir():
        return []
    return sorted(
        folder.name
        for folder in weights_dir.iterdir()
        if _VERSION.fullmatch(folder.name) and (folder / _CARD).is_file()
    )


def calibration_of_version(weights_dir: Path, version: str) -> InvolvementCalibration | None:
    """Of the interval of an involvement; None where the card has none, or there is no card to read."""
    try:
        calibration = stored_card(weights_dir, version).get("calibration")
    except WeightsError:
        return None
    return InvolvementCalibration.of_card(calibration) if isinstance(calibration, dict) else None


def calibrations_of(weights_dir: Path, versions: Iterable[str]) -> dict[str, InvolvementCalibration | None]:
    """Version -> how to turn its uncertainty into an interval, as `calibration_of_version`."""
    return {version: calibration_of_version(weights_dir, version) for version in versions}


def version_folder(weights_dir: Path, version: str) -> Path:
    """Where a version lies, or would lie.

    Raises:
        WeightsError: the name could leave the folder.
    """
    if not _VERSION.fullmatch(version):
        raise WeightsError(
            f"{version!r} is no version name; expected letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return weights_dir / version


def _stored(folder: Path, version: str) -> dict[str, Any]:
    path = folder / _CARD
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(_missing(folder.parent, version)) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged ({error}); restore it or delete the folder") from error
    if not isinstance(stored, dict):
        raise WeightsError(f"{path} lacks what a card needs (it is not a JSON object)")
    return stored


def _missing(weights_dir: Path, version: str) -> str:
    if version in _SUPERSEDED:
        folder = f"weights/{version}"
        return (
            f"{version} no longer comes with LungLoop and is not in {weights_dir}: serve its successor with "
            "`lungloop models promote base-4`, or take it from the repository's history with "
            f"`git restore --source $(git rev-list -n 1 HEAD -- {folder})^ -- {folder}`"
        )
    others = ", ".join(list_versions(weights_dir)) or "none"
    return f"no version {version!r} in {weights_dir}; there are: {others}"


def _check_decision(card: ModelCard) -> None:
    """Raises TypeError or ValueError where the card's decision cannot be followed."""
    threshold = card.lesion_threshold
    if threshold is not None and not 0 < threshold < 1:
        raise ValueError(f"lesion_threshold is {threshold}; expected a probability between 0 and 1")
    if not 0 <= card.smallest_kind_share <= 0.5:
        raise ValueError(f"smallest_kind_share is {card.smallest_kind_share}; expected a share of 0 to 0.5")
    _ = card.views, card.study_looks
