"""Our RTMP ingest: a private nginx with its rtmp module, one per RTMP source of a meeting.

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
SBIN = "/usr/sbin:/usr/local/sbin:/sbin"
"""Where Debian keeps nginx; not on the PATH of an ordinary user."""
MODULES = (
    Path("/usr/lib/nginx/modules/ngx_rtmp_module.so"),
    Path("/usr/share/nginx/modules/ngx_rtmp_module.so"),
)

CONFIG = """\
daemon off;
master_process off;
pid {pid_file};
error_log stderr error;
load_module {module};
{user}
events {{ worker_connections 64; }}
rtmp {{
    access_log off;
    server {{
        listen {listen};
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
            allow play {reach};
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
    _publishers: set[str] = field(default_factory=set)
    """nginx's numbers of the connections that publish. More than one for a moment: it asks us
    about a second encoder with the right key before it finds that somebody publishes already,
    and its end is not the end of the first one."""
    _runner: web.AppRunner | None = None
    _callback: int = 0
    _key: str = ""

    @property
    def pull_address(self) -> str:
        return f"rtmp://{_bracketed(self._reach)}:{self.port}/{APPLICATION}/{self._alias}"

    @property
    def _reach(self) -> str:
        """The address at which this machine reaches the server."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def _alias(self) -> str:
        return "feed-" + self._name

    @property
    def _name(self) -> str:
        return self.feed.replace(":", "-")

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"nginx-{self._name}.pid"

    async def attempt(self, leg: Leg) -> Outcome:
        """Run the server until it ends; one try of its leg."""
        self._nobody()
        self._key = await self.key()
        await self._serve_callback()
        config = self.folder / f"ingest-{self._name}.conf"
        await asyncio.to_thread(config.write_text, self._config())
        leg.target = f"rtmp://{_bracketed(self.host)}:{self.port}/{APPLICATION}/***"
        child = await Child.start(
            leg.id, [find_nginx(), "-p", str(self.folder), "-e", "stderr", "-c", str(config)],
            clean=lambda line: line.replace(self._key, "***"),
        )  # fmt: skip
        leg.pid = child.pid
        try:
            return await self._watch(leg, child)
        finally:
            self._nobody()
            await child.stop()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _config(self) -> str:
        return CONFIG.format(
            pid_file=self._pid_file, module=rtmp_module(),
            listen=f"{_bracketed(self.host)}:{self.port}", reach=self._reach,
            application=APPLICATION, callback=self._callback,
            user="user root;" if os.geteuid() == 0 else "",
        )  # fmt: skip

    def _nobody(self) -> None:
        self._publishers.clear()
        self.published.clear()

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
            return int(self._pid_file.read_text()) == pid
        except (OSError, ValueError):
            return False

    async def _listens(self) -> bool:
        try:
            async with asyncio.timeout(1.0):
                _, writer = await asyncio.open_connection(self._reach, self.port)
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

        form = await _form(request)
        name = form.get("name", "")
        if not hmac.compare_digest(name.encode(), self._key.encode()):
            self.on_refused(form.get("addr", "?"), "wrong key")
            return web.Response(status=403)
        self._publishers.add(form.get("clientid", ""))
        self.published.set()
        return web.Response(status=302, headers={"Location": self._alias})

    async def _done(self, request: web.Request) -> web.Response:
        from aiohttp import web

        self._publishers.discard((await _form(request)).get("clientid", ""))
        if not self._publishers:
            self.published.clear()
        return web.Response()


async def _form(request: web.Request) -> dict[str, str]:
    """The first value of every field: a key may hold any bytes."""
    fields = parse_qs((await request.read()).decode(errors="replace"))
    return {name: values[0] for name, values in fields.items()}


def _bracketed(host: str) -> str:
    """The host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def find_nginx() -> str:
    """The nginx program; Unavailable naming the Debian packages when it is not there."""
    found = shutil.which("nginx") or shutil.which("nginx", path=SBIN)
    if found is None:
        raise _missing()
    return found


def rtmp_module() -> Path:
    """The rtmp module; Unavailable naming the Debian packages when it or nginx is not there."""
    find_nginx()
    for path in MODULES:
        if path.exists():
            return path
    raise _missing()


def _missing() -> Unavailable:
    return Unavailable(
        "RTMP needs nginx with its rtmp module: install the Debian packages nginx and"
        " libnginx-mod-rtmp (a hall can send by SRT instead)",
        code="package_missing",
    )
