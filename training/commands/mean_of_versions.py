"""One version from several that were fitted from one parent: the mean of their weights.

Fits that start from the same weights and see other views end in one valley of the loss; their mean often
does a little better than each, at the time and size of one.

Source: model soups, Wortsman et al. 2022, arXiv 2203.05482.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import torch

from chestct.errors import TrainingDataError, WeightsError
from chestct.model.card import ModelCard, read_card
from chestct.model.weights import load_version, save_version
from chestct.settings import Settings
from training.commands.fit import calibrated_and_scored, require_new
from training.data.shared_data import shared_samples


def run_mean(settings: Settings, out_version: str, versions: Sequence[str]) -> ModelCard:
    """Writes the mean of versions as a new one, calibrated and scored on patients that none was fitted on.

    Args:
        settings: `weights_dir` and `shared_data` count.
        out_version: name of the new version.
        versions: at least two, of one architecture, fitted on the same data.
    Raises:
        TrainingDataError: there is no shared data to calibrate and score on.
        WeightsError: the new version exists, or the given ones cannot be averaged.
    """
    if settings.shared_data is None:
        raise TrainingDataError(
            "a mean of versions is scored on labelled data: set LUNGLOOP_SHARED_DATA to it"
        )
    require_new(settings.weights_dir, out_version)
    if len(set(versions)) < 2:
        raise WeightsError(f"a mean takes two versions or more; it got {', '.join(versions) or 'none'}")
    loaded = [load_version(settings.weights_dir, version) for version in versions]
    cards = [card for card, _ in loaded]
    _check_alike(cards)
    weights = mean_weights([tensors for _, tensors in loaded])
    card = calibrated_and_scored(
        weights, _card_of_mean(out_version, cards), shared_samples(settings.shared_data).held_out
    )
    save_version(settings.weights_dir, weights, card)
    return read_card(settings.weights_dir, out_version)


def mean_weights(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Mean of each floating-point tensor; counters are the first one's.

    Args:
        states: at least one; state dicts of the same names and shapes.
    """
    return {
        name: torch.stack([state[name].float() for state in states]).mean(dim=0)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in states[0].items()
    }


def _check_alike(cards: Sequence[ModelCard]) -> None:
    first = cards[0]
    for name in ("architecture", "classes", "input_size", "window_hu", "decision", "data"):
        for card in cards[1:]:
            if getattr(card, name) != getattr(first, name):
                raise WeightsError(
                    f"{first.version} and {card.version} differ in {name}; only versions fitted alike "
                    "have a mean"
                )


def _card_of_mean(out_version: str, cards: Sequence[ModelCard]) -> ModelCard:
    versions = [card.version for card in cards]
    steps = [step for card in cards for step in str(card.training.get("command", card.version)).split("; ")]
    command = f"lungloop models mean {out_version} {' '.join(versions)}"
    return replace(
        cards[0],
        version=out_version,
        parents=tuple(name for name in cards[0].parents if all(name in card.parents for card in cards)),
        notes=tuple(dict.fromkeys(note for card in cards for note in card.notes)),
        known_failures=(),
        training={
            "command": "; ".join((*dict.fromkeys(steps), command)),
            "mean_of": versions,
            "set_aside": cards[0].training.get("set_aside", []),
        },
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
