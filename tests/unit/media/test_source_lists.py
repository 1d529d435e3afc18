"""Addresses with secrets: on a descriptor only, and whole whatever the secret is made of."""

from urllib.parse import unquote, urlsplit

import pytest

from streamer.config.models import ProgrammeSettings
from streamer.media import commands

SECRETS = ["it's ten letters", "a\nfile 'x", "back\\slash' here", "p@ss:w/o?r#d&x=1", "құпия %41"]


def address_of(text: str) -> str:
    head, line, *options = text.splitlines()
    assert head == "ffconcat version 1.0"
    assert all(option.startswith("option ") for option in options)
    assert line.startswith("file '")
    assert line.endswith("'")
    assert line.count("'") == 2
    return line[6:-1]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_changes_nothing_but_itself(secret: str) -> None:
    rtsp = urlsplit(address_of(commands.rtsp_list("rtsp://cam:554/a?c=1", "adm", secret)))
    assert (rtsp.hostname, rtsp.port, rtsp.path, rtsp.query) == ("cam", 554, "/a", "c=1")
    assert unquote(rtsp.password or "") == secret
    srt = urlsplit(address_of(commands.srt_caller_list("srt://enc:9001", secret, secret, 200)))
    values = dict(pair.split("=") for pair in srt.query.split("&"))
    assert (srt.hostname, srt.port, values["mode"]) == ("enc", 9001, "caller")
    assert unquote(values["passphrase"]) == unquote(values["streamid"]) == secret
    web = address_of(commands.url_list("https://h/a.m3u8?l=kk", secret))
    assert web.startswith("https://h/a.m3u8?l=kk&")
    assert " " not in web


def test_a_token_that_is_a_query_stays_one() -> None:
    assert address_of(commands.url_list("https://h/a", "?token=a%2Fb&e=1")) == (
        "https://h/a?token=a%2Fb&e=1"
    )


def test_a_playlist_cannot_name_files() -> None:
    text = commands.url_list("https://h/a.m3u8")
    (line,) = [line for line in text.splitlines() if "protocol_whitelist" in line]
    assert not {"file", "fd", "pipe", "concat", "subfile"} & set(line.split()[-1].split(","))


def test_no_command_line_has_an_address() -> None:
    for flags in (commands.list_input(7, paced=True), commands.sdp_input(7)):
        for stills in (False, True):
            argv = commands.feed("ffmpeg", ProgrammeSettings(), flags, stills=stills)
            assert not [word for word in argv if "://" in word]
            assert ("-skip_frame" in argv) is stills
