"""The receiver: takes one source as it comes and copies it to a hub of its own.

It is apart from the decoding feed, so that a feed that dies begins again within the group of
pictures that is under way: the caller's connection is not touched, and nobody waits for the next
keyframe of a hall.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from streamer.config.models import Source
from streamer.domain.errors import Act
from streamer.media import commands, intake
from streamer.media.child import Child, secret_fd
from streamer.media.hub import Hub
from streamer.media.ingest import RtmpIngest
from streamer.media.leg import Leg, Outcome
from streamer.media.pipes import close, pipe
from streamer.run.secrets import Secrets

TAKEN = re.compile(r"Address already in use|bind.*(failed|error)|BINDERROR|Resource.*busy", re.I)
SILENT = re.compile(r"Connection timed out|Input/output error|End of file", re.I)
WRONG_PASSPHRASE = re.compile(
    r"BADSECRET|UNSECURE|Password required|wrong password|KMSTATE|incorrect passphrase", re.I
)


class Receiver:
    """`attempt` is what the receiver's leg runs: one connection of its source."""

    def __init__(
        self,
        source: Source,
        binary: str,
        secrets: Secrets,
        *,
        ingest: RtmpIngest | None = None,
        on_refused: Callable[[str, str], None] = lambda address, reason: None,
        clean: Callable[[str], str] = str,
    ) -> None:
        self.source = source
        self.hub = Hub()
        self.flowing = asyncio.Event()
        """Set while a connection delivers; the hub can be joined then."""
        self.gone = asyncio.Event()
        """Set while none does."""
        self.gone.set()
        self._binary, self._secrets, self._ingest = binary, secrets, ingest
        self._on_refused, self._clean = on_refused, clean

    async def attempt(self, leg: Leg) -> Outcome:
        """Wait for the caller, copy what it sends, return when it is gone."""
        flags, fds = await self._input(leg)
        out_r = out_w = -1
        child = None
        self.hub.splice()
        joined = self.hub.attach("joined", self._joined)
        try:
            out_r, out_w = pipe()
            os.set_blocking(out_r, False)
            child = await Child.start(
                leg.id, commands.receiver(self._binary, flags), stdout=out_w, pass_fds=fds,
                clean=self._clean, on_line=self._notice,
                # Asked, not killed: an SRT caller is told, and need not find out for 5 s.
                orphaned=signal.SIGTERM,
            )  # fmt: skip
            leg.pid = child.pid
            close(out_w, *fds)
            out_w, fds = -1, ()
            await intake.pour(leg, child, out_r, self.hub)
            return self._judge(child)
        finally:
            self.hub.unsubscribe(joined)
            self.flowing.clear()
            self.gone.set()
            close(*(fd for fd in (out_w, *fds) if fd >= 0))
            try:
                if child is not None:
                    await child.stop()
            finally:
                close(*(fd for fd in (out_r,) if fd >= 0))

    def _joined(self, data: bytes, keyframe_at: int | None) -> None:
        if keyframe_at is not None and not self.flowing.is_set():
            self.gone.clear()
            self.flowing.set()

    def _judge(self, child: Child) -> Outcome:
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
        if source.kind == "file":
            leg.target = str(source.path)
            return commands.file_input(Path(source.path or "")), ()
        if self._ingest is not None:
            leg.target = f"rtmp://{source.host}:{source.port}/live/***"
            await self._ingest.published.wait()  # stopped by cancellation
            return commands.rtmp_input(self._ingest.pull_address), ()
        leg.target = f"srt://{source.host}:{source.port}"
        phrase = await self._secrets.value(source.passphrase) if source.passphrase else ""
        text = commands.srt_listener_list(source.host, source.port or 0, phrase, source.latency_ms)
        fd = secret_fd(text, "source")
        return commands.list_input(fd), (fd,)

    def _notice(self, line: str) -> None:
        """libsrt says on stderr that a caller came with the wrong passphrase."""
        if WRONG_PASSPHRASE.search(line):
            self._on_refused("srt caller", "wrong passphrase")
