"""The journal as a kill leaves it."""

from pathlib import Path

import pytest

from streamer.archive import journal
from streamer.domain.errors import NotFound
from tests.unit.archive.makers import a_meetings_events, write_journal


def test_a_whole_journal(tmp_path: Path) -> None:
    said = a_meetings_events()
    book = journal.read(write_journal(tmp_path, said))
    assert list(book.events) == said
    assert book.complete
    assert not book.torn


def test_a_torn_last_line_costs_that_event_only(tmp_path: Path) -> None:
    path = write_journal(tmp_path, a_meetings_events())
    whole = path.read_bytes()
    last = len(whole.splitlines()[-1])
    for cut in range(1, last + 1):
        book = journal.parse(whole[:-cut])
        assert len(book.events) == len(a_meetings_events()) - 1
        assert book.torn
        assert book.complete


def test_a_torn_line_in_the_middle_is_reported_by_its_number(tmp_path: Path) -> None:
    said = [event.to_json() for event in a_meetings_events()]
    said[3] = said[3][:20]
    book = journal.parse(("\n".join(said) + "\n").encode())
    assert book.damaged == (4,)
    assert book.gaps == ((4, 4),)


def test_gaps_are_ranges_and_the_first_event_is_1() -> None:
    said = a_meetings_events()
    kept = said[2:5] + said[8:]
    book = journal.parse("".join(e.to_json() + "\n" for e in kept).encode())
    assert book.gaps == ((1, 2), (6, 8))


def test_an_event_written_twice_counts_once_and_order_is_by_number() -> None:
    said = a_meetings_events()
    text = "".join(e.to_json() + "\n" for e in [*reversed(said), said[0]])
    assert list(journal.parse(text.encode()).events) == said


def test_an_event_of_a_newer_version_is_no_gap() -> None:
    said = [e.to_json() for e in a_meetings_events()]
    said[1] = said[1].replace("recording_part_started", "hologram_started")
    book = journal.parse(("\n".join(said) + "\n").encode())
    assert book.complete
    assert book.unknown == ("hologram_started",)
    assert book.damaged == ()


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\xff\xfe\x00\n", b"[]\n", b"null\n", b'{"seq":"x"}\n']
)
def test_nonsense_is_no_event(data: bytes) -> None:
    assert journal.parse(data).events == ()


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no journal"):
        journal.read(tmp_path / "as-run.ndjson")
