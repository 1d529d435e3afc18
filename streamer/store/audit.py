"""The audit log: rows are only ever added, and each one seals the one before it."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.store.database import Database
from streamer.store.encoding import to_json
from streamer.store.rows import AuditRow
from streamer.store.tables import audit

FIRST = "0" * 64
"""What the first row names as the hash before it."""


async def write_audit(
    db: Database, conn: AsyncConnection, who: str, what: str, detail: dict[str, Any]
) -> None:
    """Add a row within the transaction of what it tells of. `detail` must hold no secret."""
    await db.lock(conn, "audit")
    last = (
        await conn.execute(sa.select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1))
    ).first()
    row = {
        "id": last.id + 1 if last else 1, "at": datetime.now(UTC), "who": who, "what": what,
        "detail": to_json(detail), "prev_hash": last.hash if last else FIRST,
    }  # fmt: skip
    await conn.execute(audit.insert().values(**row, hash=_hash(row)))


class AuditRecords:
    """The audit log, and the base all records share."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @asynccontextmanager
    async def _change(
        self, who: str, what: str, detail: dict[str, Any]
    ) -> AsyncIterator[AsyncConnection]:
        """A transaction that ends with its line in the audit log."""
        async with self._db.write() as conn:
            yield conn
            await write_audit(self._db, conn, who, what, detail)

    async def audit(self, who: str, what: str, detail: dict[str, Any]) -> None:
        """Write down that somebody did something. `detail` must hold no secret."""
        async with self._change(who, what, detail):
            pass

    async def audit_log(self, limit: int = 200) -> list[AuditRow]:
        """The newest rows, newest first."""
        query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        async with self._db.read() as conn:
            rows = (await conn.execute(query)).all()
        return [
            AuditRow(r.id, r.at, r.who, r.what, json.loads(r.detail), r.hash) for r in rows
        ]  # fmt: skip

    async def audit_verify(self) -> int | None:
        """Id of the first row that was changed, or stands where one is missing; None: unbroken.

        Rows cut off at the end cannot be seen from the chain itself: compare with a hash that was
        written down elsewhere.
        """
        before, next_id = FIRST, 1
        async with self._db.read() as conn:
            result = await conn.stream(sa.select(audit).order_by(audit.c.id))
            async for r in result.mappings():
                row = dict(r)
                if (row["id"], row["prev_hash"], row["hash"]) != (next_id, before, _hash(row)):
                    return int(row["id"])
                before, next_id = row["hash"], next_id + 1
        return None


def _hash(row: dict[str, Any]) -> str:
    told = [row["id"], row["at"].isoformat(), row["who"], row["what"], row["detail"]]
    line = row["prev_hash"] + json.dumps(told, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(line.encode()).hexdigest()
