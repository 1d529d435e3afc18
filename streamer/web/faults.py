"""Errors of the web part, and how every error becomes an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from streamer.domain.errors import (
    Act,
    BadInput,
    NotAllowed,
    NotFound,
    StreamerError,
    Unavailable,
)

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

log = structlog.get_logger(__name__)


class NotSignedIn(StreamerError):
    """Sign in first, or send a token that is valid."""

    act = Act.SIGN_IN


class Forbidden(StreamerError):
    """Your account may not do this; ask an administrator for the right."""

    act = Act.CORRECT_SETTING


class FormExpired(StreamerError):
    """The page is too old for this; load it again and repeat what you did."""

    act = Act.SIGN_IN


class TooManyTries(StreamerError):
    """Too many failed sign-ins; wait and try again."""

    act = Act.WAIT


CONFLICTS = frozenset({"account_busy", "hall_busy", "id_taken"})
"""Codes of BadInput that stand against another meeting: 409 instead of 422."""

STATUS: tuple[tuple[type[StreamerError], int], ...] = (
    (NotSignedIn, 401),
    (Forbidden, 403),
    (FormExpired, 403),
    (TooManyTries, 429),
    (NotFound, 404),
    (NotAllowed, 409),
    (BadInput, 422),
    (Unavailable, 503),
)

HTTP_WORDS = {
    404: ("no_such_page", "there is nothing at this address", Act.CORRECT_SETTING),
    405: ("wrong_method", "this address does not know that method", Act.CORRECT_SETTING),
    413: ("too_large", "the request is larger than 64 KiB; send less", Act.CORRECT_SETTING),
}
"""What aiohttp itself refuses, in our words."""


def status_of(error: StreamerError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, BadInput) and error.code in CONFLICTS:
        return 409
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def answer(error: StreamerError, *, status: int | None = None) -> web.Response:
    """The error as JSON: `{"error": …}`; for NotAllowed also `allowed` beside it."""
    body: dict[str, Any] = {"error": error.as_dict()}
    if isinstance(error, NotAllowed):
        body["allowed"] = error.tried.get("allowed", [])
    return web.json_response(
        body, status=status or status_of(error), headers=_headers(error), dumps=_dumps
    )


def _dumps(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, default=str)


def _headers(error: StreamerError) -> dict[str, str]:
    if isinstance(error, NotSignedIn):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyTries):
        return {"Retry-After": str(error.tried.get("seconds", 60))}
    if isinstance(error, Unavailable):
        return {"Retry-After": "2"}
    return {}


def wants_page(request: web.Request) -> bool:
    """True when a person's browser asked, so that the error should be a page."""
    path = request.path
    if path.startswith(("/api/", "/media/", "/static/")) or "/files/" in path:
        return False
    return "text/html" in request.headers.get("Accept", "")


ErrorPage = Callable[[web.Request, StreamerError, int], Awaitable[web.StreamResponse]]


def errors_middleware(page: ErrorPage) -> Middleware:
    """Turn every error into an answer that says who must act; `page` makes it for browsers."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except StreamerError as error:
            found, status = error, status_of(error)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            found, status = _translated(error), error.status
        except ConnectionError:
            raise  # the browser went away: nobody is left to answer
        except Exception:
            log.exception("request_failed", method=request.method, path=request.path)
            found = StreamerError("a fault of the service; it was logged", code="our_fault")
            status = 500
        if wants_page(request):
            return await page(request, found, status)
        return answer(found, status=status)

    return middleware


def _translated(error: web.HTTPException) -> StreamerError:
    code, message, act = HTTP_WORDS.get(
        error.status,
        ("bad_request", f"the request was refused: {error.reason}", Act.CORRECT_SETTING),
    )
    found = StreamerError(message, code=code)
    found.act = act
    return found
