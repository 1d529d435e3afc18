"""One connection pool to Redis, with a deadline on every call and our own error for every fault."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from redis import exceptions as faults
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streamer.domain.errors import Act, Unavailable

CALL_S = 2.0
"""Seconds one call may take, connecting included; a blocking read gets this on top."""
MAX_CONNECTIONS = 1000
"""Every blocking read holds a connection of its own; the pages' event streams are the many."""
# Answers of a Redis that lives but cannot serve just now: memory or disk full, a replica after a
# failover. They pass, or somebody is already being called for them. The library has classes for
# some; the others are known by a word, at the beginning or after what a pipeline ("caused error:")
# or the scripts of Redis 6 (" -") put before it.
_PASSING = (
    faults.OutOfMemoryError, faults.ReadOnlyError, faults.ClusterDownError,
    faults.MasterDownError, faults.TryAgainError,
)  # fmt: skip
_REFUSED = (faults.AuthenticationError, faults.AuthorizationError)
_PASSING_TEXT = re.compile(r"(?:^|caused error: | -)(?:MISCONF|OOM|READONLY|NOREPLICAS|LOADING)\b")

StreamEntry = tuple[str, dict[str, str]]
"""Id of a stream's entry and its fields."""

log = structlog.get_logger(__name__)


class RedisRefused(Unavailable):
    """Redis does not let us in; correct the user or the password in REDIS_URL."""

    act = Act.CORRECT_SETTING


class RedisLink:
    """The client, and the guard around every use of it.

    Deadlines are kept by `asyncio.timeout`, not by the client's socket timeout: one pool can then
    serve short calls and blocking reads. A call that is cut off closes its connection, so a late
    answer never reaches the next call. The client itself never retries: a repeated XADD would say
    the same thing twice, and whoever called knows better when to try again.
    """

    def __init__(self, url: str) -> None:
        self.client: Redis = Redis.from_url(
            url, retry=Retry(NoBackoff(), 0), max_connections=MAX_CONNECTIONS,
            socket_timeout=None, socket_connect_timeout=CALL_S,
        )  # fmt: skip

    async def close(self) -> None:
        await self.client.aclose()

    @asynccontextmanager
    async def guard(self, seconds: float = CALL_S) -> AsyncIterator[Redis]:
        """The client for a call of at most `seconds`; Unavailable (RedisRefused) when it fails."""
        try:
            async with asyncio.timeout(seconds):
                yield self.client
        except (faults.ConnectionError, faults.TimeoutError, OSError) as error:
            # The TimeoutError of asyncio is an OSError. A refused password comes as itself or, at
            # the first call of a connection, as the cause of a ConnectionError.
            if isinstance(error, _REFUSED) or isinstance(error.__cause__, _REFUSED):
                raise RedisRefused(error=str(error)) from error
            raise _unavailable(error) from error
        except faults.NoPermissionError as error:
            raise RedisRefused(error=str(error)) from error
        except faults.ResponseError as error:
            if isinstance(error, _PASSING) or _PASSING_TEXT.search(str(error)):
                raise _unavailable(error) from error
            raise
        except faults.RedisError as error:  # an answer that is none: the connection is no good
            raise _unavailable(error) from error

    async def read(
        self, key: str, after: str, block_ms: int, count: int
    ) -> list[StreamEntry]:  # fmt: skip
        """Entries of the stream `key` after the id `after`, waiting up to `block_ms` for one."""
        async with self.guard(CALL_S + max(block_ms, 0) / 1000) as redis:
            answer = await redis.xread({key: after}, count=count, block=_block(block_ms))
        return entries(answer)


def _unavailable(error: BaseException) -> Unavailable:
    # str() of the library's errors names host and port or the socket's path, never the password.
    return Unavailable(
        "Redis cannot be reached just now; it is tried again",
        code="redis_unavailable", error=str(error) or type(error).__name__,
    )  # fmt: skip


def _block(block_ms: int) -> int | None:
    """Milliseconds for BLOCK; None for no wait at all, because 0 would mean for ever."""
    return block_ms if block_ms > 0 else None


def text(value: object) -> str:
    """A value of Redis as text; bytes that are not UTF-8 are marked, never an error."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def entries(answer: Any) -> list[StreamEntry]:
    """The entries in the answer of a read of one stream."""
    return [e for _, rows in answer or [] for e in entry_rows(rows)]


def entry_rows(rows: Any) -> list[StreamEntry]:
    """Entries as text. One that was deleted while pending has no fields."""
    return [
        (text(id_), {text(k): text(v) for k, v in (fields or {}).items()})
        for id_, fields in rows
        if id_ is not None
    ]


class Group:
    """A consumer group on one stream: every entry is delivered until somebody finishes it."""

    def __init__(self, link: RedisLink, key: str, name: str) -> None:
        self._link = link
        self.key = key
        self.name = name

    async def create(self) -> None:
        """Create stream and group, from the very first entry on; nothing when there already."""
        async with self._link.guard() as redis:
            try:
                await redis.xgroup_create(self.key, self.name, id="0", mkstream=True)
            except faults.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def mine(self, consumer: str, count: int) -> list[StreamEntry]:
        """What was delivered to `consumer` before and not finished."""
        return await self._read(consumer, "0", 0, count)

    async def new(self, consumer: str, block_ms: int, count: int) -> list[StreamEntry]:
        """What nobody got yet, waiting up to `block_ms` for it."""
        return await self._read(consumer, ">", block_ms, count)

    async def take_over(
        self, consumer: str, min_idle_ms: int, count: int
    ) -> list[StreamEntry]:  # fmt: skip
        """Unfinished entries that nobody has touched for `min_idle_ms`; they are ours from now."""
        cursor, found = "0-0", list[StreamEntry]()
        while True:
            async with self._link.guard() as redis:
                answer = await self._with_group(
                    lambda at=cursor: redis.xautoclaim(
                        self.key, self.name, consumer, min_idle_ms, at, count=count
                    )
                )
            cursor = text(answer[0])
            found += entry_rows(answer[1])
            # One call looks at ten times `count` entries, so an empty answer is not yet the end.
            if cursor == "0-0" or len(found) >= count:
                return found

    async def finish(self, *ids: str, delete: bool = False) -> None:
        """Done with these; with `delete` they also leave the stream."""
        if not ids:
            return
        async with self._link.guard() as redis:
            pipe = redis.pipeline(transaction=True)
            pipe.xack(self.key, self.name, *ids)
            if delete:
                pipe.xdel(self.key, *ids)
            await pipe.execute()

    async def _read(
        self, consumer: str, after: str, block_ms: int, count: int
    ) -> list[StreamEntry]:  # fmt: skip
        async with self._link.guard(CALL_S + max(block_ms, 0) / 1000) as redis:
            answer = await self._with_group(
                lambda: redis.xreadgroup(
                    self.name, consumer, {self.key: after}, count=count, block=_block(block_ms)
                )
            )
        return entries(answer)

    async def _with_group(self, call: Any) -> Any:
        """Make the call; when the group is not there (first use, emptied Redis) create it first."""
        try:
            return await call()
        except faults.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
        await self.create()
        return await call()
