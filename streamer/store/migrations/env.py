"""Runs the migrations on the connection that `Database.migrate` gives."""

from alembic import context

from streamer.store.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations run by streamer.store.database.Database.migrate only")

context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite changes a column by making the table anew.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
