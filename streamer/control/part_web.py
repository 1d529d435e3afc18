"""The part `streamer web`."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

from streamer.control.preparing import Preparing
from streamer.control.stores import stores_of
from streamer.domain.errors import BadInput
from streamer.store.records import Records
from streamer.store.secrets import SecretStore
from streamer.web.app import serve
from streamer.web.context import WebContext


async def run_web(configs: Path) -> None:
    """Serve until cancelled."""
    async with stores_of(configs) as (configuration, database, live):
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
