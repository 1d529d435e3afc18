"""The private Redis of one machine: on a unix socket, with an append-only file."""

from __future__ import annotations

import shutil
from pathlib import Path

from streamer.domain.errors import BadInput, Unavailable

SOCKET_PATH_MAX = 107
"""Bytes of a unix socket's path (sun_path holds 108 with its zero)."""


def socket(home: Path) -> Path:
    return home / "redis.sock"


def url(home: Path) -> str:
    return f"unix://{socket(home)}"


def argv(home: Path) -> list[str]:
    """The command line of the private Redis; its folder is made. Blocking.

    Raises Unavailable when no redis-server is installed, BadInput when the path is too long.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        raise Unavailable(
            "redis-server is not installed: install the Debian package redis-server, or name a"
            " Redis by REDIS_URL",
            code="package_missing",
        )
    if len(str(socket(home)).encode()) > SOCKET_PATH_MAX:
        raise BadInput(
            f"the path of home is too long for a unix socket: {socket(home)}; choose a shorter one",
            code="path_too_long",
        )
    folder = home / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        binary, "--port", "0", "--unixsocket", str(socket(home)), "--unixsocketperm", "700",
        "--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
        "--daemonize", "no", "--loglevel", "warning",
    ]  # fmt: skip
