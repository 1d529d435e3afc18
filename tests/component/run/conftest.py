import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.component.run.world import World
from tests.component.store.servers import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def world(redis: RedisServer, tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path, redis)
    yield world
    async with asyncio.timeout(60):
        await world.close()
