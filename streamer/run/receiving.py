"""The receiver: takes one source as it comes and copies it to a hub of its own.

It is apart from the decoding feed, so that a feed that dies begins again within the group of
pictures that is under way: the caller's connection is not touched, and nobody waits for the next
keyframe of a hall.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from streamer.config.models import Source
from streamer.config.secrets import redact_url
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
DENIED = re.compile(r"\b40[13]\b|Unauthorized|Forbidden|Authorization", re.I)
MISSING = re.compile(r"\b40[04]\b|Not Found|Stream not found", re.I)
AWAY = re.compile(
    r"Connection refused|No route|unreachable|timed? ?out|Connection setup failure"
    r"|Failed to resolve|Name or service|Temporary failure", re.I,
)  # fmt: skip
BACK_IN_TIME = re.compile(r"Non-monotonic DTS; previous: (-?\d+), current: (-?\d+)")
BACK_TICKS = 90_000
"""Ticks of 1/90,000 s by which timestamps may step back without the connection being begun anew.
The transport stream would stand still until they have caught up."""
CALLED = ("srt_caller", "rtsp", "url")
"""Kinds for which we call, and somebody else listens."""
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
        self._pid: int | None = None
        self._stepped_back = False

    async def attempt(self, leg: Leg) -> Outcome:
        """Wait for the caller, or call; copy what comes, return when it is gone."""
        flags, fds = await self._input(leg)
        out_r = out_w = -1
        child = None
        self.hub.splice()
        self._stepped_back = False
        joined = self.hub.attach("joined", self._joined)
        try:
            out_r, out_w = pipe()
            os.set_blocking(out_r, False)
            any_sound = self.source.kind in ("rtsp", "url")
            child = await Child.start(
                leg.id, commands.receiver(self._binary, flags, any_sound=any_sound),
                stdout=out_w, pass_fds=fds,
                clean=self._clean, on_line=self._notice,
                # Asked, not killed: an SRT caller is told, and need not find out for 5 s.
                orphaned=signal.SIGTERM,
            )  # fmt: skip
            leg.pid = self._pid = child.pid
            close(out_w, *fds)
            out_w, fds = -1, ()
            await intake.pour(leg, child, out_r, self.hub)
            return self._judge(child)
        finally:
            self._pid = None
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
        words, cause = child.last_words, child.cause
        if self._stepped_back:
            return Outcome("its timestamps jumped back; the connection is begun anew")
        if TAKEN.search(words):
            return Outcome(
                f"port {self.source.port} is taken by another program; free it or give the source"
                " another port in the region's file", Act.WAIT,
            )  # fmt: skip
        if self.source.kind in CALLED:
            return self._judge_call(words, cause)
        if SILENT.search(words):
            return Outcome(
                "nothing comes from the caller any more; is the encoder sending, is the line up?"
                f" ({cause})"
            )
        return Outcome(cause)

    def _judge_call(self, words: str, cause: str) -> Outcome:
        """Whether the other side can be reached, and wants us. All of it is tried again."""
        shown = redact_url(self.source.address or "")
        if WRONG_PASSPHRASE.search(words):
            return Outcome(
                f"{shown} refuses our passphrase; correct it", Act.CORRECT_SETTING, retry=True
            )
        if DENIED.search(words):
            return Outcome(
                f"{shown} refuses our login or token; correct it", Act.CORRECT_SETTING, retry=True
            )
        if MISSING.search(words):
            return Outcome(
                f"{shown} knows no such stream; correct the address ({cause})",
                Act.CORRECT_SETTING, retry=True,
            )  # fmt: skip
        if AWAY.search(words):
            return Outcome(f"{shown} does not answer; is it switched on, is the line up? ({cause})")
        return Outcome(cause if words.strip() else f"{shown} has ended; it is called again")

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
        leg.target = (
            redact_url(source.address) if source.address else f"srt://{source.host}:{source.port}"
        )
        fd = secret_fd(await self._list(), "source")
        return commands.list_input(fd, paced=source.kind == "url"), (fd,)

    async def _list(self) -> str:
        """The ffconcat text with the whole address."""
        source, value = self.source, self._secrets.value
        phrase = await value(source.passphrase) if source.passphrase else ""
        token = await value(source.token) if source.token else ""
        user, password = await self._secrets.login(source.login) if source.login else ("", "")
        address = source.address or ""
        match source.kind:
            case "srt_caller":
                return commands.srt_caller_list(address, phrase, token, source.latency_ms)
            case "rtsp":
                return commands.rtsp_list(address, user, password)
            case "url":
                return commands.url_list(address, token, user, password)
            case _:
                return commands.srt_listener_list(
                    source.host, source.port or 0, phrase, source.latency_ms
                )

    def _notice(self, line: str) -> None:
        """What must be acted on at once: a caller with a wrong passphrase, a jump back in time."""
        if self.source.kind == "srt" and WRONG_PASSPHRASE.search(line):
            self._on_refused("srt caller", "wrong passphrase")
        found = BACK_IN_TIME.search(line)
        if found and int(found[1]) - int(found[2]) > BACK_TICKS and not self._stepped_back:
            self._stepped_back = True
            if self._pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGTERM)
