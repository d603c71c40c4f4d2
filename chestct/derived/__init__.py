"""Figures worked out from the catalog; most are kept in it. The catalog itself stores and asks, no more."""
