"""What Alembic runs for each command; the connection comes from `migrate`, inside its lock."""

from alembic import context

from chestct.catalog.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
