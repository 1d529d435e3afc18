"""Cutting a playlist at the moment of going live."""

from datetime import UTC, datetime

import pytest

from streamer.web import playlist as hls

TEXT = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-MAP:URI="part-0001/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2027-02-19T05:00:00.000+0000
#EXTINF:2.000,
part-0001/seg-1.m4s
#EXTINF:2.000,
part-0001/seg-2.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="part-0002/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2027-02-19T05:00:10.000Z
#EXTINF:2.000,
part-0002/seg-1.m4s
#EXTINF:1.500,
part-0002/seg-2.m4s
#EXT-X-ENDLIST
"""
START = datetime(2027, 2, 19, 5, 0, tzinfo=UTC).timestamp()


def test_a_playlist_is_read_with_its_dates_parts_and_end() -> None:
    read = hls.parse(TEXT)
    assert [(s.uri, s.at - START, s.seconds) for s in read.segments] == [
        ("part-0001/seg-1.m4s", 0, 2), ("part-0001/seg-2.m4s", 2, 2),
        ("part-0002/seg-1.m4s", 10, 2), ("part-0002/seg-2.m4s", 12, 1.5),
    ]  # fmt: skip
    assert read.closed
    assert read.seconds == 7.5
    assert "part-0002/init.mp4" in read.files


def test_what_is_written_is_read_as_the_same() -> None:
    read = hls.parse(TEXT)
    assert hls.parse(hls.write(read)) == read


def test_the_cut_begins_with_a_map_and_without_a_discontinuity() -> None:
    public = hls.cut(hls.parse(TEXT), START + 5)
    text = hls.write(public)
    assert public.files == {"part-0002/init.mp4", "part-0002/seg-1.m4s", "part-0002/seg-2.m4s"}
    assert "DISCONTINUITY" not in text
    assert text.index('MAP:URI="part-0002') < text.index("seg-1")
    assert "part-0001" not in text


def test_a_segment_that_began_before_is_not_shown() -> None:
    public = hls.cut(hls.parse(TEXT), START + 2.001)
    assert [s.uri for s in public.segments] == ["part-0002/seg-1.m4s", "part-0002/seg-2.m4s"]


@pytest.mark.parametrize("torn", ["", "#EXTM3U\n#EXTINF:abc,\nx.m4s\n", "#EXTINF:2.0", "\0\0"])
def test_a_torn_playlist_is_empty_not_an_error(torn: str) -> None:
    assert hls.parse(torn).segments == ()


def test_gaps_are_found_with_place_and_length() -> None:
    assert hls.gaps(hls.parse(TEXT).segments) == [(START + 4, 4.0, 6.0)]


@pytest.mark.parametrize(
    ("at", "place"), [(-5, 0.0), (0, 0.0), (3, 3.0), (6, 4.0), (11, 5.0), (13.4, 7.4), (14, None)]
)
def test_an_instant_has_a_place_in_the_recording(at: float, place: float | None) -> None:
    found = hls.offset(hls.parse(TEXT).segments, START + at)
    assert found == (pytest.approx(place) if place is not None else None)
