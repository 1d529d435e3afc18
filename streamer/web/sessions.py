"""Sessions in an encrypted cookie.

Encryption and cookie are those of aiohttp-session. Its middleware keeps the session under plain
string keys, against which aiohttp warns, so the few lines that carry it are here.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp_session import Session
from aiohttp_session.cookie_storage import EncryptedCookieStorage
from cryptography.fernet import Fernet

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

AGE_S = 14 * 3600
"""A session lasts a working day with its longest meeting."""
COOKIE = "streamer_session"
KEY_FILE = "web-session.key"
SESSION: web.RequestKey[Session] = web.RequestKey("session", Session)


def cookie_storage(home: Path, *, secure: bool) -> EncryptedCookieStorage:
    """The encrypted cookie of sessions; its key is made on first use, readable by us alone."""
    return EncryptedCookieStorage(
        Fernet(_key(home / KEY_FILE)), cookie_name=COOKIE, max_age=AGE_S, httponly=True,
        samesite="Lax", secure=secure,
    )  # fmt: skip


def _key(path: Path) -> bytes:
    """The key in `path`. Several processes may start at once: the first one's key is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # appears whole or not at all
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


def sessions_middleware(storage: EncryptedCookieStorage) -> Middleware:
    """Load the session of every request, and send it back when it was changed."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        session = await storage.load_session(request)
        before = dict(session)
        request[SESSION] = session
        try:
            response = await handler(request)
        except web.HTTPException as redirect:
            if dict(session) != before:
                await storage.save_session(request, redirect, session)
            raise
        if dict(session) != before and not response.prepared:
            await storage.save_session(request, response, session)
        return response

    return middleware
