import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from streamer.domain.errors import BadInput, Unavailable
from streamer.store import database
from streamer.store.database import Database
from streamer.store.records import Records
from streamer.store.tables import metadata, secret
from tests.unit.store.samples import START, plan


async def test_the_migrations_make_the_tables_of_the_code(db: Database) -> None:
    def differences(conn: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(conn), metadata))

    async with db.read() as conn:
        assert await conn.run_sync(differences) == []


async def test_migrating_again_keeps_what_is_there(db: Database, records: Records) -> None:
    await records.create_meeting(plan(), "a")
    await asyncio.gather(db.migrate(), db.migrate())
    assert await records.meetings() == [plan()]


async def test_a_transaction_that_fails_leaves_nothing(db: Database, records: Records) -> None:
    async def fail() -> None:
        async with db.write() as conn:
            values = {"name": "a", "value": b"b", "changed_at": START, "changed_by": "c"}
            await conn.execute(secret.insert().values(**values))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with db.read() as conn:
        assert (await conn.execute(sa.select(secret))).all() == []


async def test_a_missing_table_is_our_fault_not_a_pause(db: Database) -> None:
    with pytest.raises(DBAPIError):
        async with db.read() as conn:
            await conn.execute(sa.text("SELECT * FROM nowhere"))


@pytest.mark.parametrize(
    "url", ["", "mysql://a/b", "postgresql", "sqlite://", "sqlite:///:memory:", "://secret@x"]
)
async def test_a_wrong_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        await Database.open(url)
    assert caught.value.code == "wrong_database_url"
    assert "secret" not in repr(caught.value.as_dict())


async def test_a_database_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        await Database.open("postgresql://a:secret@localhost:1/x")
    assert "secret" not in repr(caught.value.as_dict())
    with pytest.raises(Unavailable):
        await Database.open(f"sqlite:///{tmp_path}")


async def test_the_folder_of_the_file_is_made_where_possible(tmp_path: Path) -> None:
    db = await Database.open(f"sqlite:///{tmp_path / 'а' / 'b' / 'c.sqlite'}")
    await db.close()
    (tmp_path / "file").touch()
    with pytest.raises(BadInput) as caught:
        await Database.open(f"sqlite:///{tmp_path / 'file' / 'c.sqlite'}")
    assert caught.value.code == "database_folder"


async def test_a_writer_that_takes_too_long_makes_others_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT_S", 0.2)
    db = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'a.sqlite'}")
    await db.migrate()
    records = Records(db)
    async with db.write():
        assert await records.meetings() == []  # readers are not held up
        with pytest.raises(Unavailable):
            await records.audit("a", "b", {})
    await records.audit("a", "b", {})
    await db.close()
