"""What a fit from scratch is asked for; free of torch, so that the command line takes its defaults here."""

from dataclasses import dataclass

from chestct.model.architecture import DEFAULT_ENCODER


@dataclass(frozen=True)
class FitOptions:
    """The options of `lungloop fit`.

    Args:
        steps: optimiser steps.
        seed: of every random choice; the command line takes LUNGLOOP_TRAIN_SEED where none is given.
        encoder: of segmentation-models-pytorch.
        start_from: version to go on from, moved into `encoder` where that is of the same shape; None starts
            from ImageNet's features.
        kinds_from: versions whose guess of a lesion's kind is fitted on where the labels leave it open, see
            `training.fitting.pseudo_labels`.
        transplant: chance of setting another slice's lesion into a slice, see `training.data.transplant`.
        input_size: side of the square that the network sees, a multiple of 32.
        phantoms: synthetic studies that are fitted on beside the shared data.
        devices: more than 1 fits on several through Lightning.
        checkpoint_every: steps between checkpoints; changes nothing of the outcome.
    """

    steps: int = 1800
    seed: int = 42
    encoder: str = DEFAULT_ENCODER
    start_from: str | None = None
    kinds_from: tuple[str, ...] = ()
    transplant: float = 0.0
    input_size: int = 256
    phantoms: int = 40
    devices: int = 1
    checkpoint_every: int = 50

    def command(self, version: str) -> str:
        """The command line that fits a version so, without what is as usual."""
        words = f"lungloop fit {version} --encoder {self.encoder} --steps {self.steps} --seed {self.seed}"
        words += f" --start-from {self.start_from}" if self.start_from else ""
        for name in ("transplant", "input_size", "phantoms", "devices"):
            if (value := getattr(self, name)) != getattr(FitOptions, name):
                words += f" --{name.replace('_', '-')} {value:g}"
        return words + "".join(f" --kinds-from {version}" for version in self.kinds_from)
