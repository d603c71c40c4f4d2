"""Settings of one fit, frozen, with defaults for a short retrain from the champion."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

import numpy as np

from chestct.errors import SettingsError
from chestct.model.architecture import DEFAULT_ENCODER, SIZE_STEP
from training.fitting.options import FitOptions


@dataclass(frozen=True)
class FitConfig:
    """What a fit does; written into the model card, so that a run can be repeated.

    Args:
        steps: optimiser steps in all.
        batch_size: pictures a step.
        input_size: side of the square that pictures are resized to, a multiple of 32.
        early_size: smallest side during the first `early_share` of the steps, where each step draws its
            own between this and `input_size`: cheaper, and lungs are seen at many scales.
        early_share: share of the steps with drawn sides, in [0, 1].
        learning_rate: AdamW's peak rate, after a linear warm-up and before a cosine to nothing.
        encoder_rate: the encoder's rate as a share of it, since it starts from learned features.
        weight_decay: AdamW's.
        warm_up_steps: steps until the peak.
        dice_weight: weight of the soft Dice beside the cross-entropy.
        ema_decay: how much of the averaged weights a step keeps.
        seed: of every random choice.
        source_shares: source name -> its share of the samples; a source left out weighs 1.
        transplant_chance: of setting another slice's lesion into a slice whose lung is labelled.
        turn_chance: of a slice that lies on its side or upside down.
        encoder: of segmentation-models-pytorch; ignored where a fit starts from given weights.
        move_to: encoder of the same shape that given weights are moved into first; None keeps theirs.
        checkpoint_every: steps between checkpoints.
    """

    steps: int = 120
    batch_size: int = 6
    input_size: int = FitOptions.input_size
    early_size: int = FitOptions.input_size
    early_share: float = 0.0
    learning_rate: float = 2e-4
    encoder_rate: float = 0.5
    weight_decay: float = 1e-2
    warm_up_steps: int = 10
    dice_weight: float = 1.0
    ema_decay: float = 0.97
    seed: int = 42
    source_shares: Mapping[str, float] = field(default_factory=dict)
    transplant_chance: float = 0.0
    turn_chance: float = 0.0
    encoder: str = DEFAULT_ENCODER
    move_to: str | None = None
    checkpoint_every: int = FitOptions.checkpoint_every

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected 1 or more")
        for name in ("input_size", "early_size"):
            if getattr(self, name) < SIZE_STEP or getattr(self, name) % SIZE_STEP:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected a multiple of {SIZE_STEP}")
        if not 0 < self.learning_rate < 1:
            raise SettingsError(f"learning_rate is {self.learning_rate}; expected a number in (0, 1)")
        for name in ("early_share", "transplant_chance", "turn_chance"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected a number in [0, 1]")

    @classmethod
    def from_scratch(cls, *, steps: int, seed: int, encoder: str = DEFAULT_ENCODER) -> "FitConfig":
        """A whole training from ImageNet's features."""
        return cls(
            steps=steps,
            batch_size=10,
            early_size=192,
            early_share=0.5,
            learning_rate=1e-3,
            encoder_rate=0.4,
            warm_up_steps=min(80, max(1, steps // 10)),
            ema_decay=0.995,
            seed=seed,
            encoder=encoder,
        )

    @classmethod
    def from_version(cls, *, steps: int, seed: int, move_to: str | None) -> "FitConfig":
        """A long training on the shared data that goes on from a version's weights."""
        return cls(
            steps=steps,
            batch_size=8,
            early_size=160,
            early_share=0.6,
            learning_rate=7e-4,
            encoder_rate=0.5,
            warm_up_steps=min(30, max(1, steps // 10)),
            ema_decay=0.997,
            seed=seed,
            move_to=move_to,
        )

    def size_at(self, step: int) -> int:
        """Side of the square that the pictures of this step (from 0) are resized to."""
        if step >= self.early_share * self.steps or self.early_size >= self.input_size:
            return self.input_size
        sides = range(self.early_size, self.input_size + 1, SIZE_STEP)
        return int(np.random.default_rng([self.seed, step, len(sides)]).choice(sides))

    def as_dict(self) -> dict[str, object]:
        """JSON-ready, for the model card and the checkpoint."""
        return {**asdict(self), "source_shares": dict(self.source_shares)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, object]) -> "FitConfig":
        """The config that `as_dict` wrote; fields that it does not know are left out."""
        names = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in stored.items() if key in names})  # type: ignore[arg-type]
