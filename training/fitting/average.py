"""Exponential moving average of a network's weights: steadier than the last step's."""

import torch


class WeightAverage:
    """Averaged copy of a network's floating-point tensors, buffers included.

    Args:
        network: whose tensors are followed.
        decay: share that a step keeps, once enough steps were seen.
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self._decay = decay
        self._updates = 0
        self._average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: torch.nn.Module) -> None:
        """Takes one step's weights in; early steps count more, so that the start is forgotten."""
        self._updates += 1
        keep = min(self._decay, (1 + self._updates) / (10 + self._updates))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                self._average[name].lerp_(tensor, 1 - keep)
            else:
                self._average[name].copy_(tensor)

    def weights(self) -> dict[str, torch.Tensor]:
        """The averaged state dict, in the network's own names."""
        return {name: tensor.clone() for name, tensor in self._average.items()}

    def state_dict(self) -> dict[str, object]:
        """All that `load_state_dict` needs to go on."""
        return {"updates": self._updates, "average": self._average}

    def load_state_dict(self, stored: dict) -> None:
        """Goes on from a checkpoint."""
        self._updates = stored["updates"]
        for name, tensor in stored["average"].items():
            self._average[name].copy_(tensor)
