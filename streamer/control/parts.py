"""The parts of the service, wired: what `streamer web`, `scheduler`, `worker` and `up` run."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from streamer.config.loader import load
from streamer.config.models import Configuration
from streamer.control import private_redis
from streamer.control.preparing import Preparing
from streamer.control.scheduler import Scheduler
from streamer.control.sealing import Sealing
from streamer.control.spares import WorkerSettings
from streamer.control.up import default_database, everything
from streamer.control.worker import Worker, worker_id
from streamer.domain.clockcheck import check_time_zones
from streamer.domain.errors import BadInput
from streamer.store.archive_store import FolderStore
from streamer.store.database import Database
from streamer.store.live import Live
from streamer.store.records import Records
from streamer.store.secrets import SecretStore
from streamer.web.app import serve
from streamer.web.context import WebContext


def database_url(configuration: Configuration) -> str:
    return configuration.service.database_url or default_database(configuration.service.home)


def redis_url(configuration: Configuration) -> str:
    return configuration.service.redis_url or private_redis.url(configuration.service.home)


@asynccontextmanager
async def _stores(configs: Path) -> AsyncIterator[tuple[Configuration, Database, Live]]:
    configuration = await asyncio.to_thread(load, configs)
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


async def run_web(configs: Path) -> None:
    """Serve until cancelled."""
    async with _stores(configs) as (configuration, database, live):
        await database.migrate()
        records, service = Records(database), configuration.service
        context = WebContext(
            records=records, live=live, configuration=configuration,
            secrets=SecretStore(database, service.home / "secret.key"), home=service.home,
            prepare=Preparing(records, live, configuration).prepare,
        )  # fmt: skip
        host, port = service.web.host, service.web.port
        try:
            await serve(context, host=host, port=port, stop=asyncio.Event())
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise BadInput(
                f"port {port} on {host} is taken by another program; free it or set another"
                " web.port in streamer.yaml",
                code="port_taken", port=port,
            ) from None  # fmt: skip


async def run_scheduler(configs: Path) -> None:
    """Lead or wait until cancelled."""
    check_time_zones()
    async with _stores(configs) as (configuration, database, live):
        await database.migrate()
        records, service = Records(database), configuration.service
        archive = service.archive_folder
        sealing = Sealing(records, live, FolderStore(archive), home=service.home, archive=archive)
        try:
            await Scheduler(records, live, Preparing(records, live, configuration), sealing).run()
        finally:
            await sealing.close()


async def run_worker(configs: Path) -> None:
    """Run meetings until cancelled; runs go on."""
    check_time_zones()
    configuration = await asyncio.to_thread(load, configs)
    service = configuration.service
    address = redis_url(configuration)
    settings = WorkerSettings(
        id=worker_id(service.home), home=service.home, redis_url=address,
        database_url=database_url(configuration), capacity=service.worker.capacity,
        ffmpeg=service.ffmpeg,
    )  # fmt: skip
    live = Live.from_url(address)
    try:
        await Worker(settings, live).run()
    finally:
        await live.close()


async def run_up(configs: Path, say: Callable[[str], None]) -> None:
    """Everything on one machine, until cancelled."""
    check_time_zones()
    configuration = await asyncio.to_thread(load, configs)
    async with everything(configuration, configs) as running:
        say(f"console:  {running.url}/")
        say(f"archive:  {running.url}/archive")
        say(f"home:     {running.home}")
        say("make the first user with: streamer user create NAME --role administrator")
        await asyncio.wait(set(running.tasks.values()), return_when=asyncio.FIRST_COMPLETED)
