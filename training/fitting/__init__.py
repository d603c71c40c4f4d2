"""Fitting a network to samples: seeded, resumable, on one device or several."""
