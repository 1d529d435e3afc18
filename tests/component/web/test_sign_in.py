"""Sessions: signing in and out, forged requests, guessing of passwords, headers."""

import stat
from dataclasses import replace

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from streamer.domain.roles import Role
from streamer.web.app import create_app
from streamer.web.sessions import KEY_FILE
from tests.component.web.world import PASSWORD, Client, World, csrf_in, sign_in

pytestmark = pytest.mark.component

HTML = {"Accept": "text/html"}


async def test_a_person_signs_in_works_and_signs_out(client: Client, world: World) -> None:
    async with client.get("/", headers=HTML, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login?next=/")
    csrf = await sign_in(client, "aru")
    async with client.get("/api/meetings") as answer:
        assert answer.status == 200
    async with client.post("/logout", data={"csrf_token": csrf}, allow_redirects=False) as answer:
        assert answer.status == 303
    async with client.get("/api/meetings") as answer:
        assert answer.status == 401
    what = [row.what for row in await world.records.audit_log()]
    assert "signed_in" in what
    assert "signed_out" in what


async def test_a_request_without_the_token_of_the_session_is_refused(
    client: Client, world: World
) -> None:
    meeting = await world.meeting()
    csrf = await sign_in(client, "aru")
    path, body = f"/api/meetings/{meeting.id}/commands", {"command": "postpone"}
    for headers in ({}, {"X-CSRF-Token": "guess"}, {"X-CSRF-Token": csrf[:-1]}):
        async with client.post(path, json=body, headers=headers) as answer:
            assert answer.status == 403
            assert (await answer.json())["error"]["code"] == "form_expired"
    async with client.post("/logout", data={}) as answer:
        assert answer.status == 403
    async with client.post(path, json=body, headers={"X-CSRF-Token": csrf}) as answer:
        assert answer.status == 202


async def test_the_sign_in_form_is_protected_too(client: Client) -> None:
    form = {"name": "aru", "password": PASSWORD}
    async with client.post("/login", data=form, allow_redirects=False) as answer:
        assert answer.status == 403


async def test_signing_in_gives_a_new_csrf_token(client: Client) -> None:
    async with client.get("/login") as page:
        before = csrf_in(await page.text())
    assert await sign_in(client, "aru") != before


async def test_wrong_passwords_are_answered_alike_and_then_limited(client: Client) -> None:
    async with client.get("/login?lang=en") as page:
        csrf = csrf_in(await page.text())
    seen = set()
    for name in ("aru", "nobody", "nobody", "nobody", "nobody", "nobody"):
        form = {"name": name, "password": "wrong", "csrf_token": csrf}
        async with client.post("/login", data=form) as answer:
            text = await answer.text()
            assert answer.status == 401
            seen.add("The name or the password is wrong." in text)
    assert seen == {True}
    form = {"name": "nobody", "password": "wrong", "csrf_token": csrf}
    async with client.post("/login", data=form) as answer:
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 200
    await sign_in(client, "aru")  # others are not locked out


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/logout", "\n/"]
)
async def test_signing_in_never_leads_to_another_site(client: Client, target: str) -> None:
    async with client.get("/login") as page:
        csrf = csrf_in(await page.text())
    form = {"name": "aru", "password": PASSWORD, "csrf_token": csrf, "next": target}
    async with client.post("/login", data=form, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")


async def test_a_forged_cookie_is_nobody(client: Client) -> None:
    headers = {"Cookie": "streamer_session=gAAAAABnonsense"}
    async with client.get("/api/meetings", headers=headers) as answer:
        assert answer.status == 401


async def test_behind_a_proxy_guessing_locks_out_only_who_guesses(world: World) -> None:
    service = world.context.configuration.service
    behind = service.model_copy(
        update={"web": service.web.model_copy(update={"public_url": "http://m.example.kz"})}
    )
    configuration = replace(world.context.configuration, service=behind)
    app = create_app(replace(world.context, configuration=configuration))
    jar = CookieJar(unsafe=True)
    async with TestClient(TestServer(app), cookie_jar=jar) as client:
        async with client.get("/login") as page:
            form = {"name": "aru", "password": "wrong", "csrf_token": csrf_in(await page.text())}
        statuses = []
        for caller in (*["198.51.100.1"] * 6, "203.0.113.2"):
            headers = {"X-Forwarded-For": f"10.0.0.9, {caller}"}
            async with client.post("/login", data=form, headers=headers) as answer:
                statuses.append(answer.status)
    assert statuses == [401] * 5 + [429, 401]


async def test_the_cookie_is_closed_and_its_key_is_ours_alone(client: Client, world: World) -> None:
    async with client.get("/login") as answer:
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    mode = stat.S_IMODE((world.home / KEY_FILE).stat().st_mode)
    assert mode == 0o600


async def test_rights_are_read_anew_not_from_the_cookie(client: Client, world: World) -> None:
    await world.records.create_user("rep", PASSWORD, Role.REPORTER, None, "test")
    async with client.get("/login") as page:
        csrf = csrf_in(await page.text())
    form = {"name": "rep", "password": PASSWORD, "csrf_token": csrf}
    async with client.post("/login", data=form) as answer:
        assert answer.status == 403, "a reporter has no pages of the staff"


async def test_every_answer_carries_the_security_headers(client: Client) -> None:
    for path in ("/login", "/archive", "/api/meetings", "/nothing", "/static/css/base.css"):
        async with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self'")
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
