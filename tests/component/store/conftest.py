import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from streamer.store.database import Database
from streamer.store.live import Live
from streamer.store.records import Records
from tests.component.store.servers import Postgres, RedisServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.start()
        server.create("migrated")
        asyncio.run(_migrate(server.url("migrated")))
        yield server
    finally:
        server.remove()


async def _migrate(url: str) -> None:
    db = await Database.open(url)
    await db.migrate()
    await db.close()


@pytest.fixture
async def db(postgres: Postgres) -> AsyncIterator[Database]:
    """A database of its own for each test, with the tables of the migrations."""
    name = f"t{next(_numbers)}"
    await asyncio.to_thread(postgres.create, name, "migrated")
    db = await Database.open(postgres.url(name))
    yield db
    await db.close()


@pytest.fixture
def records(db: Database) -> Records:
    return Records(db)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def live(redis: RedisServer) -> AsyncIterator[Live]:
    live = Live.from_url(redis.url)
    yield live
    await live.close()
