"""Catalogues: everything is translated, places match, and every word of the domain has one."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

import streamer.web
from streamer.domain.errors import Act, BadInput
from streamer.domain.events import EventName
from streamer.domain.legs import Health, LegKind, LegState
from streamer.domain.lifecycle import Command
from streamer.domain.meeting import MeetingState, instant
from streamer.domain.signals import Detector
from streamer.web import i18n, words

ROOT = Path(streamer.web.__file__).parent
PLACES = re.compile(r"%\(\w+\)s")


@pytest.fixture(scope="module")
def texts() -> set[str]:
    """Every text of code and templates that is to be translated."""
    found = extract_from_dir(
        ROOT, method_map=[("**.py", "python"), ("templates/**.html", "jinja2")],
        keywords={**DEFAULT_KEYWORDS, "N_": None},
        options_map={"templates/**.html": {"newstyle_gettext": "true", "silent": "false"}},
    )  # fmt: skip
    return {str(message) for _, _, message, _, _ in found}


def catalogue(language: str) -> Catalog:
    with (i18n.LOCALES / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_everything_is_translated(language: str, texts: set[str]) -> None:
    known = {str(message.id): message for message in catalogue(language) if message.id}
    assert texts - known.keys() == set(), "not in the catalogue"
    assert known.keys() - texts == set(), "not used any more"
    for id_, message in known.items():
        assert message.string, id_
        assert not message.fuzzy, id_
        assert sorted(PLACES.findall(str(message.string))) == sorted(PLACES.findall(id_)), id_


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_nothing_was_left_in_english(language: str, texts: set[str]) -> None:
    same = {str(m.id) for m in catalogue(language) if m.id and m.id == m.string}
    assert same <= {
        "%(from)s → %(to)s", "%(leg)s: %(from)s → %(to)s", "%(feed)s: %(detector)s",
    }  # fmt: skip


def test_every_word_of_the_domain_is_in_a_table() -> None:
    assert words.STATES.keys() == set(MeetingState)
    assert words.LEG_STATES.keys() == set(LegState)
    assert words.LEG_KINDS.keys() == set(LegKind)
    assert words.HEALTH.keys() == set(Health)
    assert words.ACTS.keys() == set(Act)
    assert words.EVENTS.keys() == set(EventName)
    assert words.DETECTORS.keys() == words.ADVICE.keys() == set(Detector)
    assert words.COMMANDS.keys() == set(Command) - {Command.SEALED, Command.REPLAN}


def test_lines_and_errors_in_words() -> None:
    languages = i18n.Languages()
    data = {"from": "LINE_UP", "to": "LIVE"}
    line = words.event_text(languages, "ru", "meeting_state_changed", data)
    assert line == "Проверка перед эфиром → В эфире"
    assert words.event_text(languages, "en", "relay_lost", {}) == "Connection lost: –"
    busy = BadInput("x", code="account_busy", account="youtube", other="2027-…")
    assert words.error_text(languages, "kk", busy).startswith("youtube аккаунты")
    assert words.error_text(languages, "kk", BadInput("as it is", code="rare")) == "as it is"


def test_dates_as_they_are_written_in_kazakhstan() -> None:
    at = instant("2021-02-19T10:00", "Asia/Almaty")
    assert i18n.when(at, "Asia/Almaty") == "19.02.2021 10:00"
    assert i18n.when(at) == "19.02.2021 04:00", "Almaty was at UTC+6 then"
    assert i18n.offset_minutes(instant("2027-02-19T10:00", "Asia/Almaty"), "Asia/Almaty") == 300
    assert i18n.size(1_234_567) == "1.2 MB"
