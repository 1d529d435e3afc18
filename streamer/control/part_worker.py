"""The part `streamer worker`. Loads neither SQL nor pages: it must be back at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from streamer.config import logs
from streamer.config.loader import load
from streamer.control.addresses import database_url, redis_url
from streamer.control.spares import WorkerSettings
from streamer.control.worker import Worker, worker_id
from streamer.domain.clockcheck import check_time_zones
from streamer.store.live import Live


async def run_worker(configs: Path) -> None:
    """Run meetings until cancelled; runs go on."""
    check_time_zones()
    configuration = await asyncio.to_thread(load, configs)
    logs.set_up(configuration.service.log_level)
    service = configuration.service
    address = redis_url(configuration)
    settings = WorkerSettings(
        id=worker_id(service.home), home=service.home, redis_url=address,
        database_url=database_url(configuration), capacity=service.worker.capacity,
        ffmpeg=service.ffmpeg, feeds=service.worker.feeds, programme=service.programme,
    )  # fmt: skip
    live = Live.from_url(address)
    try:
        await Worker(settings, live).run()
    finally:
        await live.close()
