"""A feed: one source, decoded by a child of its own, delivered to the mixer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from streamer.config.models import ProgrammeSettings, Source
from streamer.media import commands
from streamer.media.child import secret_fd
from streamer.media.leg import Leg, Outcome
from streamer.ports.link import ParticipantMedia
from streamer.programme.canvas import Canvas
from streamer.programme.feed_buffer import FeedBuffer
from streamer.programme.mixer import Mixer
from streamer.run.decoding import Decoder, Input
from streamer.run.pattern import TestPattern
from streamer.run.receiving import Receiver

POLL_S = 0.2
LAST_PICTURES_S = 1.0
"""How long a decoder may take to hand over what it still holds at the end of its input."""
SWITCH_S = 3.0
"""How long the next decoder may take until it delivers, when one replaces another."""
STILL_EVERY_S = 2.0
"""How often a participant of the link is asked for a keyframe while it is shown as stills."""


FAULT_AGAIN_S = 120.0
"""How long a decoder is not begun anew for the same source's strange times."""


class Level(StrEnum):
    """How much of a feed is decoded."""

    FULL = "full"
    STILLS = "stills"
    """Keyframes only; the sound is whole."""
    NONE = "none"
    """More feeds than the machine carries even so."""


class LinkSeat:
    """Where the media of one participant of the conference link is put."""

    def __init__(self) -> None:
        self.media: ParticipantMedia | None = None
        self.changed = asyncio.Event()

    def put(self, media: ParticipantMedia | None) -> None:
        """The participant's media from now on; None: it left."""
        self.media = media
        self.changed.set()

    async def flowing(self) -> ParticipantMedia:
        """Wait until a participant sends."""
        while True:
            self.changed.clear()
            waits = [asyncio.create_task(self.changed.wait(), name="seat")]
            if self.media is not None:
                waits.append(asyncio.create_task(self.media.flowing.wait(), name="flowing"))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
                await asyncio.gather(*waits, return_exceptions=True)
            if self.media is not None and self.media.flowing.is_set():
                self.changed.clear()
                return self.media


