import asyncio
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from streamer.domain.errors import Act, BadInput, NotFound
from streamer.store.database import Database
from streamer.store.records import Records
from streamer.store.secrets import KeyFileWrong, SecretStore, SecretUnreadable
from streamer.store.tables import secret


async def test_a_secret_is_kept_encrypted(db: Database, records: Records, tmp_path: Path) -> None:
    store = SecretStore(db, tmp_path / "keys" / "secrets.key")
    await store.set("youtube", "canary-Қ", "aigul")
    await store.set("facebook", "other", "aigul")
    await store.set("youtube", "canary-2", "aigul")
    assert await store.get("youtube") == "canary-2"
    assert await store.names() == ["facebook", "youtube"]
    async with db.read() as conn:
        stored = (await conn.execute(sa.select(secret))).all()
    assert "canary" not in repr(stored)
    assert "canary" not in repr(await records.audit_log())
    assert len(await records.audit_log()) == 3


async def test_a_deleted_secret_is_gone(db: Database, tmp_path: Path) -> None:
    store = SecretStore(db, tmp_path / "secrets.key")
    await store.set("a", "b", "x")
    await store.delete("a", "x")
    with pytest.raises(NotFound):
        await store.get("a")
    with pytest.raises(NotFound):
        await store.delete("a", "x")


async def test_the_key_file_is_for_its_owner_and_made_once(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    stores = [SecretStore(db, path) for _ in range(5)]
    await asyncio.gather(*(s.set(f"n{i}", f"v{i}", "x") for i, s in enumerate(stores)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [await stores[0].get(f"n{i}") for i in range(5)] == [f"v{i}" for i in range(5)]
    assert [n for n in os.listdir(tmp_path) if "secrets" in n] == ["secrets.key"]


async def test_another_key_file_asks_for_the_secret_again(db: Database, tmp_path: Path) -> None:
    await SecretStore(db, tmp_path / "one").set("a", "b", "x")
    with pytest.raises(SecretUnreadable) as caught:
        await SecretStore(db, tmp_path / "two").get("a")
    assert caught.value.act is Act.SIGN_IN


async def test_a_key_file_that_is_none_is_named(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    path.write_text("not a key")
    with pytest.raises(KeyFileWrong) as caught:
        await SecretStore(db, path).set("a", "b", "x")
    assert caught.value.tried["path"] == str(path)
    assert "not a key" not in repr(caught.value.as_dict())


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("x", "")])
async def test_a_secret_is_never_empty(
    db: Database, tmp_path: Path, name: str, value: str
) -> None:  # fmt: skip
    with pytest.raises(BadInput):
        await SecretStore(db, tmp_path / "k").set(name, value, "x")
