"""Pages from templates, in the language of the reader."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import jinja2
from aiohttp import web

from streamer.domain.errors import StreamerError, Unavailable
from streamer.domain.meeting import MeetingState
from streamer.web import i18n, words
from streamer.web.auth import Identity, csrf_of
from streamer.web.context import GATE, LANGUAGES
from streamer.web.i18n import LANGUAGE


class Pages:
    """One template environment per language."""

    def __init__(self, languages: i18n.Languages) -> None:
        self._environments = {name: _environment(languages, name) for name in i18n.LANGUAGES}

    def render(self, language: str, template: str, values: dict[str, Any]) -> str:
        return self._environments[language].get_template(template).render(values)


FRAMED: web.RequestKey[bool] = web.RequestKey("framed", bool)
"""Set by a page that other sites may show in a frame."""
PAGES: web.AppKey[Pages] = web.AppKey("pages", Pages)


def _environment(languages: i18n.Languages, language: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("streamer.web"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    # newstyle: the values of a text are escaped, the text itself is ours.
    environment.install_gettext_translations(  # type: ignore[attr-defined]
        languages.catalogue(language), newstyle=True
    )
    environment.filters.update(
        when=i18n.when, clock=i18n.clock, size=i18n.size,
        clock_s=i18n.clock_s, offset_minutes=i18n.offset_minutes,
        compact=lambda value: json.dumps(value, ensure_ascii=False, default=str),
        word=lambda key, table: languages.text(language, table[str(key)]),
    )  # fmt: skip
    environment.globals.update(
        language=language, languages=i18n.LANGUAGES, STATES=words.STATES, FIELDS=words.FIELDS,
        COMMANDS=words.COMMANDS, LEG_KINDS=words.LEG_KINDS, HEALTH=words.HEALTH,
    )  # fmt: skip
    return environment


async def page(
    request: web.Request, template: str, values: dict[str, Any] | None = None, *,
    status: int = 200, who: Identity | None = None,
) -> web.Response:  # fmt: skip
    """Render `template`; `who` is the person that is signed in."""
    language = request.get(LANGUAGE, i18n.DEFAULT)
    known: dict[str, Any] = {
        "who": who,
        "csrf": csrf_of(request) if who or template == "login.html" else "",
        "here": request.path,
        "switch": {
            name: "?" + urlencode({**request.query, "lang": name}) for name in i18n.LANGUAGES
        },
        "running": [str(state) for state in MeetingState if state.running],
        **(values or {}),
    }
    text = request.app[PAGES].render(language, template, known)
    return web.Response(
        text=text, content_type="text/html", status=status, headers={"Cache-Control": "no-store"}
    )


async def error_page(request: web.Request, error: StreamerError, status: int) -> web.Response:
    """The error as a page; who is not signed in is led to the sign-in."""
    if status == 401:
        raise web.HTTPSeeOther("/login?" + urlencode({"next": request.path_qs}))
    languages = request.app[LANGUAGES]
    language = request.get(LANGUAGE, i18n.language_of(request))
    try:
        who = await request.app[GATE].identify(request)
    except Unavailable:
        who = None
    values = {
        "text": words.error_text(languages, language, error),
        "act": languages.text(language, words.ACTS[error.act]),
        "status": status,
    }
    return await page(request, "error.html", values, status=status, who=who)
