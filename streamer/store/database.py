"""The SQL database: SQLite on one machine, PostgreSQL where there are several."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from streamer.domain.errors import BadInput, Unavailable

WAIT_S = 5.0
"""Seconds to wait for a connection, or for another writer of SQLite."""
STATEMENT_S = 15.0
"""Seconds one statement may take in PostgreSQL."""
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


class Database:
    """Connections and transactions. Faults of the connection surface as Unavailable."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._reader = engine
        self._writer = engine
        self.sqlite = engine.dialect.name == "sqlite"
        if self.sqlite:
            self._writer = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")

    @staticmethod
    async def open(url: str) -> Database:
        """Open `sqlite:///path` or `postgresql://…` and make sure that it answers.

        The folder of a SQLite file is made. Raises BadInput for an address that is none or a
        folder that cannot be made, Unavailable when nothing answers there.
        """
        address = _address(url)
        if address.get_backend_name() == "sqlite":
            await asyncio.to_thread(_make_folder, Path(str(address.database)).parent)
        db = Database(_engine(address))
        try:
            async with db.read() as conn:
                await conn.execute(sa.text("SELECT 1"))
        except BaseException:
            await db.close()
            raise
        return db

    async def migrate(self) -> None:
        """Bring the tables to the newest version. Safe to call again, and from several at once."""
        async with self.write() as conn:
            await self.lock(conn, "migrate")
            await conn.run_sync(_upgrade)

    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads."""
        async with _translated(), self._reader.begin() as conn:
            yield conn

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end, rolled back by an exception.

        SQLite has one writer at a time, from the beginning of the transaction: what is read in it
        is still true when it is written.
        """
        async with _translated(), self._writer.begin() as conn:
            yield conn

    async def lock(self, conn: AsyncConnection, name: str) -> None:
        """Let others that lock the same name wait until this transaction is over."""
        if not self.sqlite:
            key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
            await conn.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows `on_conflict_do_…`, the same in both databases."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)


def _address(url: str) -> URL:
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError):
        # The address itself is not shown: it may hold a password.
        raise BadInput(
            "the address of the database is wrong;"
            " write sqlite:///path or postgresql://user@host/name",
            code="wrong_database_url",
        ) from None
    if driver.startswith("sqlite") and parsed.database in (None, "", ":memory:"):
        raise BadInput("SQLite needs the path of a file", code="wrong_database_url")
    return parsed.set(drivername=driver)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the folder of the database cannot be made: {error}",
            code="database_folder", path=str(folder), error=error.strerror or str(error),
        ) from error  # fmt: skip


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "postgresql":
        return create_async_engine(
            url, pool_timeout=WAIT_S, pool_pre_ping=True, hide_parameters=True,
            connect_args={"timeout": WAIT_S, "command_timeout": STATEMENT_S},
        )  # fmt: skip
    engine = create_async_engine(
        url, pool_timeout=WAIT_S, hide_parameters=True, connect_args={"timeout": WAIT_S}
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Without this the driver begins transactions by itself, late, and two writers that both read
    # first would fail at once ("database is locked") instead of waiting for each other.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON",
        f"busy_timeout={int(WAIT_S * 1000)}",
    ):  # fmt: skip
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(conn: Connection) -> None:
    conn.exec_driver_sql(conn.get_execution_options().get("sqlite_begin", "BEGIN"))


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Faults of the connection as Unavailable; faults of a statement stay what they are."""
    try:
        yield
    except DBAPIError as error:
        if not _passing(error):
            raise
        raise _unavailable(error.orig or error) from error
    except (PoolTimeout, OSError) as error:  # OSError: refused, no such socket, timed out
        raise _unavailable(error) from error


def _passing(error: DBAPIError) -> bool:
    """True when the same call may succeed later: it was the connection, a lock, or the disk."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None) or ""
    # PostgreSQL, Appendix A: connection, resources, operator (shutdown, starting up), deadlock.
    if state[:2] in ("08", "53", "57") or state in ("40001", "40P01"):
        return True
    # SQLite says OperationalError both for a locked or full disk and for a table that is missing;
    # the second is a fault of ours.
    return isinstance(error, OperationalError) and "no such" not in str(error.orig)


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(
        "the database cannot be reached just now; it is tried again",
        code="database_unavailable", error=str(error) or type(error).__name__,
    )  # fmt: skip


def _upgrade(conn: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("streamer.store") / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
