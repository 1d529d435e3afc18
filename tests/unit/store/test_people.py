import asyncio
import hashlib

import pytest
import sqlalchemy as sa

from streamer.domain.errors import BadInput, NotFound
from streamer.domain.roles import Role
from streamer.store.database import Database
from streamer.store.records import Records
from streamer.store.tables import api_token, user


async def test_a_token_is_known_by_its_text_only(records: Records, db: Database) -> None:
    plaintext = await records.create_token("console", Role.TECHNICIAN, "root")
    assert plaintext.startswith("mst_")
    assert len(plaintext) == 47
    row = await records.token(plaintext)
    assert row is not None
    assert (row.name, row.role, row.created_by) == ("console", Role.TECHNICIAN, "root")
    assert await records.token(plaintext + "x") is None
    assert await records.token("") is None
    async with db.read() as conn:
        stored = (await conn.execute(sa.select(api_token))).one()
    assert plaintext not in repr(stored)
    assert stored.sha256 == hashlib.sha256(plaintext.encode()).hexdigest()
    assert plaintext not in repr(await records.audit_log())


async def test_a_revoked_token_is_good_for_nothing(records: Records) -> None:
    plaintext = await records.create_token("old", Role.AUDITOR, "root")
    (row,) = await records.tokens()
    await records.revoke_token(row.id, "root")
    await records.revoke_token(row.id, "somebody")
    assert await records.token(plaintext) is None
    (row,) = await records.tokens()
    assert row.revoked_at is not None
    assert row.revoked_by == "root"
    with pytest.raises(NotFound):
        await records.revoke_token(99, "root")


async def test_a_token_needs_a_name(records: Records) -> None:
    with pytest.raises(BadInput):
        await records.create_token(" ", Role.AUDITOR, "root")


async def test_a_user_signs_in_with_his_password_only(records: Records, db: Database) -> None:
    made = await records.create_user("Айгүл", "құпия сөз й", Role.DIRECTOR, "abai", "root")
    assert await records.verify_user("Айгүл", "құпия сөз й") == made
    # The same letters as another keyboard sends them.
    assert await records.verify_user(" Айгүл", "құпия сөз и\u0306") == made
    assert await records.verify_user("Айгүл", "wrong") is None
    assert await records.verify_user("nobody", "құпия сөз й") is None
    assert await records.users() == [made]
    async with db.read() as conn:
        stored = (await conn.execute(sa.select(user.c.password_hash))).scalar_one()
    assert stored.startswith("$argon2id$")


async def test_a_name_is_taken_once(records: Records) -> None:
    made = await asyncio.gather(
        *(records.create_user("a", "password", Role.AUDITOR, None, "root") for _ in range(3)),
        return_exceptions=True,
    )
    assert sorted(type(m).__name__ for m in made) == ["BadInput", "BadInput", "UserRow"]


@pytest.mark.parametrize(("name", "password"), [("", "password"), ("a", "short"), ("a", "")])
async def test_a_user_needs_a_name_and_a_password(
    records: Records, name: str, password: str
) -> None:
    with pytest.raises(BadInput):
        await records.create_user(name, password, Role.AUDITOR, None, "root")
    assert await records.users() == []


async def test_signing_in_does_not_hold_up_the_loop(records: Records) -> None:
    await records.create_user("a", "password", Role.AUDITOR, None, "root")
    checks = asyncio.gather(*(records.verify_user("a", "password") for _ in range(4)))
    turns = 0
    while not checks.done():
        await asyncio.sleep(0)
        turns += 1
    assert None not in await checks
    assert turns > 50
