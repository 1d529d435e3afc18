"""Pages in three languages, secrets that never show, figures for operation, the whole server."""

import asyncio
import re
from typing import Any

import aiohttp
import pytest

from streamer.domain.events import EventName
from streamer.domain.meeting import MeetingState
from streamer.web.app import serve
from tests.component.web.test_recordings import ID, archive
from tests.component.web.world import CANARY, Client, World, bearer, sign_in

pytestmark = pytest.mark.component

WORDS = {
    "kk": ("Кездесулер", "Мұрағат", "Тікелей эфирде"),
    "ru": ("Встречи", "Архив", "В эфире"),
    "en": ("Meetings", "Archive", "On air"),
}


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
async def test_every_page_speaks_the_language(client: Client, world: World, language: str) -> None:
    await archive(client, world)
    other = await world.meeting("2027-02-20-abai-live", state=MeetingState.LIVE)
    await world.snapshot(other.id, MeetingState.LIVE)
    await sign_in(client, "aru")
    pages = {}
    async with client.get(f"/?lang={language}") as answer:
        pages["/"] = await answer.text()
    for path in (f"/meetings/{other.id}", f"/live/{other.id}", "/archive?year=2027",
                 f"/archive/{ID}"):  # fmt: skip
        async with client.get(path) as answer:  # the cookie keeps the language
            pages[path] = await answer.text()
            assert answer.status == 200
    for path, text in pages.items():
        assert f'<html lang="{language}">' in text
        assert WORDS[language][0] in text, path
        assert WORDS[language][1] in text, path
        assert "%(" not in re.sub(r'data-texts="[^"]*"', "", text), path
        assert re.search(r"<script(?! type=\"module\" src=)", text) is None, "no inline script"
        assert " style=" not in text
    assert WORDS[language][2] in pages[f"/meetings/{other.id}"]
    assert "19.02.2027 10:00" in pages[f"/archive/{ID}"]


async def test_kazakh_is_the_default_and_errors_are_pages_for_browsers(client: Client) -> None:
    headers = {"Accept": "text/html"}
    async with client.get("/archive/2027-01-01-abai-none", headers=headers) as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (404, "text/html")
    assert '<html lang="kk">' in text
    assert "Мұндай кездесу жоқ." in text
    async with client.get("/archive?lang=de") as answer:
        assert '<html lang="kk">' in await answer.text()


async def test_titles_are_text_never_markup(client: Client, token: str) -> None:
    evil = "<script>alert(1)</script>\"'"
    plan = {"region": "abai", "title": {"kk": evil, "ru": evil}, "starts": "2127-02-19T10:00",
            "ends": 60, "speaker": evil}  # fmt: skip
    async with client.post("/api/meetings", json=plan, headers=bearer(token)) as answer:
        made = await answer.json()
    for path in ("/", f"/meetings/{made['id']}", f"/live/{made['id']}"):
        async with client.get(path, headers=bearer(token)) as answer:
            assert "<script>alert" not in await answer.text()


async def test_no_answer_ever_holds_a_stream_key(
    client: Client, token: str, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Somebody forgot to redact everywhere; the last belt holds."""
    meeting = (await world.meeting(state=MeetingState.LIVE)).id
    address = f"rtmp://ingest.example.kz/live2/{CANARY}"
    leg = {
        "id": "relay:youtube", "kind": "relay", "name": "YouTube", "state": "FAILED",
        "wanted": True, "health": "red", "bytes": 1, "tries": 1, "since": 0, "moved_at": None,
        "act": "sign_in", "target": address, "detail": f"key {CANARY}",
        "error": f"cannot open {address}?key={CANARY}",
    }  # fmt: skip
    await world.snapshot(meeting, MeetingState.LIVE, legs=[leg])
    lost = {"leg": leg["id"], "destination": "youtube", "target": address, "reason": CANARY}
    await world.happened(meeting, 1, EventName.RELAY_LOST, lost)
    texts: list[str] = []
    path = f"/api/meetings/{meeting}"
    for where in (path, f"{path}/live", f"{path}/as-run", "/", f"/meetings/{meeting}", "/metrics",
                  "/api/openapi.json", f"/live/{meeting}", "/readyz"):  # fmt: skip
        async with client.get(where, headers=bearer(token)) as answer:
            assert answer.status == 200
            texts.append(await answer.text())
    async with client.get(f"{path}/events?after=0", headers=bearer(token)) as answer:
        async with asyncio.timeout(10):
            while "event: live" not in texts[-1]:
                texts.append((await answer.content.readuntil(b"\n\n")).decode())
    assert any("relay_lost" in text for text in texts)
    assert any("ingest.example.kz/live2/***" in text for text in texts)
    assert not any(CANARY in text for text in texts)
    assert CANARY not in "".join(capfd.readouterr())


async def test_figures_and_health(client: Client, world: World) -> None:
    meeting = await world.meeting(state=MeetingState.LIVE)
    await world.snapshot(meeting.id, MeetingState.LIVE)
    await world.live.heartbeat("w1", {"capacity": 4})
    async with client.get("/metrics") as answer:
        assert answer.content_type == "text/plain"
        lines = (await answer.text()).splitlines()
    assert 'streamer_meetings{state="LIVE"} 1' in lines
    assert 'streamer_meetings{state="PLANNED"} 0' in lines
    assert 'streamer_legs{kind="relay",health="red"} 2' in lines
    assert "streamer_workers 1" in lines
    for path in ("/healthz", "/readyz"):
        async with client.get(path) as answer:
            assert (answer.status, (await answer.json())["ok"]) == (200, True)


async def test_serve_tells_its_address_and_stops_with_open_streams(
    world: World, token: str, capfd: pytest.CaptureFixture[str]
) -> None:
    meeting = await world.meeting()
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(world.context, host="127.0.0.1", port=0, stop=stop, ready=ready.set_result),
        name="serve",
    )
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        address = f"{await ready}/api/meetings/{meeting.id}/events?after=0"
        async with session.get(address, headers=bearer(token)) as answer:
            await answer.content.readline()
            stop.set()
            await answer.read()
        began = asyncio.get_running_loop().time()
        await task
        assert asyncio.get_running_loop().time() - began < 4
    said = "".join(capfd.readouterr())
    assert "/events" in said
    assert "after=0" not in said, "the access log has no query strings"
    assert token not in said


async def test_a_taken_address_is_an_error_not_a_silence(world: World) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(OSError, match="address"):
            await serve(world.context, host="127.0.0.1", port=port, stop=asyncio.Event())
    finally:
        server.close()
        await server.wait_closed()


async def test_the_description_fits_what_is_served(client: Client) -> None:
    async with client.get("/api/openapi.json") as answer:
        document: dict[str, Any] = await answer.json()
    served = {
        (route.method, re.sub(r"\{(\w+):[^}]+\}", r"{\1}", route.resource.canonical))
        for route in client.app.router.routes()
        if route.resource is not None and route.method not in ("HEAD", "*")
    }
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert described <= served
    api = {(method, path) for method, path in served if path.startswith("/api/")}
    assert api <= described
