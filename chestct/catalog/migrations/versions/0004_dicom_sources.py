"""Where a study's slices stand in DICOM."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Studies that came before have no DICOM headers; importing them again adds what is missing."""
    op.add_column("studies", sa.Column("dicom_source_path", sa.Text()))
