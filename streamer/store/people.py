"""Who may sign in, and with which tokens programs may call."""

import asyncio
import functools
import hashlib
import secrets
import unicodedata
from datetime import UTC, datetime

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from streamer.domain.errors import BadInput, NotFound
from streamer.domain.roles import Role
from streamer.store.audit import AuditRecords
from streamer.store.database import Database
from streamer.store.rows import TokenRow, UserRow
from streamer.store.tables import api_token, user

TOKEN_MARK = "mst_"  # noqa: S105 - what a token begins with, so that scanners of leaks know it
SHORTEST_PASSWORD = 8
"""Letters."""
# One check takes 64 MiB (RFC 9106, second recommended option); many sign-ins at once must wait.
_CHECKS_AT_ONCE = 2

_hasher = PasswordHasher()


class PeopleRecords(AuditRecords):
    """Users and tokens."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def create_token(self, name: str, role: Role, by: str) -> str:
        """A new token, in plain text: shown once, because only its SHA-256 is kept."""
        if not name.strip():
            raise BadInput("a token needs a name that says what it is for", code="name_missing")
        plaintext = TOKEN_MARK + secrets.token_urlsafe(32)
        async with self._change(by, "token_created", {"name": name, "role": str(role)}) as conn:
            await conn.execute(
                api_token.insert().values(
                    name=name, role=str(role), sha256=_digest(plaintext),
                    created_at=datetime.now(UTC), created_by=by,
                )
            )  # fmt: skip
        return plaintext

    async def token(self, plaintext: str) -> TokenRow | None:
        """The token, None when it is unknown or revoked."""
        where = (api_token.c.sha256 == _digest(plaintext), api_token.c.revoked_at.is_(None))
        return next(iter(await self._tokens(*where)), None)

    async def tokens(self) -> list[TokenRow]:
        """Every token there ever was, by age."""
        return await self._tokens()

    async def revoke_token(self, id: int, by: str) -> None:
        """The token is good for nothing from now on; again: nothing. NotFound."""
        async with self._db.read() as conn:
            query = sa.select(api_token.c.revoked_at).where(api_token.c.id == id)
            row = (await conn.execute(query)).first()
        if row is None:
            raise NotFound(f"there is no token {id}", code="no_such_token", id=id)
        if row.revoked_at is not None:
            return
        async with self._change(by, "token_revoked", {"id": id}) as conn:
            await conn.execute(
                api_token.update()
                .where(api_token.c.id == id, api_token.c.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC), revoked_by=by)
            )

    async def create_user(
        self, name: str, password: str, role: Role, region: str | None, by: str
    ) -> UserRow:
        """Add a user; BadInput `name_missing`, `password_too_short`, `name_taken`."""
        name = _normal(name).strip()
        if not name:
            raise BadInput("a user needs a name", code="name_missing")
        if len(_normal(password)) < SHORTEST_PASSWORD:
            raise BadInput(
                f"the password is too short; use at least {SHORTEST_PASSWORD} letters",
                code="password_too_short", at_least=SHORTEST_PASSWORD,
            )  # fmt: skip
        row = UserRow(name, role, region, datetime.now(UTC), by)
        async with self._checks:
            hashed = await asyncio.to_thread(_hasher.hash, _normal(password))
        detail = {"name": name, "role": str(role), "region": region}
        async with self._change(by, "user_created", detail) as conn:
            insert = self._db.insert(user).values(
                name=name, password_hash=hashed, role=str(role), region=region,
                created_at=row.created_at, created_by=by,
            )  # fmt: skip
            if not (await conn.execute(insert.on_conflict_do_nothing())).rowcount:
                raise BadInput(f"there is a user '{name}' already", code="name_taken", name=name)
        return row

    async def verify_user(self, name: str, password: str) -> UserRow | None:
        """The user whose password this is, else None. Takes as long for an unknown name."""
        query = sa.select(user).where(user.c.name == _normal(name).strip())
        async with self._db.read() as conn:
            row = (await conn.execute(query)).first()
        hashed = row.password_hash if row else None
        async with self._checks:
            right = await asyncio.to_thread(_verify, hashed, _normal(password))
        return _user(row) if row and right else None

    async def users(self) -> list[UserRow]:
        """Every user, by name."""
        async with self._db.read() as conn:
            rows = (await conn.execute(sa.select(user).order_by(user.c.name))).all()
        return [_user(row) for row in rows]

    async def _tokens(self, *where: sa.ColumnElement[bool]) -> list[TokenRow]:
        query = sa.select(api_token).where(*where).order_by(api_token.c.id)
        async with self._db.read() as conn:
            rows = (await conn.execute(query)).all()
        return [
            TokenRow(
                r.id, r.name, Role(r.role), r.created_at, r.created_by, r.revoked_at, r.revoked_by
            )
            for r in rows
        ]  # fmt: skip


def _digest(plaintext: str) -> str:
    # A token is 256 random bits: a plain hash cannot be guessed back, unlike a password's.
    return hashlib.sha256(plaintext.encode("utf-8", "replace")).hexdigest()


def _normal(typed: str) -> str:
    """One spelling for letters such as й, which keyboards send as one sign or as two."""
    return unicodedata.normalize("NFC", typed.replace("\0", "")).encode("utf-8", "replace").decode()


@functools.cache
def _nobody() -> str:
    """Checked when there is no such user, so that the answer takes as long as for one there is."""
    return _hasher.hash(secrets.token_urlsafe())


def _verify(hashed: str | None, password: str) -> bool:
    try:
        return _hasher.verify(hashed or _nobody(), password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


def _user(row: sa.Row[tuple[object, ...]]) -> UserRow:
    return UserRow(row.name, Role(row.role), row.region, row.created_at, row.created_by)
