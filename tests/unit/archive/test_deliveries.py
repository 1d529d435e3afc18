"""Intervals of delivery from the journal."""

import csv
import io

from streamer.archive.deliveries import COLUMNS, NO_END, intervals, to_csv
from streamer.domain.events import EventName
from tests.unit.archive.makers import T0, a_meetings_events, events

RELAY = {"leg": "relay:x", "destination": "x", "target": "rtmp://h/app/***"}


def test_a_killed_run_leaves_an_interval_without_an_end() -> None:
    first, second = intervals(a_meetings_events())
    assert (first.connected_at, first.ended_at, first.bytes) == (T0 + 2.5, None, None)
    assert first.reason == NO_END
    assert (second.connected_at, second.ended_at) == (T0 + 15.5, T0 + 20.0)
    assert (second.bytes, second.seconds, second.backup) == (1234567, 4.5, True)


def test_an_end_without_a_beginning_is_kept() -> None:
    (only,) = intervals(events((3.0, EventName.RELAY_LOST, {**RELAY, "reason": "refused"})))
    assert (only.connected_at, only.ended_at, only.reason) == (None, T0 + 3, "refused")


def test_a_second_connection_ends_the_first() -> None:
    rows = intervals(
        events((1.0, EventName.RELAY_CONNECTED, RELAY), (2.0, EventName.RELAY_CONNECTED, RELAY))
    )
    assert [row.connected_at for row in rows] == [T0 + 1, T0 + 2]


def test_the_table_is_rfc_4180_and_utf_8() -> None:
    reason = 'желі үзілді, "қайта"\nекінші жол'
    text = to_csv(
        intervals(
            events(
                (1.0, EventName.RELAY_CONNECTED, RELAY),
                (
                    2.0,
                    EventName.RELAY_LOST,
                    {**RELAY, "bytes": 5, "seconds": 1.0, "reason": reason},
                ),
            )
        )
    )
    assert text.endswith("\r\n")
    header, row = csv.reader(io.StringIO(text.encode().decode("utf-8"), newline=""))
    assert tuple(header) == COLUMNS
    assert dict(zip(header, row, strict=True))["reason"] == reason
    assert row[4] == "2027-02-19T01:20:01.000+00:00"


def test_a_foreign_text_is_no_formula() -> None:
    lost = {**RELAY, "reason": '=HYPERLINK("http://x")'}
    assert "\"'=HYPERLINK" in to_csv(intervals(events((1.0, EventName.RELAY_LOST, lost))))
