"""An RTMP server that fails in one chosen way, and counts what it took."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.standins import rtmp_wire as wire

SMALL_BUFFER = 32_768
"""Bytes the kernel may keep for us, so that a server that reads nothing is felt soon."""
SLICE_S = 0.05


class Mode(StrEnum):
    """What the server does with a connection."""

    OK = "ok"
    """Takes everything."""
    REFUSE = "refuse"
    """Nothing listens."""
    CLOSE_ACCEPT = "close_accept"
    """Closes before the handshake."""
    REJECT_CONNECT = "reject_connect"
    """Answers `connect` with an error and closes."""
    BADNAME = "badname"
    """Answers `publish` with an error: the key is wrong."""
    STALL = "accept_and_stall"
    """Accepts the publish and reads no more."""
    RESET = "reset"
    """Resets the connection in the middle of the stream."""
    HALF_SPEED = "half_speed"
    """Reads slower than the stream comes."""


@dataclass(slots=True)
class Push:
    """What one publisher sent. Timestamps in milliseconds, as on the wire."""

    key: str
    bytes: int = 0
    video_frames: int = 0
    audio_frames: int = 0
    keyframes: list[int] = field(default_factory=list)
    first: int | None = None
    last: int | None = None
    monotonic: bool = True
    """Picture and sound each never went back in time."""
    ended: bool = False
    headers: dict[int, list[bytes]] = field(default_factory=dict)
    """Sequence headers by kind (wire.VIDEO, wire.AUDIO), as they came; the same one not again."""
    messages: list[wire.Message] | None = None
    """Everything of picture and sound, where it is wanted."""
    arrived: list[float] = field(default_factory=list)
    """Monotonic time at which each picture came."""
    _times: dict[int, int] = field(default_factory=dict)

    def take(self, message: wire.Message) -> None:
        """Count one message of picture or sound; headers and ends of a sequence are none."""
        if message.kind not in (wire.AUDIO, wire.VIDEO) or len(message.body) < 2:
            return
        self.bytes += len(message.body)
        if self.messages is not None:
            self.messages.append(message)
        if message.body[1] != 1:
            known = self.headers.setdefault(message.kind, [])
            if message.body[1] == 0 and message.body[2:] not in known[-1:]:
                known.append(message.body[2:])
            return
        if message.timestamp < self._times.get(message.kind, 0):
            self.monotonic = False
        self._times[message.kind] = message.timestamp
        self.first = message.timestamp if self.first is None else self.first
        self.last = message.timestamp
        if message.kind == wire.AUDIO:
            self.audio_frames += 1
            return
        self.video_frames += 1
        self.arrived.append(time.monotonic())
        if message.body[0] >> 4 == 1:
            self.keyframes.append(message.timestamp)

    def flv(self) -> bytes:
        """Everything that came (`messages`) as a file, for a decoder on the server's side."""
        tags = [b"FLV\x01\x05" + struct.pack(">II", 9, 0)]
        for one in self.messages or ():
            head = bytes([one.kind]) + len(one.body).to_bytes(3, "big")
            stamp = (one.timestamp & 0xFFFFFF).to_bytes(3, "big") + bytes([one.timestamp >> 24])
            tag = head + stamp + bytes(3) + one.body
            tags.append(tag + struct.pack(">I", len(tag)))
        return b"".join(tags)

    @property
    def keyframe_spacing_ms(self) -> tuple[int, ...]:
        """Milliseconds between one keyframe and the next."""
        pairs = zip(self.keyframes, self.keyframes[1:], strict=False)
        return tuple(after - before for before, after in pairs)


