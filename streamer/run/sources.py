"""A feed: one source, decoded by a child of its own, delivered to the mixer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from streamer.config.models import ProgrammeSettings, Source
from streamer.media import commands
from streamer.media.child import Child
from streamer.media.hub import Subscription
from streamer.media.leg import Leg, Outcome
from streamer.media.pipes import RAW_PIPE_BYTES, close, pipe
from streamer.programme.canvas import Canvas
from streamer.programme.feed import FeedReader
from streamer.programme.feed_buffer import FeedBuffer
from streamer.programme.mixer import Mixer
from streamer.run.receiving import Receiver

POLL_S = 0.2
LAST_PICTURES_S = 1.0
"""How long a decoder may take to hand over what it still holds at the end of its input."""


class Feed:
    """`attempt` is what the feed's leg runs: one decoder, from its start to its end.

    With a `receiver` it decodes what that one takes; else it opens a file or the test pattern.
    """

    def __init__(
        self,
        source: Source,
        settings: ProgrammeSettings,
        mixer: Mixer,
        binary: str,
        *,
        receiver: Receiver | None = None,
        clean: Callable[[str], str] = str,
    ) -> None:
        self._source, self._settings, self._mixer = source, settings, mixer
        # One buffer for all connections: the mixer sees a feed that is lost and comes back.
        self._buffer = FeedBuffer(Canvas(settings.width, settings.height, settings.fps))
        self._receiver, self._binary, self._clean = receiver, binary, clean

    async def attempt(self, leg: Leg) -> Outcome:
        """Wait for the source, deliver it to the mixer, return when it is gone."""
        if self._receiver is None:
            return await self._decode(leg, self._input(leg), None)
        leg.target = f"{self._source.kind}"
        await self._receiver.flowing.wait()  # stopped by cancellation
        return await self._decode(leg, commands.hub_input(), self._receiver)

    async def _decode(self, leg: Leg, flags: list[str], receiver: Receiver | None) -> Outcome:
        in_r = in_w = out_r = out_w = -1
        child = reader = subscription = None
        try:
            if receiver:
                in_r, in_w = pipe()
            out_r, out_w = pipe(RAW_PIPE_BYTES)
            child = await Child.start(
                leg.id, commands.feed(self._binary, self._settings, flags),
                stdin=in_r if receiver else None, stdout=out_w, clean=self._clean,
            )  # fmt: skip
            leg.pid = child.pid
            close(*(fd for fd in (in_r, out_w) if fd >= 0))
            in_r = out_w = -1
            if receiver:
                subscription, in_w = receiver.hub.subscribe(leg.id, in_w), -1
            reader = FeedReader(out_r, self._buffer, name=leg.id)
            out_r = -1
            self._mixer.attach_feed(leg.id, self._buffer)
            reader.start()
            return await self._deliver(leg, child, reader, receiver, subscription)
        finally:
            if receiver and subscription:
                receiver.hub.unsubscribe(subscription)
            close(*(fd for fd in (in_r, in_w, out_r, out_w) if fd >= 0))
            if child is not None:
                await child.stop()  # the end of its pipe ends the reader
            if reader is not None:
                await asyncio.to_thread(reader.stop, 3.0)

    async def _deliver(
        self,
        leg: Leg,
        child: Child,
        reader: FeedReader,
        receiver: Receiver | None,
        subscription: Subscription | None,
    ) -> Outcome:
        """Until the decoder ends, or its source does: then it gets the end of its input."""
        ended = asyncio.ensure_future(child.wait())
        gone = asyncio.ensure_future(receiver.gone.wait()) if receiver else None
        waiting = {ended, gone} if gone else {ended}
        try:
            while not ended.done() and not (gone and gone.done()):
                leg.moved(reader.bytes)
                await asyncio.wait(waiting, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
            if receiver and subscription and gone and gone.done():
                receiver.hub.unsubscribe(subscription)
                await asyncio.wait({ended}, timeout=LAST_PICTURES_S)
                return Outcome("the source is gone; the feed waits for it")
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return Outcome(child.cause)

    def _input(self, leg: Leg) -> list[str]:
        if self._source.kind == "file":
            leg.target = str(self._source.path)
            return commands.file_input(Path(self._source.path or ""))
        leg.target = "test pattern"
        return commands.test_input(self._settings)
