"""Accounts to send to: a real RTMP server (nginx with its RTMP module) for each of them.

Each account is a private nginx on the loopback with a port of its own. It checks the key by
asking us (`on_publish`), records what arrives to one FLV file for each publish, and can be
frozen, which is what a platform looks like that has accepted and then takes nothing more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from streamer.demo.tls import TlsFront
from streamer.domain.errors import Unavailable
from streamer.media.child import Child
from streamer.media.ingest import find_nginx, rtmp_module

START_S = 5.0
"""Seconds within which a server must accept connections."""
STOP_LADDER = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))
APP = "live"

# One process instead of master and worker: a worker outlives a master that is killed, and
# freezing one process freezes all of the account.
_CONFIGURATION = """\
load_module {module};
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 128; }}
rtmp {{
  server {{
    listen 127.0.0.1:{port};
    max_message 10M;
    application {app} {{
      live on;
      record all;
      record_unique on;
      record_path {folder}/recordings;
      on_publish http://127.0.0.1:{callback}/publish;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Publish:
    """One try to publish; `at` is POSIX seconds. The key itself is not kept."""

    at: float
    accepted: bool


class Account:
    """One stand-in for an account of a platform.

    Start, stop and start again as often as wanted: port, key and recordings stay.
    """

    def __init__(self, name: str, folder: Path, *, key: str, port: int = 0, tls: bool = False):
        """`folder` is the account's own; port 0 takes a free one; `tls` makes it RTMPS."""
        self.name = name
        self.key = key
        self.port = port or free_port()
        self._folder = folder
        self._publishes: list[Publish] = []
        self.stream = ""
        """Name under which the newest publish can be played here; without the key."""
        self._child: Child | None = None
        self._callback: web.AppRunner | None = None
        self._frozen = False
        self._tls = TlsFront(folder / "tls") if tls else None

    @property
    def address(self) -> str:
        """Where to send, without the key."""
        if self._tls:
            return f"rtmps://localhost:{self._tls.port}/{APP}"
        return f"rtmp://127.0.0.1:{self.port}/{APP}"

    @property
    def url(self) -> str:
        """Address and key in one, as an encoder takes it. A secret."""
        return f"{self.address}/{self.key}"

    @property
    def certificate(self) -> Path | None:
        """The certificate to trust (PEM) of an RTMPS account."""
        return self._tls.certificate if self._tls else None

    @property
    def publishes(self) -> tuple[Publish, ...]:
        """Every try to publish so far, in order."""
        return tuple(self._publishes)

    @property
    def pid(self) -> int | None:
        """The server's process while it runs."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def recordings(self) -> list[Path]:
        """What arrived: one FLV file for each accepted publish, in order; some may be empty."""
        return sorted((self._folder / "recordings").glob("*.flv"))

    async def start(self) -> None:
        """Start the server and wait until it accepts connections.

        Raises Unavailable when nginx or its RTMP module is missing, or when it does not start.
        """
        if self.running:
            return
        module = rtmp_module()
        recordings = self._folder / "recordings"
        recordings.mkdir(parents=True, exist_ok=True)
        try:
            callback = await self._serve_callback()
            configuration = self._folder / "nginx.conf"
            configuration.write_text(
                _CONFIGURATION.format(
                    module=module, folder=self._folder.resolve(), port=self.port, app=APP,
                    callback=callback,
                )
            )  # fmt: skip
            self._child = await Child.start(
                f"account {self.name}",
                [find_nginx(), "-p", str(self._folder), "-c", str(configuration.resolve()),
                 "-e", str(self._folder.resolve() / "nginx.log")],
            )  # fmt: skip
            await self._until_it_listens()
            if self._tls:
                await self._tls.start(self.port)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Take the server away: from now on connections are refused. Safe to call twice."""
        self.thaw()
        if self._tls:
            await self._tls.stop()
        if self._child:
            await self._child.stop(STOP_LADDER)
            self._child = None
        if self._callback:
            await self._callback.cleanup()
            self._callback = None

    def freeze(self) -> None:
        """From now on nothing is read; connections stay, and new ones hang."""
        if self._child and self.running:
            os.kill(self._child.pid, signal.SIGSTOP)
            if self._tls:
                self._tls.freeze()
            self._frozen = True

    def thaw(self) -> None:
        """Go on after `freeze`. Safe to call at any time."""
        if self._frozen and self._child and self.running:
            os.kill(self._child.pid, signal.SIGCONT)
        if self._tls:
            self._tls.thaw()
        self._frozen = False

    async def _serve_callback(self) -> int:
        """The HTTP server that nginx asks whether a key is right; returns its port."""
        app = web.Application()
        app.router.add_post("/publish", self._on_publish)
        self._callback = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._callback.setup()
        site = web.TCPSite(self._callback, "127.0.0.1", 0)
        await site.start()
        return int(self._callback.addresses[0][1])

    async def _on_publish(self, request: web.Request) -> web.Response:
        form = await request.post()
        accepted = form.get("name") == self.key
        at = time.time()
        self._publishes.append(Publish(at, accepted))
        if not accepted:
            return web.Response(status=403)
        # A redirect renames the stream: the file does not carry the key in its name, and two
        # publishes within one second never share a file.
        self.stream = f"{self.name}-{int(at * 1000)}-{len(self._publishes):05d}"
        return web.Response(status=302, headers={"Location": self.stream})

    async def _until_it_listens(self) -> None:
        try:
            async with asyncio.timeout(START_S):
                while not await _accepts(self.port):
                    if not self.running:
                        raise self._did_not_start()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise self._did_not_start() from None

    def _did_not_start(self) -> Unavailable:
        words = self._child.last_words if self._child else ""
        return Unavailable(
            f"the RTMP server of the account '{self.name}' did not start: {words}",
            code="account_not_started", port=self.port,
        )  # fmt: skip


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of the loopback that is free just now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
    return False
