"""Reading as much of a transport stream as the hub needs."""

import numpy as np
import pytest

from streamer.media import ts
from tests.unit.media import ts_maker
from tests.unit.media.ts_maker import AUDIO_PID, PMT_PID, VIDEO_PID, Maker, packet


def table(data: bytes) -> ts.Packets:
    return np.frombuffer(data, np.uint8).reshape(-1, ts.PACKET).copy()


def test_the_tables_lead_to_the_picture() -> None:
    assert ts.pmt_pid(packet(0, 0, ts_maker.pat(), start=True)) == PMT_PID
    assert ts.video_pid(packet(PMT_PID, 0, ts_maker.pmt(), start=True)) == VIDEO_PID
    with_info = ts_maker.pmt(info=b"\x05\x04HDMV")
    assert ts.video_pid(packet(PMT_PID, 0, with_info, start=True)) == VIDEO_PID


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff" * 184,
        b"\0",
        b"\0\x02\xb0\x05abc",
        b"\0\0\xb0\0",
        b"\0\x02\xbf\xff" + b"\xf0" * 60,
    ],
    ids=["empty", "stuffing", "pointer only", "short", "no length", "length beyond the packet"],
)
def test_a_damaged_table_says_nothing(payload: bytes) -> None:
    broken = packet(PMT_PID, 0, payload, start=True)
    assert ts.video_pid(broken) in (None, *range(0x2000))
    assert ts.pmt_pid(broken) in (None, *range(0x2000))


@pytest.mark.parametrize("length", range(0, 256, 5))
def test_an_adaptation_field_of_any_length_is_survived(length: int) -> None:
    broken = bytes([0x47, 0x40, 0x00, 0x30, length]) + b"\x02" * 183
    ts.pmt_pid(broken)
    ts.video_pid(broken)


def test_keyframes_are_those_of_the_picture() -> None:
    data = Maker().group() + packet(AUDIO_PID, 0, b"", start=True, keyframe=True)
    packets = table(data)
    found = ts.keyframes(packets, ts.pids_of(packets), VIDEO_PID)
    assert list(found) == [2]
    assert list(ts.pids_of(packets)[:3]) == [0, PMT_PID, VIDEO_PID]


def test_the_next_packet_is_where_two_lie_in_a_row() -> None:
    one = packet(VIDEO_PID, 0, b"x")
    assert ts.next_packet(b"abc" + one + one) == 3
    assert ts.next_packet(b"aGc" + one + one) == 3
    assert ts.next_packet(b"abc" + one[:5]) == 3  # as far as one can see
    assert ts.next_packet(b"abc") == 3
    assert ts.next_packet(one + one) == ts.PACKET


def test_counters_go_on_over_any_number_of_encoders() -> None:
    keeper = ts.Continuity()
    whole = b""
    for count in (3, 1, 5, 2):
        keeper.splice()
        encoder = Maker()
        for _ in range(3):  # several pieces of each encoder
            packets = table(encoder.group(count))
            keeper.apply(packets, ts.pids_of(packets))
            whole += packets.tobytes()
    assert ts_maker.jumps(whole) == 0


def test_without_a_splice_nothing_is_changed() -> None:
    packets = table(Maker().group())
    before = packets.copy()
    ts.Continuity().apply(packets, ts.pids_of(packets))
    assert (packets == before).all()
