"""The live state in Redis: events, commands, snapshots, claims and leases.

Keys are those of docs/architecture.md. Every method raises Unavailable when Redis cannot be
reached or does not answer in time; all of them may then simply be called again later. Stream
entries that cannot be read (torn, or of a newer version) are logged and left out, never raised:
one bad entry must not stop all that come after it.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import structlog

from streamer.domain.events import Event
from streamer.domain.lifecycle import Command
from streamer.store import scripts
from streamer.store.encoding import safe, to_json
from streamer.store.redis_link import Group, RedisLink, StreamEntry, text

PREFIX = "streamer:"
EVENTS_KEPT = 100_000
"""About so many events of all meetings stay in Redis; SQL and the journals have all of them."""
SNAPSHOT_TTL_S = 24 * 3600
PREVIEW_TTL_S = 10
METERS_TTL_S = 2
WATCHED_TTL_S = 12
"""Seconds after the last look at meters or feeds for which the run goes on to show them."""
HEARTBEAT_TTL_S = 10
MEETING_TTL_S = 30 * 24 * 3600
"""Seconds after its last use that a meeting's specification and commands are kept."""
PROJECTION_IDLE_MS = 5_000
"""After so long the unfinished events of a dead projector belong to the next: a lease's length."""
SCHEDULER_LEASE = "lease:scheduler"
"""Key of the lease of the leading scheduler, as `Live.lease` takes it."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


def run_lease(meeting: str) -> str:
    """Key of the lease of a meeting's run, as `Live.lease` takes it."""
    return f"meeting:{meeting}:lease"


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """A command on its way to the run of a meeting; `id` answers in COMMAND_DONE or _REFUSED."""

    id: str
    command: Command
    args: dict[str, Any]
    by: str


