"""Languages of accounts: one that the programme does not have is a fault with its line."""

from __future__ import annotations

import pytest

from streamer.config.loader import check
from tests.unit.config.conftest import Write

SECOND = "languages: {main: kk, second: ru}\n"


def with_language(region: str, language: str, second: str = "") -> str:
    name = "    name: VK Video\n"
    return second + region.replace(name, f"{name}    language: {language}\n")


@pytest.mark.parametrize(
    ("language", "second", "right"),
    [
        ("ru", "", "write kk, or add languages: second: ru"),
        ("en", SECOND, "write kk or ru"),
    ],
)
def test_a_language_that_the_programme_lacks(
    write: Write, region: str, language: str, second: str, right: str
) -> None:
    text = with_language(region, language, second)
    (fault,) = check(write(abai=text), {})
    assert fault.path == "destinations[1].language"
    assert fault.line == text.splitlines().index(f"    language: {language}") + 1
    assert (fault.wrong, fault.right) == (f"the programme has no sound in '{language}'", right)


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_both_languages_of_the_programme_may_be_sent(
    write: Write, region: str, language: str
) -> None:
    assert not check(write(abai=with_language(region, language, SECOND)), {})
