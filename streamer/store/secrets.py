"""Keys and passwords of accounts, encrypted in SQL; the key to them is in a file of its own."""

import asyncio
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
import structlog
from cryptography.fernet import Fernet, InvalidToken

from streamer.domain.errors import Act, BadInput, NotFound, StreamerError
from streamer.store.audit import write_audit
from streamer.store.database import Database
from streamer.store.tables import secret

log = structlog.get_logger(__name__)


class SecretUnreadable(StreamerError):
    """The stored secret was encrypted with another key file; type it again, or bring the file."""

    act = Act.SIGN_IN


class KeyFileWrong(StreamerError):
    """The key file of the secret store cannot be used."""

    act = Act.CORRECT_SETTING


class SecretStore:
    """Secrets by name. A copy of the database without the key file reveals none of them."""

    def __init__(self, db: Database, key_file: Path) -> None:
        self._db = db
        self._key_file = key_file

    async def set(self, name: str, value: str, by: str) -> None:
        """Keep `value` as `name`, in place of what was there; the audit log gets the name only."""
        if not name or not value:
            raise BadInput("a secret needs a name and a value", code="secret_empty", name=name)
        row = {
            "value": (await self._fernet()).encrypt(value.encode()),
            "changed_at": datetime.now(UTC), "changed_by": by,
        }  # fmt: skip
        async with self._db.write() as conn:
            insert = self._db.insert(secret).values(name=name, **row)
            await conn.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row))
            await write_audit(self._db, conn, by, "secret_set", {"name": name})

    async def get(self, name: str) -> str:
        """The secret in plain text. NotFound, SecretUnreadable."""
        async with self._db.read() as conn:
            query = sa.select(secret.c.value).where(secret.c.name == name)
            row = (await conn.execute(query)).first()
        if row is None:
            raise _not_found(name)
        try:
            return (await self._fernet()).decrypt(row.value).decode()
        except InvalidToken:
            raise SecretUnreadable(name=name, key_file=str(self._key_file)) from None

    async def names(self) -> list[str]:
        """The names of all secrets, sorted."""
        async with self._db.read() as conn:
            return list(await conn.scalars(sa.select(secret.c.name).order_by(secret.c.name)))

    async def delete(self, name: str, by: str) -> None:
        """Forget the secret; NotFound."""
        async with self._db.write() as conn:
            gone = await conn.execute(secret.delete().where(secret.c.name == name))
            if not gone.rowcount:
                raise _not_found(name)
            await write_audit(self._db, conn, by, "secret_deleted", {"name": name})

    async def _fernet(self) -> Fernet:
        # Read at each use: whoever puts the right file in place need not restart anything.
        try:
            return Fernet(await asyncio.to_thread(_key, self._key_file))
        except (OSError, ValueError) as error:
            raise KeyFileWrong(path=str(self._key_file), error=str(error)) from error


def _not_found(name: str) -> NotFound:
    return NotFound(f"there is no secret '{name}'", code="no_such_secret", name=name)


def _key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        _create(path)
        key = path.read_bytes()
    if path.stat().st_mode & 0o077:
        log.warning("key_file_open_to_others", path=str(path), advice="chmod 600")
    return key.strip()


def _create(path: Path) -> None:
    """Write a new key, whole or not at all; when another process was first, its key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        log.info("key_file_made_by_another", path=str(path))
    finally:
        os.unlink(temporary)
