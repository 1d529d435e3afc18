"""Command lines: no secret in any of them, and what other parts rely on."""

from itertools import pairwise
from pathlib import Path

import pytest

from streamer.config.models import ProgrammeSettings
from streamer.media import commands

SETTINGS = ProgrammeSettings()
PASSPHRASE = "correct horse & battery?=1"


def test_no_command_line_can_hold_a_secret() -> None:
    text = commands.srt_listener_list("0.0.0.0", 9001, PASSPHRASE, 200)
    lines = [
        commands.encoder("ffmpeg", SETTINGS, 5, [6], 12.5),
        commands.feed("ffmpeg", SETTINGS, commands.list_input(7)),
        commands.feed("ffmpeg", SETTINGS, commands.rtmp_input("rtmp://127.0.0.1:1/live/feed-hall")),
        commands.hls_recorder("ffmpeg", 2),
    ]
    assert "correct" in text
    assert not any("correct" in word or "passphrase" in word for line in lines for word in line)


def test_a_passphrase_cannot_change_the_address() -> None:
    text = commands.srt_listener_list("0.0.0.0", 9001, PASSPHRASE, 200)
    assert text.count("&passphrase=") == 1
    assert "correct%20horse%20%26%20battery%3F%3D1" in text
    assert "'" not in text.partition("file '")[2].rstrip()[:-1]
    assert "passphrase" not in commands.srt_listener_list("0.0.0.0", 9001, "", 200)


@pytest.mark.parametrize("quote", ["it's ten letters", "a\nfile 'x", "back\\slash' here"])
def test_a_passphrase_cannot_leave_its_quotes(quote: str) -> None:
    text = commands.srt_listener_list("0.0.0.0", 9001, quote, 200)
    assert text.count("'") == 2
    assert len(text.splitlines()) == 2


def test_the_encoder_is_what_the_hub_relies_on() -> None:
    argv = commands.encoder("/usr/bin/ffmpeg", SETTINGS, 5, [6], 3600.04)
    pairs = dict(pairwise(argv))
    assert argv[0] == "/usr/bin/ffmpeg"
    assert argv[-1] == "pipe:1"
    assert pairs["-output_ts_offset"] == "3600.040000"
    assert pairs["-bf"] == "0"  # a new encoder can never step back in time
    assert pairs["-g"] == pairs["-keyint_min"] == "50"
    assert pairs["-flags"] == "+cgop"
    assert pairs["-b:v"] == pairs["-maxrate"] == "3000k"


def test_the_viewing_copy_is_an_event_list_with_programme_time() -> None:
    argv = commands.hls_recorder("ffmpeg", 2)
    pairs = dict(pairwise(argv))
    assert "-copyts" in argv
    assert pairs["-hls_playlist_type"] == "event"
    assert pairs["-hls_segment_type"] == "fmp4"
    assert pairs["-hls_time"] == "2"


def test_the_configured_program_comes_first() -> None:
    assert commands.ffmpeg_path(Path("/opt/ffmpeg")) == "/opt/ffmpeg"
    assert Path(commands.ffmpeg_path()).exists()
