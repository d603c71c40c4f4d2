"""From the champion to what readers see: predictions, pre-labels and the order they come in."""
