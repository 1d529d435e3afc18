"""Whether the service works, for people and machines who run it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable

from aiohttp import web

from streamer.domain.errors import StreamerError
from streamer.domain.meeting import MeetingState
from streamer.web import models, openapi
from streamer.web.context import CONTEXT, FAN
from streamer.web.endpoints import Endpoint

PROBE_S = 2.0
COUNTED = 5000
"""Meetings that are counted at most; a year of the country has about 2,600."""


async def healthz(request: web.Request) -> web.Response:
    """The process lives and its event loop turns."""
    return web.json_response({"ok": True, "parts": {}})


async def readyz(request: web.Request) -> web.Response:
    """Redis and SQL answer within two seconds; 503 says which does not."""
    context = request.app[CONTEXT]
    faults = await asyncio.gather(
        _fault(context.live.ping()), _fault(context.records.meetings(limit=1))
    )
    parts = dict(zip(("redis", "sql"), faults, strict=True))
    ok = not any(faults)
    return web.json_response({"ok": ok, "parts": parts}, status=200 if ok else 503)


async def _fault(probe: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(PROBE_S):
            await probe
    except StreamerError as error:
        return error.code
    except TimeoutError:
        return "no_answer"
    return ""


async def metrics(request: web.Request) -> web.Response:
    """Figures in the text format of Prometheus."""
    context = request.app[CONTEXT]
    states: Counter[str] = Counter({str(state): 0 for state in MeetingState})
    legs: Counter[tuple[str, str]] = Counter()
    workers: int | None = None
    up = {"sql": 1, "redis": 1}
    try:
        async with asyncio.timeout(PROBE_S):
            rows = await context.records.meetings(limit=COUNTED)
        states.update(str(meeting.state) for meeting in rows)
    except (StreamerError, TimeoutError):
        up["sql"] = 0
    try:
        async with asyncio.timeout(PROBE_S):
            for snapshot in await context.live.snapshots():
                if _running(snapshot.get("state")):
                    legs.update(
                        (str(leg.get("kind")), str(leg.get("health")))
                        for leg in snapshot.get("legs", ())
                    )
            workers = len(await context.live.workers())
    except (StreamerError, TimeoutError):
        up["redis"] = 0
    text = _text(states, legs, workers, up, request.app[FAN].watching)
    return web.Response(
        body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )


def _running(state: object) -> bool:
    return state in {str(one) for one in MeetingState if one.running}


def _text(
    states: Counter[str], legs: Counter[tuple[str, str]], workers: int | None,
    up: dict[str, int], watching: int,
) -> str:  # fmt: skip
    lines = _metric("streamer_up", "1 when the part of the service answers")
    lines += [f'streamer_up{{part="{part}"}} {value}' for part, value in up.items()]
    if up["sql"]:
        lines += _metric("streamer_meetings", "Meetings by state")
        lines += [f'streamer_meetings{{state="{s}"}} {count}' for s, count in states.items()]
    if up["redis"]:
        lines += _metric("streamer_legs", "Legs of running meetings by kind and health")
        lines += [
            f'streamer_legs{{kind="{_label(kind)}",health="{_label(health)}"}} {count}'
            for (kind, health), count in sorted(legs.items())
        ]
        lines += _metric("streamer_workers", "Workers that lived in the last 10 seconds")
        lines += [f"streamer_workers {workers}"]
    lines += _metric("streamer_event_streams", "Open event streams of this process")
    lines += [f"streamer_event_streams {watching}"]
    lines += _metric("streamer_time_seconds", "Clock of this process")
    lines += [f"streamer_time_seconds {time.time():.3f}"]
    return "\n".join(lines) + "\n"


def _metric(name: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge"]


def _label(value: str) -> str:
    return "".join(c for c in value if c.isalnum() or c in "_-:")


async def describe(request: web.Request) -> web.Response:
    """The description of this API."""
    from streamer.web.routes import API

    server = request.app[CONTEXT].configuration.service.web.public_url
    return web.json_response(openapi.describe(API, server))


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/healthz", healthz, "The process lives", None, models.Health, tag="operation"),
    Endpoint(
        "GET", "/readyz", readyz, "Redis and SQL answer", None, models.Health, errors=(503,),
        tag="operation",
    ),
    Endpoint(
        "GET", "/metrics", metrics, "Figures for Prometheus", None, media="text/plain",
        tag="operation",
    ),
    Endpoint(
        "GET", "/api/openapi.json", describe, "This description", None, tag="operation",
    ),
)  # fmt: skip
