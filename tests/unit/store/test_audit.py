import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from streamer.store.database import Database
from streamer.store.records import Records
from streamer.store.tables import audit


async def unlock(db: Database) -> None:
    """Take the triggers away, as somebody with full rights in the database could."""
    statements = (
        ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"]
        if db.sqlite
        else ["DROP TRIGGER audit_append_only ON audit"]
    )
    async with db.write() as conn:
        for statement in statements:
            await conn.execute(sa.text(statement))


async def three_rows(records: Records) -> None:
    for i in range(3):
        await records.audit("aigul", "looked", {"n": i, "at": "Көкшетау"})


async def test_the_log_shows_the_newest_first(records: Records) -> None:
    assert await records.audit_verify() is None
    await three_rows(records)
    rows = await records.audit_log(2)
    assert [(r.id, r.detail["n"]) for r in rows] == [(3, 2), (2, 1)]
    assert rows[0].at.utcoffset() is not None
    assert await records.audit_verify() is None


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (audit.update().where(audit.c.id == 2).values(who="other"), 2),
        (audit.update().where(audit.c.id == 2).values(detail="{}"), 2),
        (audit.update().where(audit.c.id == 1).values(hash="00"), 1),
        (audit.delete().where(audit.c.id == 1), 2),
        (audit.delete().where(audit.c.id == 2), 3),
    ],
)
async def test_a_changed_or_missing_row_is_found(
    records: Records, db: Database, change: sa.Executable, broken: int
) -> None:
    await three_rows(records)
    await unlock(db)
    async with db.write() as conn:
        await conn.execute(change)
    assert await records.audit_verify() == broken


@pytest.mark.parametrize("change", [audit.update().values(who="x"), audit.delete()])
async def test_the_database_refuses_to_change_the_log(
    records: Records, db: Database, change: sa.Executable
) -> None:
    await three_rows(records)
    with pytest.raises(DBAPIError, match="append-only"):
        async with db.write() as conn:
            await conn.execute(change)
    assert await records.audit_verify() is None


async def test_many_writers_make_one_chain(records: Records) -> None:
    await asyncio.gather(*(records.audit(f"w{i}", "wrote", {}) for i in range(20)))
    assert len(await records.audit_log()) == 20
    assert await records.audit_verify() is None
