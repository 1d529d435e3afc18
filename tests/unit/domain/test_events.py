"""Events as lines: there and back, and what is no event."""

import pytest

from streamer.domain.events import Event, EventName


@pytest.mark.parametrize("name", EventName)
def test_there_and_back(name: EventName) -> None:
    event = Event("m", 7, 1_803_000_000.125, name, {"text": "Зал\n\u2028", "n": [1, None, True]})
    line = event.to_json()
    assert "\n" not in line
    assert Event.from_json(line) == event
    assert Event.from_json(line.encode()) == event


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "7", '{"meeting":"m"}', '{"meeting":"m","seq":1,"at":1,"name":"x","data":{}}',
     '{"meeting":"m","seq":"a","at":1,"name":"muted","data":{}}'],
)  # fmt: skip
def test_what_is_no_event(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any wording
        Event.from_json(line)


def test_a_torn_line_is_no_event() -> None:
    line = Event("m", 1, 2.0, EventName.MUTED, {"muted": True, "by": "x"}).to_json()
    for cut in range(len(line)):
        with pytest.raises(ValueError):  # noqa: PT011 - of any wording
            Event.from_json(line[:cut])