class Live:
    """The one way to Redis. Safe to share within an event loop; `close` it when done."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._work = Group(link, PREFIX + "work", "workers")
        self._projection = Group(link, PREFIX + "events", "projection")
        self._scripts = scripts.Scripts(link.client)

    @staticmethod
    def from_url(url: str) -> Live:
        """Connects at the first call, not here. `unix:///path/redis.sock`, `redis://host:port/0`.

        Raises ValueError for an address that is none.
        """
        return Live(RedisLink(url))

    async def close(self) -> None:
        await self._link.close()

    async def ping(self) -> None:
        """Return when Redis answers."""
        async with self._link.guard() as redis:
            await redis.ping()

    # Events

    async def publish(self, event: Event) -> str:
        """Say an event to everybody; returns its id in the stream."""
        fields: dict[Any, Any] = {"event": safe(event.to_json())}
        async with self._link.guard() as redis:
            return text(
                await redis.xadd(self._projection.key, fields, maxlen=EVENTS_KEPT, approximate=True)
            )

    async def last_event_id(self) -> str:
        """Id to begin `events` from: after all that was said so far; `0-0` when nothing was."""
        async with self._link.guard() as redis:
            rows = await redis.xrevrange(self._projection.key, count=1)
        return text(rows[0][0]) if rows else "0-0"

    async def events(
        self, after: str = "$", block_ms: int = 1000, count: int = 500
    ) -> list[tuple[str, Event]]:
        """Events after the id `after`, waiting up to `block_ms` for the first.

        `$` means from now on, and therefore misses what is said between two calls: who reads
        again and again begins with `last_event_id()` and goes on with the last id he got.
        """
        return await self._read(self._projection.key, after, block_ms, count, _event)

    async def read_projection(
        self, consumer: str, block_ms: int, min_idle_ms: int = PROJECTION_IDLE_MS
    ) -> list[tuple[str, Event]]:
        """The next events to apply to SQL, each again and again until `ack_projection`.

        First what this consumer did not finish, then what a consumer that has been silent for
        `min_idle_ms` left behind, then new ones. Unreadable entries are finished here.
        """
        rows = await self._projection.mine(consumer, 500)
        rows = rows or await self._projection.take_over(consumer, min_idle_ms, 500)
        rows = rows or await self._projection.new(consumer, block_ms, 500)
        good = _readable(rows, _event)
        kept = {id_ for id_, _ in good}
        await self._projection.finish(*(id_ for id_, _ in rows if id_ not in kept))
        return good

    async def ack_projection(self, ids: Iterable[str]) -> None:
        """These events are in SQL."""
        await self._projection.finish(*ids)

    # Commands

    async def send(self, meeting: str, command: Command, args: dict[str, Any], by: str) -> str:
        """Send a command to the run of `meeting`; returns the id under which it is answered."""
        key, id_ = _meeting(meeting, "commands"), uuid.uuid4().hex
        fields: dict[Any, Any] = {
            "id": id_, "command": str(command), "args": to_json(args), "by": by,
        }  # fmt: skip
        async with self._link.guard() as redis:
            pipe = redis.pipeline(transaction=True)
            pipe.xadd(key, fields)
            pipe.expire(key, MEETING_TTL_S)
            await pipe.execute()
        return id_

    async def commands(
        self, meeting: str, after: str = "0", block_ms: int = 1000
    ) -> list[tuple[str, CommandMessage]]:
        """Commands after the stream id `after`, waiting up to `block_ms` for the first."""
        return await self._read(_meeting(meeting, "commands"), after, block_ms, 100, _command)

    # What a run shows

    async def put_snapshot(self, meeting: str, snapshot: dict[str, Any]) -> None:
        await self._set(_meeting(meeting, "live"), to_json(snapshot), SNAPSHOT_TTL_S)

    async def snapshot(self, meeting: str) -> dict[str, Any] | None:
        """The last snapshot of the meeting, None when there is none."""
        return _object(await self._get(_meeting(meeting, "live")))

    async def snapshots(self) -> list[dict[str, Any]]:
        """The snapshots of all meetings of the last 24 hours, by meeting."""
        return await self._all("meeting:*:live")

    async def put_preview(self, meeting: str, jpeg: bytes, feed: str = "") -> None:
        await self._set(_preview(meeting, feed), jpeg, PREVIEW_TTL_S)

    async def preview(self, meeting: str, feed: str = "") -> bytes | None:
        """JPEG of the programme, or of the feed with this id; at most 10 s old."""
        return await self._get(_preview(meeting, feed))

    async def put_meters(self, meeting: str, meters: dict[str, Any]) -> None:
        await self._set(_meeting(meeting, "meters"), to_json(meters), METERS_TTL_S)

    async def meters(self, meetings: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The meters of those of `meetings` that have shown them in the last 2 s."""
        if not meetings:
            return {}
        keys = [_meeting(meeting, "meters") for meeting in meetings]
        async with self._link.guard() as redis:
            raws = cast(list[bytes | None], await redis.mget(keys))
        found = {meeting: _object(raw) for meeting, raw in zip(meetings, raws, strict=True)}
        return {meeting: value for meeting, value in found.items() if value is not None}

    async def say_watched(self, meeting: str) -> None:
        """Somebody looks at the meters or the feeds of this meeting; to be said again every few
        seconds. While nobody does, its run spares the work."""
        await self._set(_meeting(meeting, "watched"), "1", WATCHED_TTL_S)

    async def watched(self, meeting: str) -> bool:
        """Whether somebody looked at its meters or feeds in the last seconds."""
        return await self._get(_meeting(meeting, "watched")) is not None

    # What a run is given

    async def put_spec(self, meeting: str, spec: str) -> None:
        """Give the frozen configuration to the run."""
        await self._set(_meeting(meeting, "spec"), safe(spec), MEETING_TTL_S)

    async def spec(self, meeting: str) -> str | None:
        raw = await self._get(_meeting(meeting, "spec"))
        return None if raw is None else text(raw)

    # Work

    async def offer_work(self, meeting: str) -> None:
        """Ask for a run of `meeting`. Offering what is offered or taken already does nothing."""
        async with self._link.guard():
            await self._scripts.offer(self._work.key, meeting)

    async def take_work(
        self, worker: str, block_ms: int, min_idle_ms: int
    ) -> tuple[str, str] | None:
        """Claim a meeting: (message id, meeting), or None after `block_ms` milliseconds.

        One whose worker has not touched it for `min_idle_ms` comes before a new one.
        """
        rows = await self._work.take_over(worker, min_idle_ms, 1)
        rows = rows or await self._work.new(worker, block_ms, 1)
        for id_, fields in rows:
            if meeting := fields.get("meeting"):
                return id_, meeting
            log.warning("redis_entry_unreadable", key=self._work.key, id=id_)
            await self._work.finish(id_, delete=True)
        return None

    async def touch_work(self, worker: str, message_id: str) -> bool:
        """This worker still has it. False when another has taken it over (or it is finished)."""
        async with self._link.guard():
            return await self._scripts.touch(self._work.key, self._work.name, message_id, worker)

    async def finish_work(self, message_id: str) -> None:
        """The meeting needs no run any more."""
        await self._work.finish(message_id, delete=True)

    # Leases and workers

    async def lease(self, key: str, owner: str, ttl_ms: int) -> bool:
        """Acquire or renew the lease `key` (`run_lease(meeting)`, `SCHEDULER_LEASE`)."""
        async with self._link.guard():
            return await self._scripts.lease(PREFIX + key, owner, ttl_ms)

    async def release(self, key: str, owner: str) -> bool:
        """Give the lease back; False when it was not this owner's."""
        async with self._link.guard():
            return await self._scripts.release(PREFIX + key, owner)

    async def lease_owner(self, key: str) -> str | None:
        raw = await self._get(PREFIX + key)
        return None if raw is None else text(raw)

    async def heartbeat(self, worker: str, info: dict[str, Any]) -> None:
        """Say that the worker lives; `workers` shows `info` with its id and the time (POSIX)."""
        shown = {**info, "worker": worker, "at": round(time.time(), 3)}
        await self._set(f"{PREFIX}worker:{worker}", to_json(shown), HEARTBEAT_TTL_S)

    async def workers(self) -> list[dict[str, Any]]:
        """The workers that lived in the last 10 s, by id."""
        return await self._all("worker:*")

    # Inner

    async def _set(self, key: str, value: str | bytes, ttl_s: int) -> None:
        async with self._link.guard() as redis:
            await redis.set(key, value, ex=ttl_s)

    async def _get(self, key: str) -> bytes | None:
        async with self._link.guard() as redis:
            return cast(bytes | None, await redis.get(key))

    async def _all(self, pattern: str) -> list[dict[str, Any]]:
        """The objects under all keys of `pattern`, in the order of their keys."""
        async with self._link.guard() as redis:
            keys = sorted([k async for k in redis.scan_iter(PREFIX + pattern, count=1000)])
            raws = cast(list[bytes | None], await redis.mget(keys) if keys else [])
        return [found for raw in raws if (found := _object(raw)) is not None]

    async def _read(
        self, key: str, after: str, block_ms: int, count: int, parse: Callable[[dict[str, str]], T]
    ) -> list[tuple[str, T]]:
        """Read until something readable came or the time is up.

        An answer of nothing but unreadable entries is read past here: given back as an empty list
        it would leave the caller at the same id for ever.
        """
        until = asyncio.get_running_loop().time() + max(block_ms, 0) / 1000
        while True:
            left_ms = round((until - asyncio.get_running_loop().time()) * 1000)
            rows = await self._link.read(key, after, left_ms, count)
            good = _readable(rows, parse)
            if good or not rows:
                return good
            after = rows[-1][0]


