"""AdamW as a fit uses it: two rates, no decay of vectors, a warm-up and a cosine."""

import math

import torch

from training.fitting.config import FitConfig

GRADIENT_NORM = 5.0


def optimiser_of(network: torch.nn.Module, config: FitConfig) -> torch.optim.AdamW:
    """Encoder and decoder at rates of their own; vectors (norms, biases) do not decay."""
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        rate = config.encoder_rate if name.startswith("encoder.") else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay, "share": rate}
            for (rate, decay), parameters in groups.items()
        ],
        lr=config.learning_rate,
        # One pass over all parameters where the plain loop makes a dozen small ones for each.
        fused=True,
    )


def set_rate(optimiser: torch.optim.Optimizer, config: FitConfig, step: int) -> None:
    """Linear warm-up, then a cosine that ends at a hundredth of the peak."""
    warm = min(1.0, (step + 1) / max(1, config.warm_up_steps))
    done = max(0, step - config.warm_up_steps) / max(1, config.steps - config.warm_up_steps)
    rate = config.learning_rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]
