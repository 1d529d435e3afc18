"""`streamer up`: the whole service on one machine, each part a process that is kept going."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import aiohttp

from streamer.config.loader import load
from streamer.config.models import Configuration
from streamer.control import private_redis
from streamer.control.addresses import default_database
from streamer.control.services import Service
from streamer.control.worker import stop_run
from streamer.domain.clockcheck import check_time_zones
from streamer.domain.errors import BadInput, StreamerError, Unavailable
from streamer.media.ingest import rtmp_module
from streamer.store.database import Database
from streamer.store.live import Live

STOP_RUNS_S = 25.0
PORT_S = 2.0
"""How long a port may be taken before we believe it."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Everything:
    """The running service. `services` by name: redis, web, scheduler, worker."""

    home: Path
    url: str
    redis_url: str
    services: dict[str, Service]
    tasks: dict[str, asyncio.Task[None]]

    async def stop_runs(self) -> None:
        """Stop the meeting runs of this home. Only for the end of a demonstration or a test:
        a live meeting outlives `streamer up`.

        The worker first: it would start each of them again.
        """
        await _end(self.tasks["worker"])
        folder = self.home / "meetings"
        runs = await asyncio.to_thread(lambda: list(folder.iterdir()) if folder.is_dir() else [])
        await asyncio.gather(*(stop_run(run, STOP_RUNS_S) for run in runs))


def environment(home: Path, redis_url: str, database_url: str, archive: Path) -> dict[str, str]:
    """What every part of the service is told."""
    return {
        **os.environ,
        "STREAMER_HOME": str(home),
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "ARCHIVE_URL": archive.as_uri(),
    }


@asynccontextmanager
async def everything(configuration: Configuration, configs: Path) -> AsyncIterator[Everything]:
    """Start all parts in order, keep them going, stop them in order.

    Raises StreamerError when a part does not start. Meeting runs are not stopped at the end.
    """
    service, home = configuration.service, configuration.service.home
    await asyncio.to_thread(_make_folders, home, service.archive_folder)
    with await asyncio.to_thread(lock, home):
        async with _parts(configuration, configs) as running:
            yield running


@asynccontextmanager
async def _parts(configuration: Configuration, configs: Path) -> AsyncIterator[Everything]:
    service = configuration.service
    home = service.home
    await _port_is_free(service.web.host, service.web.port)
    redis_url = service.redis_url or private_redis.url(home)
    database_url = service.database_url or default_database(home)
    around = environment(home, redis_url, database_url, service.archive_folder)
    base = base_url(service.web.host, service.web.port)
    services: dict[str, Service] = {}
    tasks: dict[str, asyncio.Task[None]] = {}

    def part(name: str, argv: list[str], ready: Callable[[], Awaitable[bool]]) -> Service:
        services[name] = Service(name, argv, home / "log" / f"{name}.log", around, ready)
        tasks[name] = asyncio.create_task(services[name].run(), name=name)
        return services[name]

    try:
        if service.redis_url is None:
            argv = await asyncio.to_thread(private_redis.argv, home)
            await part("redis", argv, lambda: _redis_answers(redis_url)).wait_ready()
        streamer = [sys.executable, "-m", "streamer.cli"]
        # Before everything that a picture does not need: after a power cut meetings wait for it.
        await part(
            "worker", [*streamer, "worker", "--configs", str(configs)],
            lambda: _worker_lives(redis_url),
        ).wait_ready()  # fmt: skip
        database = await Database.open(database_url)
        try:
            await database.migrate()
        finally:
            await database.close()
        parts = [
            part("web", [*streamer, "web", "--configs", str(configs)], lambda: _web_answers(base)),
            part("scheduler", [*streamer, "scheduler", "--configs", str(configs)], _at_once),
        ]
        await asyncio.gather(*(each.wait_ready() for each in parts))
        yield Everything(home, service.web.public_url or base, redis_url, services, tasks)
    finally:
        for name in ("worker", "scheduler", "web", "redis"):  # redis last: all others speak to it
            if name in tasks:
                await _end(tasks[name])


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def base_url(host: str, port: int) -> str:
    """Where pages that are served on `host` answer on this machine."""
    match host:
        case "" | "0.0.0.0":  # noqa: S104  compared, not bound
            host = "127.0.0.1"
        case "::":
            host = "::1"
        case _:
            pass
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def lock(home: Path) -> IO[str]:
    """Hold `home` alone until the file is closed: a second `up` would take the first one's Redis
    away. Raises BadInput. Blocking.

    The kernel gives the lock back when this process ends, however it ends.
    """
    file = open(home / "up.lock", "a")  # noqa: SIM115  held while the service runs
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise BadInput(
            f"this service runs already with the home {home}; stop it, or give this one another"
            " home",
            code="home_taken", home=str(home),
        ) from None  # fmt: skip
    return file


def _make_folders(home: Path, archive: Path) -> None:
    for folder in (home, home / "log", home / "meetings", archive):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass  # a folder that is there may still be on a disk that takes nothing
        except OSError as error:
            raise BadInput(
                f"cannot write in {folder}: {error.strerror}; choose another home in"
                " streamer.yaml, or mend the disk",
                code="home_unwritable", folder=str(folder),
            ) from error  # fmt: skip


async def _port_is_free(host: str, port: int) -> None:
    """Raise BadInput when another program serves on our port. A part of ours that was just killed
    may still be ending, hence the patience."""
    until = time.monotonic() + PORT_S
    while True:
        try:
            server = await asyncio.start_server(lambda reader, writer: None, host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise BadInput(
                    f"cannot serve on {host}:{port}: {error.strerror}; correct web.host and"
                    " web.port in streamer.yaml",
                    code="wrong_address", host=host, port=port,
                ) from error  # fmt: skip
            if time.monotonic() > until:
                raise BadInput(
                    f"port {port} on {host} is taken by another program (perhaps this service runs"
                    " already); free it or set another web.port in streamer.yaml",
                    code="port_taken", port=port,
                ) from None  # fmt: skip
        else:
            server.close()
            await server.wait_closed()
            return
        await asyncio.sleep(0.1)


async def _redis_answers(url: str) -> bool:
    live = Live.from_url(url)
    try:
        await live.ping()
    except Unavailable:
        return False
    finally:
        await live.close()
    return True


async def _web_answers(base: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=2)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{base}/healthz") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _worker_lives(url: str) -> bool:
    live = Live.from_url(url)
    try:
        return bool(await live.workers())
    except Unavailable:
        return False
    finally:
        await live.close()


async def _at_once() -> bool:
    return True


def _missing(configuration: Configuration) -> list[str]:
    """Programs that some region needs and this machine has not: better heard today than on the
    day of the meeting. Blocking."""
    halls = [hall for region in configuration.regions.values() for hall in region.halls]
    if all(source.kind != "rtmp" for hall in halls for source in hall.sources):
        return []
    try:
        rtmp_module()
    except Unavailable as error:
        return [error.message]
    return []


async def run_up(configs: Path, say: Callable[[str], None]) -> None:
    """Everything on one machine, until cancelled."""
    check_time_zones()
    configuration = await asyncio.to_thread(load, configs)
    for trouble in await asyncio.to_thread(_missing, configuration):
        say(f"warning: {trouble}")
    async with everything(configuration, configs) as running:
        say(f"console:  {running.url}/")
        say(f"archive:  {running.url}/archive")
        say(f"home:     {running.home}")
        say("make the first user with: streamer user create NAME --role administrator")
        tasks = set(running.tasks.values())
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        names = ", ".join(sorted(task.get_name() for task in done))
        raise StreamerError(f"nobody keeps {names} going any more", code="part_unwatched")
