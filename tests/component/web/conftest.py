from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from streamer.domain.roles import Role
from streamer.store.database import Database
from streamer.store.live import Live
from streamer.store.records import Records
from streamer.store.secrets import SecretStore
from streamer.web.app import create_app
from streamer.web.context import WebContext
from tests.component.store.servers import RedisServer
from tests.component.web.world import CANARY, PASSWORD, Client, World, configuration


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def world(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[World]:
    home = tmp_path / "home"
    home.mkdir()
    db = await Database.open(f"sqlite:///{home / 'records.sqlite'}")
    await db.migrate()
    live = Live.from_url(redis_server.url)
    records, secrets = Records(db), SecretStore(db, home / "secrets.key")
    await secrets.set("youtube", CANARY, "test")
    await records.create_user("aru", PASSWORD, Role.TECHNICIAN, None, "test")
    prepared: list[tuple[str, str]] = []

    async def prepare(meeting: str, by: str) -> None:
        prepared.append((meeting, by))

    context = WebContext(records, live, configuration(home), secrets, home, prepare)
    yield World(context, records, live, secrets, home, prepared)
    await live._link.client.flushdb()  # the server is shared by the tests of a session
    await live.close()
    await db.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with TestClient(
        TestServer(create_app(world.context)), cookie_jar=CookieJar(unsafe=True)
    ) as client:
        yield client


@pytest.fixture
async def token(world: World) -> str:
    """A technician's token."""
    return await world.records.create_token("tests", Role.TECHNICIAN, "test")
