"""A model version: its card and weights on disk, its network, the numbers it computes in."""
