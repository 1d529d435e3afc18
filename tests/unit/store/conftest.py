import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.store.database import Database
from streamer.store.records import Records


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with empty tables, made once and copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"

    async def make() -> None:
        db = await Database.open(f"sqlite:///{path}")
        await db.migrate()
        await db.close()

    asyncio.run(make())
    return path


@pytest.fixture
async def db(tmp_path: Path, migrated: Path) -> AsyncIterator[Database]:
    """SQLite; tests/component/store runs the same tests on PostgreSQL."""
    path = tmp_path / "records.sqlite"
    shutil.copy(migrated, path)
    db = await Database.open(f"sqlite:///{path}")
    yield db
    await db.close()


@pytest.fixture
def records(db: Database) -> Records:
    return Records(db)
