import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.store.database import Database
from streamer.store.live import Live
from streamer.store.records import Records


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with empty tables, made once and copied for each test."""
    path = tmp_path_factory.mktemp("control") / "empty.sqlite"

    async def make() -> None:
        db = await Database.open(f"sqlite:///{path}")
        await db.migrate()
        await db.close()

    asyncio.run(make())
    return path


@pytest.fixture
async def db(tmp_path: Path, empty: Path) -> AsyncIterator[Database]:
    shutil.copy(empty, tmp_path / "records.sqlite")
    db = await Database.open(f"sqlite:///{tmp_path / 'records.sqlite'}")
    yield db
    await db.close()


@pytest.fixture
def records(db: Database) -> Records:
    return Records(db)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    """A Redis that is away: whatever is done here must do without."""
    live = Live.from_url(f"unix://{tmp_path / 'nobody.sock'}")
    yield live
    await live.close()
