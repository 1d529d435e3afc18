"""The web application: wired here, once, and holding nothing."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from streamer.web import i18n, media, pages, public
from streamer.web.auth import Gate
from streamer.web.context import CONTEXT, FAN, GATE, LANGUAGES, READER, SCRUBBER, WebContext
from streamer.web.endpoints import register
from streamer.web.fan import Fan
from streamer.web.faults import errors_middleware
from streamer.web.meetings import MeetingReader
from streamer.web.render import FRAMED, PAGES, Pages, error_page
from streamer.web.routes import API
from streamer.web.scrub import Scrubber
from streamer.web.sessions import cookie_storage, sessions_middleware

log = structlog.get_logger(__name__)

STATIC = Path(__file__).parent / "static"
BODY_BYTES = 64 * 1024
"""Largest request body: the longest plan is far below."""
SHUTDOWN_S = 5.0
"""Seconds that open requests have to finish when the service stops."""

# blob: is where scripts put what they fetched: the preview, and the media source of the player.
POLICY = "; ".join((
    "default-src 'self'", "img-src 'self' blob:", "media-src 'self' blob:",
    "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
))  # fmt: skip
FRAMED_POLICY = POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(context: WebContext) -> web.Application:
    """The application for `context`, which the caller closes after the application is cleaned up.

    Reads the key of the session cookie from `context.home`, and makes it on first use.
    """
    settings = context.configuration.service.web
    secure = bool(settings.public_url and settings.public_url.startswith("https:"))
    app = web.Application(
        client_max_size=BODY_BYTES,
        middlewares=[
            _headers_middleware(secure),
            sessions_middleware(cookie_storage(context.home, secure=secure)),
            i18n.language_middleware,
            errors_middleware(error_page),
        ],
    )
    languages = i18n.Languages()
    scrubber = Scrubber(context.configuration, context.secrets)
    reader = MeetingReader(context.records, context.live, context.configuration, scrubber)
    app[CONTEXT] = context
    app[LANGUAGES] = languages
    app[PAGES] = Pages(languages)
    app[SCRUBBER] = scrubber
    app[READER] = reader
    app[GATE] = Gate(context.records)
    app[FAN] = Fan(context.live, reader)
    media.setup(app)
    register(app, API)
    pages.setup(app)
    public.setup(app)
    mimetypes.add_type("text/javascript", ".mjs")
    app.router.add_static("/static/", STATIC)
    app.cleanup_ctx.append(_fan_of_events)
    app.on_shutdown.append(_end_event_streams)
    return app


async def serve(
    context: WebContext, *, host: str, port: int, stop: asyncio.Event,
    ready: Callable[[str], None] | None = None,
) -> None:  # fmt: skip
    """Serve pages and API until `stop` is set.

    `ready` is called with the address once connections are accepted (`port` 0: any free one).
    Raises OSError when the address is taken, and what broke the reader of events.
    """
    app = create_app(context)
    runner = web.AppRunner(app, access_log_class=AccessLog, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
        if ready is not None:
            ready(_address(runner))
        stopped = asyncio.create_task(stop.wait(), name="web:stop")
        try:
            fan = app[FAN_TASK]
            await asyncio.wait((stopped, fan), return_when=asyncio.FIRST_COMPLETED)
            if not stopped.done():
                await fan  # a reader that died stops the service, loudly
        finally:
            stopped.cancel()
            await asyncio.gather(stopped, return_exceptions=True)
    finally:
        await runner.cleanup()


FAN_TASK = web.AppKey("fan_task", asyncio.Task[None])


async def _fan_of_events(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[FAN].run(), name="web:fan")
    app[FAN_TASK] = task
    yield
    app[FAN].stop()
    task.cancel()  # it only reads
    try:
        async with asyncio.timeout(SHUTDOWN_S):
            await asyncio.gather(task, return_exceptions=True)
    except TimeoutError:
        log.warning("fan_did_not_stop")


async def _end_event_streams(app: web.Application) -> None:
    app[FAN].stop()


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _headers_middleware(secure: bool) -> Callable[..., Awaitable[web.StreamResponse]]:
    headers = dict(HEADERS)
    if secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"

    # A player in another site's frame: no page of ours can be clicked through it, since it has
    # nothing that needs a right, and no cookie of ours reaches it there.
    framed = {**headers, "Content-Security-Policy": FRAMED_POLICY}
    del framed["X-Frame-Options"]

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:  # redirects are raised
            error.headers.update(headers)
            raise
        if not response.prepared:
            wanted = framed if request.get(FRAMED) else headers
            for name, value in wanted.items():
                response.headers.setdefault(name, value)
            if request.path.startswith("/static/"):
                response.headers.setdefault("Cache-Control", "no-cache")
        return response

    return middleware


class AccessLog(AbstractAccessLogger):
    """One line per request, without query string and without anything of the headers."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        log.info(
            "request", method=request.method, path=request.path, status=response.status,
            bytes=response.body_length, seconds=round(time, 3), remote=request.remote,
        )  # fmt: skip
