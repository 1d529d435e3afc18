"""One decoder of a feed: the child, the pipe of its input, the reader of its output."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from streamer.media.child import Child
from streamer.media.hub import Hub, Subscription
from streamer.media.leg import Leg
from streamer.media.pipes import RAW_PIPE_BYTES, close, pipe
from streamer.programme.feed import FeedReader
from streamer.programme.feed_buffer import FeedBuffer

READER_S = 3.0


@dataclass(frozen=True, slots=True)
class Input:
    """What a decoder reads: flags, descriptors that its child inherits (and are then closed here),
    the hub that feeds its stdin, and what its environment has besides ours."""

    flags: list[str]
    fds: tuple[int, ...] = ()
    hub: Hub | None = None
    environment: dict[str, str] | None = None


class Decoder:
    """Create it with `start`; whoever did must `stop` it."""

    def __init__(
        self, child: Child, reader: FeedReader, hub: Hub | None, subscription: Subscription | None
    ) -> None:
        self.child = child
        self._reader, self._hub, self._subscription = reader, hub, subscription

    @classmethod
    async def start(
        cls, leg: Leg, argv_of: Callable[[list[str]], list[str]], source: Input,
        buffer: FeedBuffer, *, stills: bool, clean: Callable[[str], str],
    ) -> Decoder:  # fmt: skip
        """Start a child with `argv_of(flags)` that delivers into `buffer`."""
        in_r = in_w = out_r = out_w = -1
        child: Child | None = None
        try:
            if source.hub is not None:
                in_r, in_w = pipe()
            out_r, out_w = pipe(RAW_PIPE_BYTES)
            child = await Child.start(
                leg.id, argv_of(source.flags), stdin=in_r if source.hub else None, stdout=out_w,
                pass_fds=source.fds, environment=source.environment, clean=clean,
            )  # fmt: skip
            subscription = None
            if source.hub is not None:
                subscription, in_w = source.hub.subscribe(leg.id, in_w), -1
            reader, out_r = FeedReader(out_r, buffer, name=leg.id, stills=stills), -1
            reader.start()
            leg.pid = child.pid
            return cls(child, reader, source.hub, subscription)
        except BaseException:
            if child is not None:
                await child.kill()
            raise
        finally:
            close(*(fd for fd in (in_r, in_w, out_r, out_w, *source.fds) if fd >= 0))

    @property
    def bytes(self) -> int:
        """Bytes delivered so far."""
        return self._reader.bytes

    def fault(self) -> str:
        """What is wrong with the times of what it delivers; empty: nothing."""
        return self._reader.fault()

    async def delivers(self, seconds: float) -> bool:
        """Wait for its first bytes; False when none came in time or it ended."""
        try:
            async with asyncio.timeout(seconds):
                while not self._reader.delivered:
                    if self.child.returncode is not None:
                        return False
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        return True

    def end_of_input(self) -> None:
        """Let it hand over what it still holds."""
        if self._hub is not None and self._subscription is not None:
            self._hub.unsubscribe(self._subscription)

    async def stop(self) -> None:
        """End child and reader. Safe to call twice."""
        self.end_of_input()
        await self.child.stop()  # the end of its pipe ends the reader
        await asyncio.to_thread(self._reader.stop, READER_S)
