"""The renditions beside picture and main sound: place by place as the viewing copy itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config.models import Languages, ViewingSettings
from streamer.media import hls, multivariant
from streamer.media.multivariant import Form
from streamer.media.renditions import LATE_S, Viewing
from streamer.web import playlist
from tests.unit.archive.makers import spec

TWO = Viewing(languages=("kk", "ru"), sound_only=True, low=True)
ONE = Viewing(languages=("kk",), sound_only=True, low=True)
PICTURE = Form(("avc1.64001f", "mp4a.40.2"), 1280, 720)
SMALL = Form(("avc1.4d401e", "mp4a.40.2"), 640, 360)
SOUND = Form(("mp4a.40.2",), peak_bps=130_000)


def a_list(
    folder: Path, name: str, lengths: tuple[float, ...], *, part: int = 1, ended: bool = False
) -> Path:
    """One list of a part with its files, dated from 10:00:00 on."""
    place = folder / f"hls/part-{part:04d}"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}-init.mp4").write_bytes(b"init")
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", f'#EXT-X-MAP:URI="{name}-init.mp4"']
    at = 0.0
    for number, length in enumerate(lengths, 1):
        (place / f"{name}-{number:05d}.m4s").write_bytes(b"x" * 1000)
        lines += [
            f"#EXTINF:{length:.6f},",
            f"#EXT-X-PROGRAM-DATE-TIME:2027-02-19T10:00:{at:06.3f}+0500",
            f"{name}-{number:05d}.m4s",
        ]
        at += length
    path = place / f"{name}.m3u8"
    path.write_text("\n".join(lines + (["#EXT-X-ENDLIST"] if ended else [])) + "\n")
    return path


def text_of(folder: Path, name: str, closed: bool = True, viewing: Viewing = ONE) -> str:
    return hls.compose_all(folder, closed, viewing).get(f"{name}.m3u8", "")


def places(text: str) -> list[str]:
    """The file of each place, "gap" for a gap."""
    return [
        "gap" if s.gap else s.uri.partition("/")[2].removesuffix(".m4s")
        for s in playlist.parse(text).segments
    ]


def test_all_keep_to_the_places_breaks_and_dates_of_the_first(tmp_path: Path) -> None:
    for part in (1, 2):
        a_list(tmp_path, "index", (2, 2, 1.2), part=part)
        a_list(tmp_path, "sound", (2.005, 1.984, 1.3), part=part)
        a_list(tmp_path, "low-1", (2, 2, 1.2), part=part)
    texts = hls.compose_all(tmp_path, True, ONE)
    read = {name: playlist.parse(text) for name, text in texts.items() if name != "master.m3u8"}
    assert read.keys() == {"index.m3u8", "sound.m3u8", "low.m3u8"}
    for found in read.values():
        assert len(found.segments) == 6
        assert [s.discontinuity for s in found.segments] == [
            False,
            False,
            False,
            True,
            False,
            False,
        ]
        assert [s.at for s in found.segments] == [s.at for s in read["index.m3u8"].segments]
        assert found.closed


def test_what_was_not_written_is_a_gap(tmp_path: Path) -> None:
    a_list(tmp_path, "index", (2, 2, 2, 2))
    a_list(tmp_path, "sound", (2, 2))
    assert places(text_of(tmp_path, "sound")) == ["sound-00001", "sound-00002", "gap", "gap"]
    assert "#EXT-X-GAP\npart-0001/sound-gap-00003.m4s" in text_of(tmp_path, "sound")
    assert hls.listed(text_of(tmp_path, "sound")).files[-1] == "part-0001/sound-00002.m4s"
    assert hls.listed(text_of(tmp_path, "sound")).seconds == 8


def test_a_late_rendition_is_waited_for_and_then_left_behind(tmp_path: Path) -> None:
    index = (2.0,) * 3
    a_list(tmp_path, "index", index)
    a_list(tmp_path, "low-1", (2,))
    composer = hls.Composer(tmp_path, ONE)
    assert places(composer.compose_all(False)["low.m3u8"]) == ["low-1-00001"]
    index += (2.0,) * round(LATE_S / 2)
    a_list(tmp_path, "index", index)
    now = places(composer.compose_all(False)["low.m3u8"])
    assert now == ["low-1-00001", "gap", "gap"]
    # What comes after all in a place that was given up is not put there any more.
    a_list(tmp_path, "low-1", index)
    assert places(composer.compose_all(False)["low.m3u8"])[:4] == [*now, "low-1-00004"]
    # The viewing copy itself waits for nobody.
    assert len(places(composer.compose_all(False)["index.m3u8"])) == len(index)


def test_a_segment_that_spans_a_hole_is_not_shown(tmp_path: Path) -> None:
    """A machine that is too slow leaps to the newest keyframe: one segment lasts for two places."""
    a_list(tmp_path, "index", (2, 2, 2, 2))
    a_list(tmp_path, "low-1", (2, 4, 2))
    assert places(text_of(tmp_path, "low")) == ["low-1-00001", "gap", "gap", "low-1-00003"]


def test_several_segments_may_fill_one_place(tmp_path: Path) -> None:
    a_list(tmp_path, "index", (4, 4))
    a_list(tmp_path, "low-1", (2, 2, 2, 2))
    text = text_of(tmp_path, "low")
    assert text.count(".m4s") == 4
    assert playlist.parse(text).seconds == 8


def test_a_rendition_that_was_never_written_is_not_offered(tmp_path: Path) -> None:
    a_list(tmp_path, "index", (2, 2))
    assert hls.compose_all(tmp_path, True, ONE).keys() == {"index.m3u8"}


def test_one_sound_goes_with_its_picture() -> None:
    text = multivariant.compose(ONE, {"index": PICTURE, "low": SMALL, "sound": SOUND})
    assert "EXT-X-MEDIA" not in text
    lines = text.splitlines()[3:]
    assert lines[1::2] == ["index.m3u8", "low.m3u8", "sound.m3u8"]
    assert lines[0] == (
        "#EXT-X-STREAM-INF:BANDWIDTH=3440800,AVERAGE-BANDWIDTH=3440800,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000'
    )
    assert 'CODECS="mp4a.40.2"' in lines[4]


def test_two_sounds_are_chosen_apart_from_the_picture() -> None:
    picture, small = Form(("avc1.64001f",), 1280, 720), Form(("avc1.4d401e",), 640, 360)
    forms = {"index": PICTURE, "video": picture, "low": small, "sound": SOUND, "sound2": SOUND}
    text = multivariant.compose(TWO, forms)
    media = [line for line in text.splitlines() if line.startswith("#EXT-X-MEDIA:")]
    assert ['NAME="Қазақша",LANGUAGE="kk",DEFAULT=YES' in media[0], len(media)] == [True, 2]
    assert media[1].endswith('URI="sound2.m3u8"')
    variants = text.splitlines()[5:]
    assert variants[1::2] == ["video.m3u8", "low.m3u8", "sound.m3u8"]
    assert all('AUDIO="sound"' in line for line in variants[::2])
    assert 'CODECS="avc1.64001f,mp4a.40.2"' in variants[0]


def test_without_one_of_two_sounds_there_is_no_choice_to_offer() -> None:
    assert multivariant.compose(TWO, {"index": PICTURE, "video": PICTURE, "sound": SOUND}) == ""


@pytest.mark.parametrize(
    ("second", "sound", "low", "others"),
    [
        (None, False, False, ()),
        (None, True, True, ("sound", "low")),
        ("ru", True, True, ("video", "sound", "sound2", "low")),
        ("ru", False, False, ("video", "sound", "sound2")),
    ],
)
def test_the_settings_say_which_there_are(
    second: str | None, sound: bool, low: bool, others: tuple[str, ...]
) -> None:
    frozen = spec().model_copy(
        update={
            "languages": Languages.model_validate({"main": "kk", "second": second}),
            "viewing": ViewingSettings(sound_only=sound, low=low),
        }
    )
    assert Viewing.of(frozen).others == others


def test_the_cut_takes_the_same_places_from_all(tmp_path: Path) -> None:
    a_list(tmp_path, "index", (2, 2, 2))
    a_list(tmp_path, "sound", (2.01, 1.99, 2.01))
    a_list(tmp_path, "low-1", (2, 2))
    whole = {name: playlist.parse(text_of(tmp_path, name)) for name in ("index", "sound", "low")}
    since = whole["index"].segments[1].at
    cut = {name: playlist.cut(found, since) for name, found in whole.items()}
    assert {len(found.segments) for found in cut.values()} == {2}
    assert cut["sound"].files == {
        "part-0001/sound-init.mp4", "part-0001/sound-00002.m4s", "part-0001/sound-00003.m4s",
    }  # fmt: skip
    # A gap has no file that could be asked for, and stays a gap.
    assert cut["low"].files == {"part-0001/low-1-init.mp4", "part-0001/low-1-00002.m4s"}
    assert playlist.parse(playlist.write(cut["low"])) == cut["low"]