class RtmpSink:
    """The server. `async with RtmpSink(Mode.OK) as sink: push to sink.url`."""

    def __init__(
        self,
        mode: Mode = Mode.OK,
        *,
        key: str = "key",
        rate: int = 180_000,
        reset_after: int = 300_000,
        keep: bool = False,
    ) -> None:
        """`keep`: everything that comes is kept (`Push.flv`). `rate`: bytes a second that
        HALF_SPEED reads; `reset_after`: bytes before RESET."""
        self.mode = mode
        self.key = key
        self.rate = rate
        self.reset_after = reset_after
        self.keep = keep
        self.pushes: list[Push] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._moved = asyncio.Event()

    @property
    def url(self) -> str:
        return f"rtmp://127.0.0.1:{self.port}/live/{self.key}"

    async def __aenter__(self) -> RtmpSink:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen (not in mode REFUSE, which only takes note of a free port)."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Must be set before listening: connections inherit it at their handshake.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        if self.mode is Mode.REFUSE:
            listening.close()
            return
        self._server = await asyncio.start_server(self._connected, sock=listening, limit=8192)

    async def stop(self) -> None:
        """Close the port and reset every connection. A later start takes the same port."""
        if self._server:
            self._server.close()
            self._server = None
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def switch(self, mode: Mode) -> None:
        """Behave differently from now on; connections that are open are reset."""
        await self.stop()
        self.mode = mode
        await self.start()

    async def until(self, reached: Callable[[RtmpSink], bool], *, timeout: float = 10.0) -> None:
        """Wait until `reached(self)`, asked whenever something came; else TimeoutError."""
        async with asyncio.timeout(timeout):
            while not reached(self):
                self._moved.clear()
                await self._moved.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(f"rtmp sink connection {self.connections}")
        self._open[task] = writer
        self.connections += 1
        self._moved.set()
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return  # the client went; what it sent is counted
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._open[task]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode is Mode.CLOSE_ACCEPT:
            return
        await wire.handshake(reader, writer)
        messages = wire.Messages(reader)
        push = await self._greet(messages, writer)
        if push is None:
            return
        self.pushes.append(push)
        self._moved.set()
        try:
            if self.mode is Mode.STALL:
                await asyncio.Event().wait()  # until `stop` or `switch`
            await self._take(messages, push, writer)
        finally:
            push.ended = True
            self._moved.set()

    async def _greet(self, messages: wire.Messages, writer: asyncio.StreamWriter) -> Push | None:
        """Answer commands up to the publish; None when the mode says no."""
        while True:
            message = await messages.read()
            if message.kind != wire.COMMAND:
                continue
            name, number, *values = wire.decode(message.body)
            assert isinstance(number, float)
            if name == "connect":
                if not self._answer_connect(writer, number):
                    await writer.drain()
                    return None
            elif name == "createStream":
                writer.write(wire.command("_result", number, None, 1))
            elif name == "publish":
                key = str(values[1])
                good = self.mode is not Mode.BADNAME and key == self.key
                writer.write(_status(good))
                await writer.drain()
                return Push(key, messages=[] if self.keep else None) if good else None

    def _answer_connect(self, writer: asyncio.StreamWriter, number: float) -> bool:
        if self.mode is Mode.REJECT_CONNECT:
            info = {"level": "error", "code": "NetConnection.Connect.Rejected"}
            writer.write(wire.command("_error", number, None, info))
            return False
        window = struct.pack(">I", 2_500_000)
        writer.write(wire.chunk(wire.WINDOW_ACK, window, channel=2))
        writer.write(wire.chunk(wire.PEER_BANDWIDTH, window + b"\x02", channel=2))
        info = {"level": "status", "code": "NetConnection.Connect.Success"}
        writer.write(wire.command("_result", number, {"fmsVer": "FMS/3,0,1,123"}, info))
        return True

    async def _take(
        self, messages: wire.Messages, push: Push, writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            message = await messages.read()
            push.take(message)
            self._moved.set()
            if message.kind == wire.COMMAND and wire.decode(message.body)[:1] == ["deleteStream"]:
                return
            if self.mode is Mode.RESET and push.bytes >= self.reset_after:
                _reset(writer)
                return
            if self.mode is Mode.HALF_SPEED:
                ahead = push.bytes / self.rate - (loop.time() - began)
                if ahead > SLICE_S:
                    await asyncio.sleep(ahead)


def _status(good: bool) -> bytes:
    info = {
        "level": "status" if good else "error",
        "code": "NetStream.Publish.Start" if good else "NetStream.Publish.BadName",
        "description": "Publishing." if good else "Stream name is not known.",
    }
    return wire.command("onStatus", 0, None, info, stream=1)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side gets RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
