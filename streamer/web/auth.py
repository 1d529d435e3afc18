"""Who asks: sessions by cookie, tokens by header, rights by role, and the limit on sign-ins."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest

from aiohttp import web

from streamer.domain.roles import Right, Role, may
from streamer.store.records import Records
from streamer.web.context import CONTEXT, GATE
from streamer.web.faults import Forbidden, FormExpired, NotSignedIn, TooManyTries
from streamer.web.sessions import SESSION

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
USERS_FRESH_S = 5.0
"""Seconds until a changed role is seen by sessions that are open."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sent the request. `region` limits a person to one region; None means all."""

    name: str
    role: Role
    region: str | None
    by_session: bool

    def may(self, right: Right, region: str | None = None) -> bool:
        """True when the role has `right`, and `region` is within reach."""
        reaches = region is None or self.region is None or self.region == region
        return reaches and may(self.role, right)

    def need(self, right: Right, region: str | None = None) -> None:
        """Forbidden unless `may`."""
        if not self.may(right, region):
            raise Forbidden(
                f"your account ({self.role}) may not do this"
                + (f" for {region}" if region else "")
                + "; ask an administrator for the right",
                right=str(right), role=str(self.role), region=region,
            )  # fmt: skip


IDENTITY: web.RequestKey[Identity] = web.RequestKey("identity", Identity)


class Gate:
    """Recognises sessions and tokens."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._users: dict[str, tuple[Role, str | None]] = {}
        self._users_at = float("-inf")

    async def identify(self, request: web.Request) -> Identity | None:
        """Who asks, or None. A token that is wrong is an error, never an anonymous reader."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            row = await self._records.token(token.strip())
            if row is None:
                raise NotSignedIn("the token is not known or was revoked", code="wrong_token")
            return Identity(f"token:{row.name}", Role(row.role), None, by_session=False)
        session = request[SESSION]
        name = session.get("user")
        if not isinstance(name, str):
            return None
        found = (await self._known_users()).get(name)
        if found is None:
            session.invalidate()
            return None
        return Identity(name, found[0], found[1], by_session=True)

    def forget_users(self) -> None:
        """Read the users again at the next request."""
        self._users_at = float("-inf")

    async def _known_users(self) -> dict[str, tuple[Role, str | None]]:
        now = time.monotonic()
        if now - self._users_at > USERS_FRESH_S:
            rows = await self._records.users()
            self._users = {row.name: (Role(row.role), row.region) for row in rows}
            self._users_at = now
        return self._users


def csrf_of(request: web.Request) -> str:
    """The token that forms and scripts of this session must send back."""
    session = request[SESSION]
    token = session.get("csrf")
    if not isinstance(token, str):
        token = secrets.token_urlsafe(32)
        session["csrf"] = token
    return token


def address_of(request: web.Request) -> str:
    """The address a request came from.

    Behind a proxy (`web.public_url` is set) it is what the proxy itself saw: the last address of
    X-Forwarded-For. Those before it are whatever the caller wrote.
    """
    settings = request.app[CONTEXT].configuration.service.web
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.public_url else ""
    return forwarded.rpartition(",")[2].strip() or request.remote or ""


async def check_csrf(request: web.Request) -> None:
    """FormExpired unless an unsafe request carries the session's token."""
    if request.method in SAFE_METHODS:
        return
    session = request[SESSION]
    expected = session.get("csrf")
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.content_type in (
        "application/x-www-form-urlencoded", "multipart/form-data",
    ):  # fmt: skip
        field = (await request.post()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if not isinstance(expected, str) or given is None or not compare_digest(
        expected.encode(), given.encode()
    ):  # fmt: skip
        raise FormExpired


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handler: Handler, right: Right | None) -> Handler:
    """`handler` behind its right; `right` None leaves it open to everybody."""
    if right is None:
        return handler

    async def guard(request: web.Request) -> web.StreamResponse:
        identity = await request.app[GATE].identify(request)
        if identity is None:
            raise NotSignedIn
        if identity.by_session:
            await check_csrf(request)
        identity.need(right)
        request[IDENTITY] = identity
        return await handler(request)

    return guard


def open_session(request: web.Request, name: str) -> None:
    """Begin the session of a person who signed in: everything of the old one is dropped."""
    session = request[SESSION]
    session.invalidate()
    session["user"] = name
    session["csrf"] = secrets.token_urlsafe(32)


class SignInLimit:
    """Counts failed sign-ins in memory: per address and name, and per address.

    `allowed` failures of one name from one address, four times as many of one address, within
    `window_s` seconds.
    """

    def __init__(
        self, allowed: int = 5, window_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._allowed = allowed
        self._window_s = window_s
        self._clock = clock
        self._failures: dict[tuple[str, str], list[float]] = {}

    def check(self, address: str, name: str) -> None:
        """TooManyTries, with the seconds to wait, when the limit is reached."""
        for key, limit in (((address, name), self._allowed), ((address, ""), self._allowed * 4)):
            recent = self._recent(key)
            if len(recent) >= limit:
                wait = int(recent[-limit] + self._window_s - self._clock()) + 1
                raise TooManyTries(
                    f"too many failed sign-ins; try again in {wait} seconds", seconds=wait
                )

    def failed(self, address: str, name: str) -> None:
        for key in ((address, name), (address, "")):
            self._failures[key] = [*self._recent(key), self._clock()]
        if len(self._failures) > 10_000:  # a sweep over many names must not fill the memory
            self._failures = {key: self._recent(key) for key in self._failures if self._recent(key)}

    def succeeded(self, address: str, name: str) -> None:
        self._failures.pop((address, name), None)

    def _recent(self, key: tuple[str, str]) -> list[float]:
        since = self._clock() - self._window_s
        return [at for at in self._failures.get(key, ()) if at > since]
