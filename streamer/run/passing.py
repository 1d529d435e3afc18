"""The legs of `pass` mode: the hall's receiver into the splicer, the splicer into the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streamer.domain.errors import Act
from streamer.media.hub import Hub
from streamer.media.leg import Leg, Outcome
from streamer.media.slates import Parameters
from streamer.programme.passing import Passing
from streamer.run.receiving import Receiver

POLL_S = 0.5
ADVICE = "pass mode copies H.264 and AAC; set the encoder, or choose mode: mix"


class PassFeed:
    """`attempt` is what the feed's leg runs: one connection of the hall's source."""

    def __init__(self, receiver: Receiver, passing: Passing) -> None:
        self._receiver, self._passing = receiver, passing
        self._told = ""
        """The fault that was told; again only after a connection that could be copied."""

    async def attempt(self, leg: Leg) -> Outcome:
        """Wait for the source, hand it to the splicer, return when it is gone or no use."""
        receiver, passing = self._receiver, self._passing
        leg.target = f"{receiver.source.kind}"
        await receiver.flowing.wait()  # stopped by cancellation
        passing.connected()
        before = passing.units
        note = receiver.hub.attach(leg.id, lambda data, _: passing.take_bytes(data))
        gone = asyncio.ensure_future(receiver.gone.wait())
        try:
            while not gone.done():
                await asyncio.wait({gone}, timeout=POLL_S)
                if (fault := passing.fault) and fault != self._told:
                    self._told = fault
                    return Outcome(f"{fault}: {ADVICE}", Act.CORRECT_SETTING, retry=True)
                if passing.units > before:
                    self._told = ""
                    leg.moved(passing.units - before)
            return Outcome("the source is gone; the feed waits for it")
        finally:
            receiver.hub.unsubscribe(note)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)


class Splicing:
    """`attempt` is what the encoder's leg runs in `pass` mode: the splicer's bytes to the hub.

    `on_new_headers` is called where what follows cannot be described by the headers of what was
    before: a file that has its headers at the beginning ends there.
    """

    def __init__(self, passing: Passing, hub: Hub, on_new_headers: Callable[[], None]) -> None:
        self._passing, self._hub, self._on_new_headers = passing, hub, on_new_headers

    async def attempt(self, leg: Leg) -> Outcome:
        """Hand on until it is stopped; ends by cancellation only."""
        await self._passing.ready.wait()  # the leg's own deadline
        leg.target = "splicer"
        before = self._hub.bytes
        self._hub.splice()

        def take(data: bytes) -> None:
            self._hub.feed(data)
            leg.moved(self._hub.bytes - before)

        self._passing.attach(take, self._changed)
        try:
            await asyncio.Event().wait()
        finally:
            self._passing.detach()
        raise AssertionError("not reached")

    def _changed(self, before: Parameters | None, after: Parameters) -> None:
        # Nobody may begin with the group before: its headers are others.
        self._hub.splice()
        if before is not None:
            self._on_new_headers()
