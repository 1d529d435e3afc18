"""A whole web part for tests: real SQLite, real Redis, a small configuration, seeded meetings."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from streamer.config.models import Configuration, RegionConfig, ServiceConfig
from streamer.domain.events import Event, EventName
from streamer.domain.meeting import Meeting, MeetingState, Names, instant
from streamer.store.live import Live
from streamer.store.records import Records
from streamer.store.secrets import SecretStore
from streamer.web.context import WebContext

CANARY = "canary-5f1d-key-0042"
"""A stream key; it must never be in an answer."""
PASSWORD = "correct horse battery"

Client = TestClient[web.Request, web.Application]


def region(slug: str, kk: str, ru: str, en: str) -> RegionConfig:
    """A region with a hall, two enabled accounts and one that is switched off."""
    names = {"kk": kk, "ru": ru, "en": en}
    account = {"kind": "rtmp", "url": "rtmp://ingest.example.kz/live2", "key": "store:youtube"}
    return RegionConfig.model_validate({
        "slug": slug, "code": "100000000", "kind": "region", "names": names, "centre": names,
        "time_zone": "Asia/Almaty",
        "halls": [{"id": "main", "names": names, "sources": [{"kind": "test"}]}],
        "destinations": [
            {"id": "youtube", "name": "YouTube", "enabled": True, **account,
             "page": "https://youtube.example.kz/akimat"},
            {"id": "facebook", "name": "Facebook", "enabled": True, **account},
            {"id": "vk", "name": "VK", "enabled": False, **account},
        ],
    })  # fmt: skip


def configuration(home: Path) -> Configuration:
    return Configuration(
        ServiceConfig(home=home),
        {
            "abai": region("abai", "Абай облысы", "область Абай", "Abai Region"),
            "akmola": region("akmola", "Ақмола облысы", "Акмолинская область", "Akmola Region"),
        },
    )


@dataclass
class World:
    """What a test works with. `prepared` lists the calls of `prepare`."""

    context: WebContext
    records: Records
    live: Live
    secrets: SecretStore
    home: Path
    prepared: list[tuple[str, str]] = field(default_factory=list)

    async def meeting(
        self, id: str = "2027-02-19-abai-k3f9", *, state: MeetingState = MeetingState.PLANNED,
        starts: datetime | None = None, region: str = "abai", hall: str = "",
        destinations: tuple[str, ...] = (),
    ) -> Meeting:  # fmt: skip
        """Plan a meeting and put it into `state`; two hours, by default on 19.02.2027 10:00."""
        starts_at = starts or instant("2027-02-19T10:00", "Asia/Almaty")
        wall = (starts_at + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M")
        meeting = Meeting(
            id=id, region=region,
            title=Names("Абай облысы әкімінің есебі", "Отчёт акима области Абай", "Report"),
            starts_at=starts_at, ends_at=starts_at + timedelta(hours=2), zone="Asia/Almaty",
            wall_start=wall, destinations=destinations, speaker="Б. Уәли", hall=hall,
        )  # fmt: skip
        await self.records.create_meeting(meeting, "test")
        if state is not MeetingState.PLANNED:
            await self.records.set_state(id, MeetingState.PLANNED, state, by="test")
        return await self.records.meeting(id)

    async def snapshot(self, meeting: str, state: MeetingState, **more: Any) -> dict[str, Any]:
        """Put a snapshot as a run writes it."""
        now = time.time()
        value = {
            "meeting": meeting, "state": str(state), "at": now, "run": "r1", "worker": "w1",
            "seq": 3, "since": now, "programme_s": 12.4,
            "on_air_since": now - 600 if state is MeetingState.LIVE else None,
            "scene": {"wanted": "hall", "shown": "hall", "muted": False},
            "legs": legs(now), "meters": {"peak_db": [-12.0, -9.5]},
            "disk": {"free_bytes": 210_000_000_000, "hours_left": 42.5},
            "ingest": [{"feed": "feed:hall", "kind": "srt", "address": "srt://192.0.2.1:9000",
                        "key_hint": "store:hall"}],
            "watch": "hls/index.m3u8", **more,
        }  # fmt: skip
        await self.live.put_snapshot(meeting, value)
        return value

    async def happened(
        self, meeting: str, seq: int, name: EventName, data: dict[str, Any] | None = None,
        *, at: float | None = None, projected: bool = True, said: bool = True,
    ) -> Event:  # fmt: skip
        """Let an event happen: in Redis (`said`), and in SQL (`projected`)."""
        event = Event(meeting, seq, at if at is not None else time.time(), name, data or {})
        if said:
            await self.live.publish(event)
        if projected:
            await self.records.apply(event)
        return event


def legs(now: float) -> list[dict[str, Any]]:
    """Legs of a meeting on air; the middle account is lost."""

    def leg(id_: str, name: str, state: str, health: str, sent: int, **more: Any) -> dict[str, Any]:
        return {
            "id": id_, "kind": id_.split(":")[0], "name": name, "state": state, "wanted": True,
            "health": health, "bytes": sent, "tries": 1, "since": now - 600, "moved_at": now,
            "error": "", "act": None, "target": "", "detail": "", **more,
        }  # fmt: skip

    return [
        leg("feed:hall", "Зал", "RUNNING", "green", 236_000_000, detail="1280x720 25"),
        leg("encoder:main", "H.264 + AAC", "RUNNING", "green", 241_000_000),
        leg("relay:youtube", "YouTube", "RUNNING", "green", 240_500_000,
            target="rtmp://ingest.example.kz/live2/***"),
        leg("relay:facebook", "Facebook", "FAILED", "red", 90_100_000, tries=4, act="sign_in",
            error="the platform refused the key", target="rtmps://live.example.kz/rtmp/***"),
        leg("relay:vk", "VK", "BACKING_OFF", "red", 12_000_000, tries=3, act="wait",
            error="connection reset by peer", target="rtmp://ovsu.example.kz/input/***"),
        leg("recorder:a", "A", "RUNNING", "green", 241_000_000, detail="master/part-0001.ts"),
        leg("recorder:b", "B", "RUNNING", "green", 239_000_000, detail="hls/part-0001"),
    ]  # fmt: skip


def csrf_in(text: str) -> str:
    """The CSRF token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert found, "the page has no CSRF token"
    return found[1]


