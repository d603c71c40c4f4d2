"""Alembic's scripts: how a catalog's database becomes what `tables` describes."""
