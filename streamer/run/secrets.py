"""Where a meeting run gets the values behind secret references, at the moment they are needed."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

from streamer.config.secrets import Redactor, resolve
from streamer.media.relay import Address

STORE = "store:"


class Secrets:
    """Resolves references and teaches the redactor every value it has seen."""

    def __init__(self, redactor: Redactor, database_url: str | None, key_file: Path) -> None:
        self._redactor, self._database_url, self._key_file = redactor, database_url, key_file

    async def value(self, reference: str) -> str:
        """The secret behind `reference`. Raises StreamerError naming the reference only."""
        if reference.startswith(STORE):
            secret = await self._from_store(reference.removeprefix(STORE))
        else:
            secret = await asyncio.to_thread(resolve, reference)
        self._redactor.add(secret)
        return secret

    async def login(self, reference: str) -> tuple[str, str]:
        """User and password of a reference to `user:password`."""
        user, _, password = (await self.value(reference)).partition(":")
        self._redactor.add(password)  # alone as well: it stands alone in an address
        return user, password

    async def address(
        self, url: str, reference: str, *, backup: bool = False, ca_file: Path | None = None
    ) -> Address:
        """A destination's full address, and the same as it may be shown."""
        base = url.rstrip("/")
        key = await self.value(reference)
        return Address(
            url=f"{base}/{key}", shown=f"{base.partition('?')[0]}/***", backup=backup,
            ca_file=str(ca_file) if ca_file else None,
        )  # fmt: skip

    async def _from_store(self, name: str) -> str:
        # Loaded late and off the loop: a run without stored secrets never pays for SQL.
        await asyncio.to_thread(importlib.import_module, "streamer.store.secrets")
        from streamer.store.database import Database
        from streamer.store.secrets import SecretStore

        if self._database_url is None:
            raise RuntimeError("a meeting run with stored secrets was started without a database")
        database = await Database.open(self._database_url)
        try:
            return await SecretStore(database, self._key_file).get(name)
        finally:
            await database.close()
