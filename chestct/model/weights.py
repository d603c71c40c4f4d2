"""Model versions on disk: a folder with `model.safetensors` and `card.json`, never a pickle."""

import dataclasses
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from chestct.errors import WeightsError
from chestct.intensity import LUNG_WINDOW_HU
from chestct.model.network import CLASSES
from chestct.model.views import SLICE_ALONE, SLICE_OF_STUDY, Views

_TENSORS, _CARD = "model.safetensors", "card.json"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


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
        given = self.decision.get("looks")
        return SLICE_ALONE if given is None else Views(**given)

    @property
    def study_looks(self) -> Views:
        """The views of a slice in a study, whose neighbours are averaged in."""
        given = self.decision.get("study_looks")
        return SLICE_OF_STUDY if given is None else Views(**given)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def save_version(weights_dir: Path, state_dict: Mapping[str, torch.Tensor], card: ModelCard) -> Path:
    """Writes a new version beside the others, reads it back, then renames it in one step.

    Kernels are stored as float16; vectors (batch norm, biases) stay float32, they are few.

    Args:
        weights_dir: folder of all versions.
        state_dict: the network's tensors, all finite.
        card: its `weights_sha256` is filled in here.
    Returns:
        The version's folder.
    Raises:
        WeightsError: the name is not a version name, the version exists, or a value is not finite.
    """
    target = _folder(weights_dir, card.version)
    if target.exists():
        raise WeightsError(f"{target} exists; versions never change, choose another name")
    tensors = {name: _stored(name, tensor) for name, tensor in state_dict.items()}
    weights_dir.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{card.version}.", dir=weights_dir))
    try:
        safetensors.torch.save_file(tensors, beside / _TENSORS)
        checked = dataclasses.replace(card, weights_sha256=_sha256(beside / _TENSORS))
        (beside / _CARD).write_text(json.dumps(checked.as_dict(), indent=2, ensure_ascii=False) + "\n")
        _read_tensors(beside, _read_card(beside, card.version))
        # mkdtemp and safetensors write for their own user alone; other users' workers read too.
        beside.chmod(0o755)
        (beside / _TENSORS).chmod(0o644)
        beside.rename(target)
    except OSError as error:
        raise WeightsError(f"{target} cannot be written ({error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def load_version(weights_dir: Path, version: str) -> tuple[ModelCard, dict[str, torch.Tensor]]:
    """A version's card and its tensors as float32 (integers stay as they are).

    Raises:
        WeightsError: it is missing, incomplete or damaged.
    """
    folder = _folder(weights_dir, version)
    card = _read_card(folder, version)
    return card, _read_tensors(folder, card)


def read_card(weights_dir: Path, version: str) -> ModelCard:
    """A version's card alone.

    Raises:
        WeightsError: it is missing or damaged.
    """
    return _read_card(_folder(weights_dir, version), version)


def list_versions(weights_dir: Path) -> list[str]:
    """Names of the versions that have a card, sorted."""
    if not weights_dir.is_dir():
        return []
    return sorted(
        folder.name
        for folder in weights_dir.iterdir()
        if _VERSION.fullmatch(folder.name) and (folder / _CARD).is_file()
    )


def _folder(weights_dir: Path, version: str) -> Path:
    if not _VERSION.fullmatch(version):
        raise WeightsError(
            f"{version!r} is no version name; expected letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return weights_dir / version


def _stored(name: str, tensor: torch.Tensor) -> torch.Tensor:
    value = tensor.detach().cpu()
    if not value.is_floating_point():
        return value.contiguous().clone()
    if not bool(torch.isfinite(value).all()):
        raise WeightsError(f"tensor {name} holds NaN or infinity; nothing of this run may be kept")
    half = value.half()
    fits = value.ndim >= 2 and bool(torch.isfinite(half).all())
    return (half if fits else value.float()).contiguous().clone()


def _read_card(folder: Path, version: str) -> ModelCard:
    try:
        stored = json.loads((folder / _CARD).read_text())
    except FileNotFoundError as error:
        others = ", ".join(list_versions(folder.parent)) or "none"
        raise WeightsError(f"no version {folder.name!r} in {folder.parent}; there are: {others}") from error
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{folder / _CARD} is damaged ({error}); restore it or delete the folder"
        ) from error
    known = {one.name for one in dataclasses.fields(ModelCard)}
    try:
        values = {key: value for key, value in stored.items() if key in known}
        # JSON knows no tuples; cards from before `data` lack the last three.
        for key in ("classes", "window_hu", "parents", "data", "known_failures", "notes"):
            values[key] = tuple(values.get(key, ()))
        card = ModelCard(**values)
        _check_decision(card)
    except (AttributeError, TypeError, ValueError) as error:
        raise WeightsError(f"{folder / _CARD} lacks what a card needs ({error})") from error
    if card.version != version or card.classes != CLASSES or len(card.window_hu) != 2:
        raise WeightsError(
            f"{folder / _CARD} describes version {card.version!r} with the classes {card.classes}; "
            f"expected {version!r} with {CLASSES}"
        )
    return card


def _check_decision(card: ModelCard) -> None:
    """Raises TypeError or ValueError where the card's decision cannot be followed."""
    threshold = card.lesion_threshold
    if threshold is not None and not 0 < threshold < 1:
        raise ValueError(f"lesion_threshold is {threshold}; expected a probability between 0 and 1")
    if not 0 <= card.smallest_kind_share <= 0.5:
        raise ValueError(f"smallest_kind_share is {card.smallest_kind_share}; expected a share of 0 to 0.5")
    _ = card.views, card.study_looks


def _read_tensors(folder: Path, card: ModelCard) -> dict[str, torch.Tensor]:
    path = folder / _TENSORS
    try:
        if card.weights_sha256 and _sha256(path) != card.weights_sha256:
            raise WeightsError(f"{path} is damaged: it is not the file that the card names by its SHA-256")
        tensors = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); restore it or delete the folder") from error
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
