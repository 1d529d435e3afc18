"""Recordings: who sees what when, the cut before going live, ranges, and paths that lead out."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from yarl import URL

from streamer.domain.events import EventName
from streamer.domain.meeting import MeetingState
from streamer.web.media import RECORDINGS
from tests.component.web.world import Client, World, bearer, recording

pytestmark = pytest.mark.component

ID = "2027-02-19-abai-k3f9"
BEGAN = datetime(2027, 2, 19, 4, 59, 54, tzinfo=UTC)
LIVE_AT = datetime(2027, 2, 19, 5, 0, tzinfo=UTC)


@pytest.fixture
async def folder(world: World) -> Path:
    """A meeting in line-up whose viewing copy began six seconds before going live."""
    await world.meeting(ID, state=MeetingState.LINE_UP)
    folder = world.context.meeting_folder(ID)
    await asyncio.to_thread(recording, folder / "hls", BEGAN)
    (folder / "spec.json").write_text("{}")
    (folder / "master").mkdir()
    (folder / "master" / "part-0001.ts").write_bytes(b"x")
    return folder


async def go_live(world: World, client: Client, to: MeetingState = MeetingState.LIVE) -> None:
    await world.records.set_state(ID, MeetingState.LINE_UP, to, by="test")
    await world.happened(
        ID, 1, EventName.MEETING_STATE_CHANGED, {"from": "LINE_UP", "to": "LIVE", "by": "aru"},
        at=LIVE_AT.timestamp(),
    )  # fmt: skip
    client.app[RECORDINGS]._kept.clear()


async def fetch(
    client: Client, path: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    async with client.get(URL(path, encoded=True), headers=headers) as answer:
        return answer.status, await answer.read()


async def test_staff_see_the_line_up_and_the_public_does_not(
    client: Client, token: str, folder: Path
) -> None:
    index = f"/media/{ID}/hls/index.m3u8"
    segment = f"/media/{ID}/hls/part-0001/seg-00001.m4s"
    assert (await fetch(client, index))[0] == 404
    assert (await fetch(client, segment))[0] == 404
    status, text = await fetch(client, index, bearer(token))
    assert (status, text.count(b".m4s")) == (200, 6)
    assert (await fetch(client, segment, bearer(token)))[0] == 200


async def test_the_public_sees_it_from_going_live_on(
    client: Client, token: str, world: World, folder: Path
) -> None:
    await go_live(world, client)
    status, text = await fetch(client, f"/media/{ID}/hls/index.m3u8")
    assert status == 200
    assert b"seg-00003" not in text
    assert text.count(b".m4s") == 3
    assert text.count(b"EXT-X-MAP") == 1
    assert b"PROGRAM-DATE-TIME:2027-02-19T05:00:00.000+00:00" in text
    part = f"/media/{ID}/hls/part-0001"
    assert (await fetch(client, f"{part}/seg-00003.m4s"))[0] == 404, "line-up, open microphones"
    assert (await fetch(client, f"{part}/seg-00004.m4s"))[0] == 200
    assert (await fetch(client, f"{part}/init.mp4"))[0] == 200
    assert (await fetch(client, f"{part}/seg-00003.m4s", bearer(token)))[0] == 200


async def test_types_caching_and_ranges(client: Client, world: World, folder: Path) -> None:
    await go_live(world, client)
    async with client.get(f"/media/{ID}/hls/index.m3u8") as answer:
        assert answer.content_type == "application/vnd.apple.mpegurl"
        assert answer.headers["Cache-Control"] == "no-cache"
    path = f"/media/{ID}/hls/part-0001/seg-00005.m4s"
    async with client.get(path, headers={"Range": "bytes=0-6"}) as answer:
        assert (answer.status, await answer.read()) == (206, b"segment")
        assert answer.headers["Content-Range"].startswith("bytes 0-6/")


@pytest.mark.parametrize(
    "path",
    [
        "spec.json", "as-run.ndjson", "master/part-0001.ts", "hls/../spec.json",
        "hls/%2e%2e/spec.json", "hls/..%2fspec.json", "hls/%2e%2e%2f%2e%2e%2f%2e%2e%2fsecrets.key",
        "hls//etc/passwd", "%2fetc%2fpasswd", "hls/part-0001/../../spec.json", "hls/part-0001",
        "hls/part-0001%00.m4s", "..%5c..%5csecrets.key", "hls/link.m4s",
    ],
)  # fmt: skip
async def test_nothing_but_the_viewing_copy_is_served(
    client: Client, token: str, world: World, folder: Path, path: str
) -> None:
    (folder / "hls" / "link.m4s").symlink_to(world.home / "secrets.key")
    await go_live(world, client)
    for headers in (None, bearer(token)):
        status, body = await fetch(client, f"/media/{ID}/{path}", headers)
        assert status == 404, body


def package(world: World) -> str:
    """A small sealed package in the archive folder; returns its key."""
    key = f"2027/{ID}"
    root = world.context.archive_folder / key
    recording(root / "data" / "video" / "hls", BEGAN, gap_after=4)
    (root / "data" / "as-run.ndjson").write_text("{}\n")
    lines = []
    for file in sorted((root / "data").rglob("*")):
        if file.is_file():
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            lines.append(f"{digest}  {file.relative_to(root)}")
    (root / "manifest-sha256.txt").write_text("\n".join(lines) + "\n")
    (root / "bagit.txt").write_text("BagIt-Version: 1.0\n")
    return key


async def archive(client: Client, world: World) -> None:
    await world.meeting(ID, state=MeetingState.LINE_UP)
    await go_live(world, client, MeetingState.ARCHIVED)
    await world.happened(
        ID, 2, EventName.SOURCE_LOST, {"feed": "feed:hall"},
        at=(LIVE_AT + timedelta(seconds=3)).timestamp(),
    )  # fmt: skip
    await world.happened(
        ID, 3, EventName.INGEST_REFUSED, {"feed": "feed:hall", "address": "198.51.100.7"}
    )
    await world.happened(
        ID, 4, EventName.RECORDING_PART_STARTED,
        {"leg": "recorder:a", "recorder": "a", "part": 1, "path": "master/part-0001.ts"},
    )  # fmt: skip
    key = await asyncio.to_thread(package, world)
    await world.happened(
        ID, 5, EventName.PACKAGE_SEALED,
        {"path": key, "files": 9, "bytes": 1234, "manifest_sha256": "ab" * 32},
    )  # fmt: skip


async def test_the_archive_tells_everything_of_a_meeting(
    client: Client, token: str, world: World
) -> None:
    await archive(client, world)
    async with client.get("/api/archive/meetings?year=2027") as answer:
        [row] = (await answer.json())["meetings"]
    assert (row["meeting"]["id"], row["package"]["files"]) == (ID, 9)
    async with client.get("/api/archive/meetings?year=2027&page=2") as answer:
        assert await answer.json() == {"meetings": [], "page": 2, "pages": 1}
    async with client.get(f"/api/archive/meetings/{ID}") as answer:
        found = await answer.json()
    assert [(line["name"], line["offset"]) for line in found["as_run"]][:2] == [
        ("meeting_state_changed", 0.0), ("source_lost", 2.0),
    ]  # fmt: skip
    text = str(found["as_run"])
    assert "aru" not in text, "who pressed the button is not for the public"
    assert "198.51.100.7" not in text
    assert found["gaps"] == [
        {"at": (LIVE_AT + timedelta(seconds=2)).timestamp(), "offset": 2.0, "seconds": 5.0}
    ]
    assert [part["path"] for part in found["parts"]] == ["master/part-0001.ts"]
    files = {file["path"]: file for file in found["files"]}
    entry = files["data/as-run.ndjson"]
    assert entry["address"] is None, "the full log names staff"
    assert (await fetch(client, f"/archive/{ID}/files/data/as-run.ndjson"))[0] == 401
    log = f"/archive/{ID}/files/data/as-run.ndjson"
    status, body = await fetch(client, log, bearer(token))
    assert (status, hashlib.sha256(body).hexdigest()) == (200, entry["sha256"])
    assert (await fetch(client, f"/archive/{ID}/files/manifest-sha256.txt"))[0] == 200
    # The meeting's own folder is gone; it is watched from the package.
    status, text_ = await fetch(client, found["watch"])
    assert (status, text_.count(b".m4s")) == (200, 3)


@pytest.mark.parametrize(
    "path", ["../../../secrets.key", "data/../../../../secrets.key", "%2e%2e/%2e%2e/secrets.key",
             "data", "nothing.txt", "data/link"],
)  # fmt: skip
async def test_the_package_does_not_lead_out(client: Client, world: World, path: str) -> None:
    await archive(client, world)
    (world.context.archive_folder / "2027" / ID / "data" / "link").symlink_to("/etc/passwd")
    assert (await fetch(client, f"/archive/{ID}/files/{path}"))[0] == 404


async def test_what_is_not_over_is_not_in_the_archive(
    client: Client, world: World, folder: Path
) -> None:
    await go_live(world, client)
    for path in (f"/api/archive/meetings/{ID}", f"/archive/{ID}", f"/archive/{ID}/files/bagit.txt"):
        assert (await fetch(client, path))[0] == 404
    assert (await fetch(client, "/api/archive/meetings?year=1"))[0] == 422


async def test_everybody_may_know_whether_it_is_on(
    client: Client, world: World, folder: Path
) -> None:
    path = f"/api/public/meetings/{ID}"
    async with client.get(path) as answer:
        assert (await answer.json())["watch"] is None
    await go_live(world, client)
    async with client.get(path) as answer:
        assert await answer.json() == {
            "state": "LIVE", "starts_at": "2027-02-19T05:00:00+00:00",
            "watch": f"/media/{ID}/hls/index.m3u8", "sounds": [],
        }  # fmt: skip
