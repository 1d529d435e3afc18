"""A camera that speaks RTSP over TCP, as far as a client needs it: with login, and it can freeze.

Its picture and sound come from an ffmpeg that sends RTP to us on the loopback; we hand the packets
on inside the RTSP connection (RFC 2326, section 10.12).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import socket
from functools import partial
from pathlib import Path

from streamer.demo.accounts import free_port
from streamer.demo.hall import Form, picture_graph, sound_graph, video_options
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path

REALM, NONCE = "camera", "4f1c"
H264 = ("-c:a", "aac", "-ac", "2", "-b:a", "96k")
G711 = ("-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1")


def rtp_sender(
    form: Form, port: int, sdp: Path, *, audio: tuple[str, ...], video: tuple[str, ...] = ()
) -> list[str]:
    """The command line of an ffmpeg that sends the hall's picture and sound as RTP to the loopback,
    from `port` (even) the picture, from `port` + 2 the sound; it writes `sdp`."""
    graph = f"{picture_graph(form)}[out0];{sound_graph()}[out1]"
    url = "rtp://127.0.0.1:{}?pkt_size=1200"
    return [
        ffmpeg_path(), "-nostdin", "-nostats", "-v", "warning", "-filter_threads", "1", "-y",
        "-re", "-f", "lavfi", "-i", graph,
        "-map", "0:v", *(video or video_options(form)), "-f", "rtp", url.format(port),
        "-map", "0:a", *audio, "-f", "rtp", "-sdp_file", str(sdp), url.format(port + 2),
    ]  # fmt: skip


def even_port() -> int:
    """An even port; it and the three after it are probably free (UDP)."""
    while (port := free_port(socket.SOCK_DGRAM)) % 2 or port > 65000:
        pass
    return port


class RtspCamera:
    """Listens on `port`; start and stop it. `requests` are the methods that clients used."""

    def __init__(
        self, folder: Path, *, login: str = "", form: Form | None = None,
        audio: tuple[str, ...] = H264,
    ) -> None:  # fmt: skip
        self.port = free_port()
        self.requests: list[str] = []
        self.frozen = False
        self._form, self._audio, self._login = form or Form(640, 360, 25), audio, login
        self._sdp = folder / "camera.sdp"
        self._clients: list[asyncio.StreamWriter] = []
        self._playing: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self._child: Child | None = None
        self._ears: list[asyncio.DatagramTransport] = []
        self._reports: dict[int, bytes] = {}
        """The last sender report of each track: who plays gets it first, as from a camera."""

    async def start(self) -> None:
        base = even_port()
        loop = asyncio.get_running_loop()
        for channel in range(4):
            ear, _ = await loop.create_datagram_endpoint(
                partial(_Ear, self, channel), local_addr=("127.0.0.1", base + channel)
            )  # fmt: skip
            self._ears.append(ear)
        self._sdp.unlink(missing_ok=True)
        argv = rtp_sender(self._form, base, self._sdp, audio=self._audio)
        self._child = await Child.start("camera", argv)
        async with asyncio.timeout(20):
            while not self._sdp.exists() or "m=audio" not in self._sdp.read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Power off: connections end."""
        if self._server:
            self._server.close()
        for client in self._clients:
            client.close()
        for ear in self._ears:
            ear.close()
        self._clients, self._playing, self._ears = [], [], []
        if self._child:
            await self._child.stop()

    def packet(self, channel: int, data: bytes) -> None:
        if self.frozen:
            return
        if channel % 2:
            self._reports[channel] = data
        for client in self._playing:
            client.write(_inside(channel, data))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                if (first := await reader.readexactly(1)) == b"$":  # the client's RTCP
                    head = await reader.readexactly(3)
                    await reader.readexactly(int.from_bytes(head[1:], "big"))
                    continue
                request = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                writer.write(self._answer(request, writer).encode())
                if writer in self._playing:
                    for channel, report in self._reports.items():
                        writer.write(_inside(channel, report))
        if writer in self._playing:
            self._playing.remove(writer)
        writer.close()

    def _answer(self, request: str, writer: asyncio.StreamWriter) -> str:
        method, url = request.split()[:2]
        self.requests.append(method)
        seq = re.search(r"CSeq: *(\d+)", request, re.I)
        head = f"CSeq: {seq.group(1) if seq else 0}\r\nSession: 77\r\n"
        if self._login and not self._authorised(method, request):
            return (
                f"RTSP/1.0 401 Unauthorized\r\n{head}"
                f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}"\r\n\r\n'
            )
        body = ""
        if method == "OPTIONS":
            head += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = self._description()
            head += f"Content-Base: {url}/\r\nContent-Type: application/sdp\r\n"
            head += f"Content-Length: {len(body)}\r\n"
        elif method == "SETUP":
            first = 2 * int(url[-1])
            head += f"Transport: RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}\r\n"
        elif method == "PLAY":
            self._playing.append(writer)
        return f"RTSP/1.0 200 OK\r\n{head}\r\n{body}"

    def _description(self) -> str:
        text = self._sdp.read_text()
        text = text[text.index("v=0") :].replace("SDP:", "")
        lines: list[str] = []
        track = -1
        for line in text.splitlines():
            if line.startswith("m="):
                if track >= 0:
                    lines.append(f"a=control:track{track}")
                track += 1
                line = re.sub(r"^(m=\w+) \d+", r"\1 0", line)
            if line.strip():
                lines.append(line.strip())
        lines.append(f"a=control:track{track}")
        return "\r\n".join(lines) + "\r\n"

    def _authorised(self, method: str, request: str) -> bool:
        found = dict(re.findall(r'(\w+)="([^"]*)"', request))
        if "response" not in found:
            return False
        user, _, password = self._login.partition(":")

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        one, two = md5(f"{user}:{REALM}:{password}"), md5(f"{method}:{found.get('uri', '')}")
        return found["response"] == md5(f"{one}:{NONCE}:{two}")


def _inside(channel: int, data: bytes) -> bytes:
    """A packet inside the RTSP connection."""
    return b"$" + bytes([channel]) + len(data).to_bytes(2, "big") + data


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, camera: RtspCamera, channel: int) -> None:
        self._camera, self._channel = camera, channel

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._camera.packet(self._channel, data)