class Feed:
    """`attempt` is what the feed's leg runs: decoding, from the source's coming to its going.

    With a `receiver` it decodes what that one takes, with a `seat` a participant of the link; else
    it opens a file or the test pattern. `on_active` is called when the source came or went: the
    owner may then `limit` this feed and others.
    """

    def __init__(
        self,
        source: Source,
        settings: ProgrammeSettings,
        mixer: Mixer,
        binary: str,
        *,
        receiver: Receiver | None = None,
        seat: LinkSeat | None = None,
        pattern: TestPattern | None = None,
        clean: Callable[[str], str] = str,
        on_active: Callable[[], object] = lambda: None,
    ) -> None:
        self._source, self._settings, self._mixer = source, settings, mixer
        # One buffer for all connections: the mixer sees a feed that is lost and comes back.
        self._buffer = FeedBuffer(Canvas(settings.width, settings.height, settings.fps))
        self.delay_ms = 0
        self.set_delay(source.sound_delay_ms)
        self._receiver, self._seat, self._pattern = receiver, seat, pattern
        self._binary, self._clean, self._on_active = binary, clean, on_active
        self.active = False
        """Its source is there; decoding it costs something."""
        self.level, self.why = Level.FULL, ""
        self._switch = asyncio.Event()
        self._leg: Leg | None = None
        self._began = 0.0
        self._fault_at = self._asked_at = float("-inf")
        self._marked = (0, (0, 0))

    def limit(self, level: Level, why: str = "") -> None:
        """Decode so much from now on. At once; the decoder follows within two seconds."""
        changes, self.level, self.why = level is not self.level, level, why
        if changes:
            self._switch.set()
        elif self._leg is not None:
            self._leg.detail = self._detail()

    def set_delay(self, ms: int) -> None:
        """How much later its sound is heard, ms; negative: its picture is shown later."""
        self._buffer.set_delay(ms)
        self.delay_ms = ms

    async def attempt(self, leg: Leg) -> Outcome:
        """Wait for the source, deliver it to the mixer, return when it is gone."""
        self._leg, leg.target, leg.detail = leg, self._target, ""
        media: ParticipantMedia | None = None
        gone: asyncio.Event | None = None
        if self._receiver is not None:
            await self._receiver.flowing.wait()  # stopped by cancellation
            gone = self._receiver.gone
        elif self._seat is not None:
            media = await self._seat.flowing()
            gone = media.gone
        if self._pattern is not None:
            await self._pattern.prepare()
        self.active, self._began, self._marked = True, time.monotonic(), (0, (0, 0))
        self._on_active()
        try:
            return await self._serve(leg, media, gone)
        finally:
            self.active, self._leg = False, None
            self._buffer.end()
            self._on_active()

    @property
    def _target(self) -> str:
        if self._source.kind == "file":
            return str(self._source.path)
        return "test pattern" if self._source.kind == "test" else str(self._source.kind)

    async def _serve(
        self, leg: Leg, media: ParticipantMedia | None, gone: asyncio.Event | None
    ) -> Outcome:
        """Decode until the source or the decoder ends; change the decoder when that is wanted."""
        decoder: Decoder | None = None
        moved = 0
        try:
            while True:
                self._switch.clear()
                leg.detail = self._detail()
                if self.level is not Level.NONE:
                    moved += decoder.bytes if decoder else 0
                    decoder = await self._replace(leg, decoder, media)
                elif decoder is not None:
                    return Outcome(self.why)  # the next try waits for a better time
                outcome = await self._until_changed(leg, decoder, media, gone, moved)
                if outcome is not None:
                    return outcome
        finally:
            if decoder is not None:
                await decoder.stop()

    def _detail(self) -> str:
        words = [self.why] if self.level is not Level.FULL else []
        if self._pattern is not None and self._pattern.missing:
            words.append(self._pattern.missing)
        return "; ".join(word for word in words if word)

    async def _replace(
        self, leg: Leg, before: Decoder | None, media: ParticipantMedia | None
    ) -> Decoder:
        """A new decoder; the one before goes when the new one delivers, so that nothing is missed.

        Ports of the link can be bound by one decoder only: there the one before goes first.
        """
        if before is not None and media is not None:
            await before.stop()
        stills = self.level is Level.STILLS
        decoder: Decoder | None = None
        try:
            decoder = await Decoder.start(
                leg,
                lambda flags: commands.feed(self._binary, self._settings, flags, stills=stills),
                self._input(media, stills), self._buffer, stills=stills, clean=self._clean,
            )  # fmt: skip
            self._mixer.attach_feed(leg.id, self._buffer)
            if media is not None:
                media.want_keyframe()
            if before is not None and media is None:
                await decoder.delivers(SWITCH_S)
        except BaseException:  # stopped meanwhile: nobody else knows the new one
            if decoder is not None:
                await decoder.stop()
            raise
        finally:
            if before is not None:
                await before.stop()
        return decoder

    async def _until_changed(
        self,
        leg: Leg,
        decoder: Decoder | None,
        media: ParticipantMedia | None,
        gone: asyncio.Event | None,
        moved: int,
    ) -> Outcome | None:
        """None when another decoder is wanted; else how the try ended."""
        events = [self._switch, *([gone] if gone else [])]
        if self._seat is not None:
            events.append(self._seat.changed)
        waiting = {asyncio.create_task(one.wait(), name=f"{leg.id} event") for one in events}
        ended = asyncio.ensure_future(decoder.child.wait()) if decoder else None
        every = {*waiting, ended} if ended else waiting
        try:
            while True:
                await asyncio.wait(every, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
                if decoder is not None:
                    leg.moved(moved + decoder.bytes, self._mark(decoder))
                    if decoder.child.returncode is not None:
                        return Outcome(await self._cause(decoder))
                if any(event.is_set() for event in events[1:]):
                    if decoder is not None and ended is not None and media is None:
                        decoder.end_of_input()
                        await asyncio.wait({ended}, timeout=LAST_PICTURES_S)
                    return Outcome("the source is gone; the feed waits for it")
                if self._switch.is_set():
                    return None
                if decoder is not None and (fault := self._fault(decoder)):
                    return Outcome(f"{fault}; the decoder is begun anew")
                self._ask_for_stills(media)
        finally:
            for task in every:
                task.cancel()
            await asyncio.gather(*every, return_exceptions=True)

    @staticmethod
    async def _cause(decoder: Decoder) -> str:
        await decoder.child.wait()  # its last words
        return decoder.child.cause

    def _ask_for_stills(self, media: ParticipantMedia | None) -> None:
        now = time.monotonic()
        if media and self.level is Level.STILLS and now - self._asked_at > STILL_EVERY_S:
            self._asked_at = now
            media.want_keyframe()

    def _mark(self, decoder: Decoder) -> int:
        """Grows while the feed is healthy: pictures and sound come out; of stills without sound,
        which come out seldom, it is enough that something goes in."""
        goes_in = self._receiver.hub.bytes if self._receiver and self.level is Level.STILLS else 0
        now = (decoder.bytes, goes_in)
        if now != self._marked[1]:
            self._marked = (self._marked[0] + 1, now)
        return self._marked[0]

    def _fault(self, decoder: Decoder) -> str:
        """What is wrong with the source's times; told once in two minutes.

        A screen that is shared may send a picture in ten seconds, and that is no fault.
        """
        fault, now = decoder.fault(), time.monotonic()
        if not fault or now - self._fault_at < FAULT_AGAIN_S:
            return ""
        self._fault_at = now
        return fault

    def _input(self, media: ParticipantMedia | None, stills: bool) -> Input:
        if self._receiver is not None:
            return Input(commands.hub_input(), hub=self._receiver.hub)
        if media is not None:
            fd = secret_fd(media.sdp, "sdp")
            return Input(commands.sdp_input(fd), fds=(fd,))
        if self._source.kind == "file":
            played = time.monotonic() - self._began
            return Input(commands.file_input(Path(self._source.path or ""), played))
        if self._pattern is not None:
            return self._pattern.input(self._settings, stills)
        return Input(commands.pattern_input(self._settings, stills=stills))
