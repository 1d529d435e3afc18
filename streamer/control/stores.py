"""The stores, opened by what the configuration names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from streamer.config import logs
from streamer.config.loader import load
from streamer.config.models import Configuration
from streamer.control.addresses import database_url, redis_url
from streamer.store.database import Database
from streamer.store.live import Live
from streamer.store.records import Records
from streamer.store.secrets import SecretStore


@asynccontextmanager
async def stores_of(configs: Path) -> AsyncIterator[tuple[Configuration, Database, Live]]:
    """Configuration, records and Redis of a part of the service."""
    configuration = await asyncio.to_thread(load, configs)
    logs.set_up(configuration.service.log_level)
    database = await Database.open(database_url(configuration))
    live = Live.from_url(redis_url(configuration))
    try:
        yield configuration, database, live
    finally:
        await live.close()
        await database.close()


@asynccontextmanager
async def records_of(configs: Path) -> AsyncIterator[Records]:
    """The records alone, for the command line; the database is made when there is none."""
    configuration = await asyncio.to_thread(load, configs)
    await asyncio.to_thread(configuration.service.home.mkdir, parents=True, exist_ok=True)
    database = await Database.open(database_url(configuration))
    try:
        await database.migrate()
        yield Records(database)
    finally:
        await database.close()


@asynccontextmanager
async def secrets_of(configs: Path) -> AsyncIterator[SecretStore]:
    """The encrypted store, for the command line."""
    configuration = await asyncio.to_thread(load, configs)
    home = configuration.service.home
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    database = await Database.open(database_url(configuration))
    try:
        await database.migrate()
        yield SecretStore(database, home / "secret.key")
    finally:
        await database.close()