async def sign_in(client: Client, name: str, password: str = PASSWORD) -> str:
    """Sign in by the form; returns the session's CSRF token."""
    async with client.get("/login") as page:
        token = csrf_in(await page.text())
    form = {"name": name, "password": password, "csrf_token": token, "next": "/"}
    async with client.post("/login", data=form, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
    async with client.get("/") as page:
        return csrf_in(await page.text())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def recording(folder: Path, began: datetime, segments: int = 6, gap_after: int = 0) -> None:
    """Write a viewing copy of 2 s segments that begins at `began`."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:2",
             "#EXT-X-PLAYLIST-TYPE:EVENT", "#EXT-X-INDEPENDENT-SEGMENTS"]  # fmt: skip
    (folder / "part-0001").mkdir(parents=True)
    (folder / "part-0001" / "init.mp4").write_bytes(b"init")
    lines.append('#EXT-X-MAP:URI="part-0001/init.mp4"')
    at = began
    for number in range(1, segments + 1):
        name = f"part-0001/seg-{number:05}.m4s"
        (folder / name).write_bytes(f"segment {number}".encode() * 20)
        date = at.astimezone(UTC).isoformat(timespec="milliseconds")
        lines += [f"#EXT-X-PROGRAM-DATE-TIME:{date}", "#EXTINF:2.000000,", name]
        at += timedelta(seconds=2 + (5 if number == gap_after else 0))
    (folder / "index.m3u8").write_text("\n".join(lines) + "\n", encoding="utf-8")
