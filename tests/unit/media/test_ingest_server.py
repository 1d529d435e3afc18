"""The ingest's nginx: where it is found, and the files and addresses of each source."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.domain.errors import Unavailable
from streamer.media import ingest
from streamer.media.ingest import RtmpIngest, find_nginx, rtmp_module


async def key() -> str:
    return "quiet-key"


def program(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "nginx"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_nginx_is_found_where_an_ordinary_users_path_does_not_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian keeps it in /usr/sbin: RTMP failed for everybody but root."""
    found = program(tmp_path / "sbin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(ingest, "SBIN", str(found.parent))
    assert find_nginx() == str(found)
    own = program(tmp_path / "bin")
    assert find_nginx() == str(own)


@pytest.mark.parametrize("missing", ["nginx", "module"])
def test_what_is_missing_is_said_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(ingest, "SBIN", "")
    monkeypatch.setattr(ingest, "MODULES", (tmp_path / "bin/nginx",))
    if missing == "module":
        program(tmp_path / "bin")
        monkeypatch.setattr(ingest, "MODULES", (tmp_path / "module.so",))
    with pytest.raises(Unavailable, match="nginx and libnginx-mod-rtmp"):
        rtmp_module()


@pytest.mark.parametrize(
    ("host", "listen", "reach"),
    [
        ("0.0.0.0", "0.0.0.0:1935", "127.0.0.1"),
        ("::", "[::]:1935", "[::1]"),
        ("2001:db8::1", "[2001:db8::1]:1935", "[2001:db8::1]"),
        ("192.0.2.1", "192.0.2.1:1935", "192.0.2.1"),
    ],
)  # fmt: skip
def test_any_network_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, listen: str, reach: str
) -> None:
    program(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(ingest, "MODULES", (tmp_path,))
    server = RtmpIngest("hall", host, 1935, tmp_path, key)
    text = server._config()
    assert f"listen {listen};" in text
    assert f"allow play {reach.strip('[]')};" in text
    assert server.pull_address == f"rtmp://{reach}:1935/live/feed-hall"


def test_two_sources_have_files_of_their_own(tmp_path: Path) -> None:
    one = RtmpIngest("hall", "127.0.0.1", 1935, tmp_path, key)
    other = RtmpIngest("stage", "127.0.0.1", 1936, tmp_path, key)
    assert one._pid_file != other._pid_file
