"""Model versions on disk: `model.safetensors` beside the card, never a pickle."""

import dataclasses
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from chestct.errors import WeightsError
from chestct.model.card import ModelCard, card_in, version_folder, write_card

_TENSORS = "model.safetensors"


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
    target = version_folder(weights_dir, card.version)
    if target.exists():
        raise WeightsError(f"{target} exists; versions never change, choose another name")
    tensors = {name: _stored(name, tensor) for name, tensor in state_dict.items()}
    weights_dir.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{card.version}.", dir=weights_dir))
    try:
        safetensors.torch.save_file(tensors, beside / _TENSORS)
        checked = dataclasses.replace(card, weights_sha256=_sha256(beside / _TENSORS))
        write_card(beside, checked)
        _read_tensors(beside, card_in(beside, card.version))
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
    folder = version_folder(weights_dir, version)
    card = card_in(folder, version)
    return card, _read_tensors(folder, card)


def _stored(name: str, tensor: torch.Tensor) -> torch.Tensor:
    value = tensor.detach().cpu()
    if not value.is_floating_point():
        return value.contiguous().clone()
    if not bool(torch.isfinite(value).all()):
        raise WeightsError(f"tensor {name} holds NaN or infinity; nothing of this run may be kept")
    half = value.half()
    fits = value.ndim >= 2 and bool(torch.isfinite(half).all())
    return (half if fits else value.float()).contiguous().clone()


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
