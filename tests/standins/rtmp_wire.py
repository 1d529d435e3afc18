"""As much of RTMP as a server needs to take a stream: handshake, chunks, AMF0 commands.

After Adobe's RTMP specification 1.0 (sections 5.2, 5.3, 7.2) and AMF0.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from dataclasses import dataclass

HANDSHAKE = 1536
SET_CHUNK_SIZE, WINDOW_ACK, PEER_BANDWIDTH = 1, 5, 6
AUDIO, VIDEO, COMMAND = 8, 9, 20
EXTENDED = 0xFFFFFF


@dataclass(frozen=True, slots=True)
class Message:
    """One RTMP message; `timestamp` in milliseconds."""

    kind: int
    timestamp: int
    body: bytes


@dataclass(slots=True)
class _Header:
    timestamp: int = 0
    delta: int = 0
    length: int = 0
    kind: int = 0
    extended: bool = False
    body: bytes = b""


async def handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The plain handshake, server's side; IncompleteReadError when the client goes."""
    await reader.readexactly(1)
    first = await reader.readexactly(HANDSHAKE)
    writer.write(b"\x03" + bytes(HANDSHAKE) + first)
    await reader.readexactly(HANDSHAKE)


class Messages:
    """Reads messages out of chunks."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._chunk = 128
        self._headers: dict[int, _Header] = {}

    async def read(self) -> Message:
        """The next whole message; IncompleteReadError at the end of the connection."""
        while True:
            header = await self._header()
            piece = min(self._chunk, header.length - len(header.body))
            header.body += await self._reader.readexactly(piece)
            if len(header.body) < header.length:
                continue
            message = Message(header.kind, header.timestamp, header.body)
            header.body = b""
            if message.kind == SET_CHUNK_SIZE:
                self._chunk = struct.unpack(">I", message.body)[0] & 0x7FFFFFFF
                continue
            return message

    async def _header(self) -> _Header:
        first = (await self._reader.readexactly(1))[0]
        form, stream = first >> 6, first & 0x3F
        if stream < 2:
            more = await self._reader.readexactly(stream + 1)
            stream = 64 + int.from_bytes(more, "little")
        header = self._headers.setdefault(stream, _Header())
        new = not header.body
        fields = await self._reader.readexactly((11, 7, 3, 0)[form])
        time = header.delta
        if form < 3:
            time = int.from_bytes(fields[:3], "big")
            header.extended = time == EXTENDED
        if form < 2:
            header.length, header.kind = int.from_bytes(fields[3:6], "big"), fields[6]
        if header.extended:
            time = int.from_bytes(await self._reader.readexactly(4), "big")
        if new:
            header.delta = time
            header.timestamp = time if form == 0 else header.timestamp + time
        return header


def chunk(kind: int, body: bytes, *, channel: int = 3, stream: int = 0) -> bytes:
    """A short message (up to 128 bytes go in one chunk) as bytes on the wire."""
    head = bytes([channel]) + bytes(3) + len(body).to_bytes(3, "big") + bytes([kind])
    head += stream.to_bytes(4, "little")
    pieces = [body[at : at + 128] for at in range(0, len(body), 128)] or [b""]
    return head + bytes([0xC0 | channel]).join(pieces)


def command(name: str, transaction: float, *values: object, stream: int = 0) -> bytes:
    """An AMF0 command as bytes on the wire."""
    body = b"".join(_encode(value) for value in (name, transaction, *values))
    return chunk(COMMAND, body, stream=stream)


def decode(body: bytes) -> list[object]:
    """The values of an AMF0 body; stops at a type that no publisher needs."""
    return list(_values(body))


def _encode(value: object) -> bytes:
    if value is None:
        return b"\x05"
    if isinstance(value, str):
        return b"\x02" + _text(value)
    if isinstance(value, dict):
        fields = b"".join(_text(key) + _encode(item) for key, item in value.items())
        return b"\x03" + fields + b"\x00\x00\x09"
    assert isinstance(value, int | float)
    return b"\x00" + struct.pack(">d", value)


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack(">H", len(raw)) + raw


def _values(body: bytes) -> Iterator[object]:
    at = 0
    while at < len(body):
        try:
            value, at = _value(body, at)
        except LookupError:
            return
        yield value


def _value(body: bytes, at: int) -> tuple[object, int]:
    kind, at = body[at], at + 1
    if kind == 0:
        return struct.unpack_from(">d", body, at)[0], at + 8
    if kind == 1:
        return bool(body[at]), at + 1
    if kind == 2:
        length = struct.unpack_from(">H", body, at)[0]
        return body[at + 2 : at + 2 + length].decode(errors="replace"), at + 2 + length
    if kind in (5, 6):
        return None, at
    if kind in (3, 8):
        return _object(body, at + 4 if kind == 8 else at)
    raise LookupError(kind)


def _object(body: bytes, at: int) -> tuple[dict[str, object], int]:
    fields: dict[str, object] = {}
    while body[at : at + 3] != b"\x00\x00\x09":
        length = struct.unpack_from(">H", body, at)[0]
        key = body[at + 2 : at + 2 + length].decode(errors="replace")
        fields[key], at = _value(body, at + 2 + length)
    return fields, at + 3
