"""Our RTMP ingest: a private nginx with its rtmp module, one per meeting that needs it.

The hall's encoder is told one address and key. nginx asks us (`on_publish`) whether a key is
right and renames the publication, so that the key is in no log, no playlist and no argv.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from streamer.domain.errors import Act, Unavailable
from streamer.media.child import Child
from streamer.media.leg import Leg, Outcome

if TYPE_CHECKING:
    from aiohttp import web

APPLICATION = "live"
MODULES = (
    Path("/usr/lib/nginx/modules/ngx_rtmp_module.so"),
    Path("/usr/share/nginx/modules/ngx_rtmp_module.so"),
)

CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr error;
load_module {module};
{user}
events {{ worker_connections 64; }}
rtmp {{
    access_log off;
    server {{
        listen {host}:{port};
        chunk_size 4096;
        ping 5s;
        ping_timeout 3s;
        notify_method post;
        application {application} {{
            live on;
            record off;
            drop_idle_publisher 3s;
            idle_streams off;
            on_publish http://127.0.0.1:{callback}/publish;
            on_publish_done http://127.0.0.1:{callback}/done;
            allow play 127.0.0.1;
            deny play all;
        }}
    }}
}}
"""


@dataclass(slots=True)
class RtmpIngest:
    """Takes one publisher at `rtmp://host:port/live` with the right key.

    `published` is set while somebody publishes; `pull_address` is where our feed reads it.
    """

    feed: str
    host: str
    port: int
    folder: Path
    key: Callable[[], Awaitable[str]]
    on_refused: Callable[[str, str], None] = lambda address, reason: None
    published: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None
    _callback: int = 0
    _key: str = ""

    @property
    def pull_address(self) -> str:
        return f"rtmp://127.0.0.1:{self.port}/{APPLICATION}/{self._alias}"

    @property
    def _alias(self) -> str:
        return "feed-" + self.feed.replace(":", "-")

    async def attempt(self, leg: Leg) -> Outcome:
        """Run the server until it ends; one try of its leg."""
        self.published.clear()
        self._key = await self.key()
        await self._serve_callback()
        config = self.folder / "ingest.conf"
        text = CONFIG.format(
            folder=self.folder, module=rtmp_module(), host=self.host, port=self.port,
            application=APPLICATION, callback=self._callback,
            user="user root;" if os.geteuid() == 0 else "",
        )  # fmt: skip
        await asyncio.to_thread(config.write_text, text)
        leg.target = f"rtmp://{self.host}:{self.port}/{APPLICATION}/***"
        child = await Child.start(
            leg.id, ["nginx", "-p", str(self.folder), "-e", "stderr", "-c", str(config)],
            clean=lambda line: line.replace(self._key, "***"),
        )  # fmt: skip
        leg.pid = child.pid
        try:
            return await self._watch(leg, child)
        finally:
            self.published.clear()
            await child.stop()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _watch(self, leg: Leg, child: Child) -> Outcome:
        ended = asyncio.ensure_future(child.wait())
        try:
            ticks = 0
            while not ended.done():
                ticks += 1
                if any("bind()" in line for line in child.stderr):
                    break  # somebody listens there, but not we
                # A server that listens is a healthy ingest, with or without a publisher.
                if await asyncio.to_thread(self._bound, child.pid) and await self._listens():
                    leg.moved(ticks)
                await asyncio.wait({ended}, timeout=1.0)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
        words = child.last_words
        if "Address already in use" in words or "bind()" in words:
            return Outcome(
                f"port {self.port} is taken by another program; free it or give the source"
                " another port in the region's file", Act.WAIT,
            )  # fmt: skip
        return Outcome(child.cause)

    def _bound(self, pid: int) -> bool:
        """Whether our server has the port: it writes its pid after it took it. Blocking."""
        try:
            return int((self.folder / "nginx.pid").read_text()) == pid
        except (OSError, ValueError):
            return False

    async def _listens(self) -> bool:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
        try:
            async with asyncio.timeout(1.0):
                _, writer = await asyncio.open_connection(host, self.port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def _serve_callback(self) -> None:
        if self._runner is not None:
            return
        # Loaded here: a run without RTMP ingest starts a third of a second sooner without it.
        from aiohttp import web

        app = web.Application()
        app.router.add_post("/publish", self._publish)
        app.router.add_post("/done", self._done)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self._callback = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def _publish(self, request: web.Request) -> web.Response:
        from aiohttp import web

        form = parse_qs((await request.read()).decode(errors="replace"))
        name = form.get("name", [""])[0]
        if not hmac.compare_digest(name.encode(), self._key.encode()):
            self.on_refused(form.get("addr", ["?"])[0], "wrong key")
            return web.Response(status=403)
        self.published.set()
        return web.Response(status=302, headers={"Location": self._alias})

    async def _done(self, request: web.Request) -> web.Response:
        from aiohttp import web

        self.published.clear()
        return web.Response()


def rtmp_module() -> Path:
    """The rtmp module; Unavailable naming the Debian packages when it is not there."""
    if shutil.which("nginx"):
        for path in MODULES:
            if path.exists():
                return path
    raise Unavailable(
        "RTMP ingest needs nginx with its rtmp module: install the Debian packages nginx and"
        " libnginx-mod-rtmp, or use SRT",
        code="package_missing",
    )