def _meeting(meeting: str, what: str) -> str:
    return f"{PREFIX}meeting:{meeting}:{what}"


def _preview(meeting: str, feed: str) -> str:
    return _meeting(meeting, f"preview:{feed}" if feed else "preview")


def _event(fields: dict[str, str]) -> Event:
    return Event.from_json(fields["event"])


def _command(fields: dict[str, str]) -> CommandMessage:
    args = json.loads(fields["args"])
    if not isinstance(args, dict):
        raise TypeError("the arguments of a command are an object")
    return CommandMessage(fields["id"], Command(fields["command"]), args, fields["by"])


def _readable(
    rows: list[StreamEntry], parse: Callable[[dict[str, str]], T]
) -> list[tuple[str, T]]:  # fmt: skip
    good = []
    for id_, fields in rows:
        try:
            good.append((id_, parse(fields)))
        except (KeyError, ValueError, TypeError) as error:
            log.warning("redis_entry_unreadable", id=id_, error=f"{type(error).__name__}: {error}")
    return good


def _object(raw: bytes | None) -> dict[str, Any] | None:
    """The JSON object in `raw`; None for nothing, and for what is no object."""
    if raw is None:
        return None
    try:
        value = json.loads(raw)
    except ValueError as error:
        log.warning("redis_value_unreadable", error=str(error))
        return None
    return value if isinstance(value, dict) else None
