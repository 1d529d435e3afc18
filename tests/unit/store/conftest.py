from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.store.database import Database
from streamer.store.records import Records


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated SQLite file; tests/component/store runs the same tests on PostgreSQL."""
    db = await Database.open(f"sqlite:///{tmp_path / 'records.sqlite'}")
    await db.migrate()
    yield db
    await db.close()


@pytest.fixture
def records(db: Database) -> Records:
    return Records(db)
