"""A feed: one source, decoded by a child of its own, delivered to the mixer."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from pathlib import Path

from streamer.config.models import ProgrammeSettings, Source
from streamer.domain.errors import Act
from streamer.media import commands
from streamer.media.child import Child, secret_fd
from streamer.media.ingest import RtmpIngest
from streamer.media.leg import Leg, Outcome
from streamer.media.pipes import RAW_PIPE_BYTES, close, pipe
from streamer.programme.canvas import Canvas
from streamer.programme.feed import FeedReader
from streamer.programme.feed_buffer import FeedBuffer
from streamer.programme.mixer import Mixer
from streamer.run.secrets import Secrets

POLL_S = 0.2
TAKEN = re.compile(r"Address already in use|bind.*(failed|error)|BINDERROR|Resource.*busy", re.I)
SILENT = re.compile(r"Connection timed out|Input/output error|End of file", re.I)
WRONG_PASSPHRASE = re.compile(
    r"BADSECRET|UNSECURE|Password required|wrong password|KMSTATE|incorrect passphrase", re.I
)


class Feed:
    """`attempt` is what the feed's leg runs: one connection of its source."""

    def __init__(
        self,
        source: Source,
        settings: ProgrammeSettings,
        mixer: Mixer,
        binary: str,
        secrets: Secrets,
        *,
        ingest: RtmpIngest | None = None,
        on_refused: Callable[[str, str], None] = lambda address, reason: None,
        clean: Callable[[str], str] = str,
    ) -> None:
        self.source = source
        self._settings, self._mixer, self._binary = settings, mixer, binary
        # One buffer for all connections: the mixer sees a feed that is lost and comes back.
        self._buffer = FeedBuffer(Canvas(settings.width, settings.height, settings.fps))
        self._secrets, self._ingest = secrets, ingest
        self._on_refused, self._clean = on_refused, clean

    async def attempt(self, leg: Leg) -> Outcome:
        """Wait for the source, deliver it to the mixer, return when it is gone."""
        flags, fds = await self._input(leg)
        reading, writing = pipe(RAW_PIPE_BYTES)
        child = reader = None
        try:
            child = await Child.start(
                leg.id, commands.feed(self._binary, self._settings, flags),
                stdout=writing, pass_fds=fds, clean=self._clean, on_line=self._notice,
                # Asked, not killed: an SRT caller is told, and need not find out for 5 s.
                orphaned=signal.SIGTERM,
            )  # fmt: skip
            leg.pid = child.pid
            close(writing, *fds)
            writing, fds = -1, ()
            reader = FeedReader(reading, self._buffer, name=leg.id)
            reading = -1
            self._mixer.attach_feed(leg.id, self._buffer)
            reader.start()
            return await self._deliver(leg, child, reader)
        finally:
            close(*(fd for fd in (reading, writing, *fds) if fd >= 0))
            if child is not None:
                await child.stop()  # the end of its pipe ends the reader
            if reader is not None:
                await asyncio.to_thread(reader.stop, 3.0)

    async def _deliver(self, leg: Leg, child: Child, reader: FeedReader) -> Outcome:
        ended = asyncio.ensure_future(child.wait())
        try:
            while not ended.done():
                leg.moved(reader.bytes)
                await asyncio.wait({ended}, timeout=POLL_S)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
        words = child.last_words
        if TAKEN.search(words):
            return Outcome(
                f"port {self.source.port} is taken by another program; free it or give the source"
                " another port in the region's file", Act.WAIT,
            )  # fmt: skip
        if SILENT.search(words):
            return Outcome(
                "nothing comes from the caller any more; is the encoder sending, is the line up?"
                f" ({child.cause})"
            )
        return Outcome(child.cause)

    async def _input(self, leg: Leg) -> tuple[list[str], tuple[int, ...]]:
        """The input flags, and descriptors that the child must inherit."""
        source = self.source
        if source.kind == "srt":
            leg.target = f"srt://{source.host}:{source.port}"
            phrase = await self._secrets.value(source.passphrase) if source.passphrase else ""
            text = commands.srt_listener_list(
                source.host, source.port or 0, phrase, source.latency_ms
            )
            fd = secret_fd(text, "source")
            return commands.list_input(fd), (fd,)
        if source.kind == "rtmp":
            assert self._ingest is not None
            leg.target = f"rtmp://{source.host}:{source.port}/live/***"
            await self._ingest.published.wait()  # stopped by cancellation; the watchdog waits too
            return commands.rtmp_input(self._ingest.pull_address), ()
        if source.kind == "file":
            leg.target = str(source.path)
            return commands.file_input(Path(source.path or "")), ()
        leg.target = "test pattern"
        return commands.test_input(self._settings), ()

    def _notice(self, line: str) -> None:
        """libsrt says on stderr that a caller came with the wrong passphrase."""
        if WRONG_PASSPHRASE.search(line):
            self._on_refused("srt caller", "wrong passphrase")
