"""The part `streamer scheduler`."""

from __future__ import annotations

from pathlib import Path

from streamer.control.preparing import Preparing
from streamer.control.scheduler import Scheduler
from streamer.control.sealing import Sealing
from streamer.control.stores import stores_of
from streamer.domain.clockcheck import check_time_zones
from streamer.store.archive_store import FolderStore
from streamer.store.records import Records
from streamer.store.secrets import SecretStore


async def run_scheduler(configs: Path) -> None:
    """Lead or wait until cancelled."""
    check_time_zones()
    async with stores_of(configs) as (configuration, database, live):
        await database.migrate()
        records, service = Records(database), configuration.service
        archive = service.archive_folder
        secrets = SecretStore(database, service.home / "secret.key")
        sealing = Sealing(
            records, live, FolderStore(archive), secrets, home=service.home, archive=archive
        )
        await Scheduler(records, live, Preparing(records, live, configuration), sealing).run()
