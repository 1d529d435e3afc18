"""Lines of detectors, and names of feeds, as people read them."""

import pytest

from streamer.web import i18n, words

LANGUAGES = i18n.Languages()


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "Hall: the picture is black"),
        ("ru", "Зал: чёрная картинка"),
        ("kk", "Зал: сурет қара"),
    ],
)
def test_a_fault_is_told_in_words(language: str, line: str) -> None:
    data = {"feed": "feed:hall", "detector": "black", "value": 3.0, "limit": 3.0}
    assert words.event_text(LANGUAGES, language, "signal_fault", data) == line


def test_its_end_is_told_with_its_length() -> None:
    data = {"feed": "feed:site:semey", "detector": "silent", "seconds": 12.34}
    line = words.event_text(LANGUAGES, "en", "signal_recovered", data)
    assert line == "Over after 12.3 s: semey, no sound"


def test_feeds_are_called_as_people_call_them() -> None:
    named = {"feed:hall": "Hall", "feed:slides": "Slides", "programme": "Programme"}
    for feed, name in named.items():
        data = {"feed": feed, "detector": "no_bytes"}
        line = words.event_text(LANGUAGES, "en", "signal_fault", data)
        assert line == f"{name}: nothing arrives"
    lost = words.event_text(LANGUAGES, "en", "source_lost", {"feed": "feed:second-camera"})
    assert lost.startswith("Source lost: second-camera;")


def test_a_list_of_feeds_is_read_out() -> None:
    data = {"feeds": ["feed:hall", "feed:site:semey"]}
    line = words.event_text(LANGUAGES, "en", "feeds_reduced", data)
    assert line == "Shown as still pictures until they are on: Hall, semey"


def test_pages_get_the_words_and_what_to_do() -> None:
    tables = words.tables(LANGUAGES, "ru")
    assert tables["detectors"]["silent"] == "нет звука"
    assert tables["advice"]["black"].startswith("Проверьте камеру")
    assert tables["feeds"]["feed:slides"] == "Слайды"
