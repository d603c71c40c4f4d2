"""What a fit learns from: samples, snapshots of corrections, research data, phantoms."""
