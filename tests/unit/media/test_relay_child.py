"""How the relay's child spells its output."""

import pytest

from streamer.media.relay_child import slave

OPTIONS = {"flvflags": "no_duration_filesize", "ca_file": "/etc/ssl/a:b] c/it's.pem"}


def test_options_reach_the_connection_and_the_address_stays_whole() -> None:
    url = "rtmps://a.example:443/live2/abcd-1234?x=1&y=2"
    assert slave(url, {"tls_verify": "1"}) == f"[f=flv:tls_verify=1]{url}"


@pytest.mark.parametrize("key", ["a|b", "it's", "back\\slash", "with space", "[x]", "a:b=c"])
def test_a_key_of_any_characters_is_taken_as_it_is(key: str) -> None:
    spec = slave(f"rtmp://127.0.0.1:1935/live/{key}", {"flvflags": "no_duration_filesize"})
    assert _outputs(spec) == [("f=flv:flvflags=no_duration_filesize", f"rtmp://127.0.0.1:1935/live/{key}")]  # fmt: skip  # noqa: E501


def test_options_of_any_characters_stay_in_their_place() -> None:
    ((options, url),) = _outputs(slave("rtmps://a/b/c", OPTIONS))
    assert url == "rtmps://a/b/c"
    assert _tokens(options, ":")[-1] == f"ca_file={OPTIONS['ca_file']}"


def _outputs(spec: str) -> list[tuple[str, str]]:
    """As the tee muxer reads it: outputs between bars, each with its options in brackets."""
    found = []
    for output in _tokens(spec, "|"):
        assert output[0] == "["
        at = 1
        while output[at] != "]":
            at += 2 if output[at] == "\\" else 1
        found.append((output[1:at], output[at + 1 :]))
    return found


def _tokens(text: str, end: str) -> list[str]:
    """FFmpeg's av_get_token: a backslash takes the next character as it is."""
    found, now, at = [], "", 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
            now += text[at]
        elif text[at] == end:
            found.append(now)
            now = ""
        else:
            assert text[at] != "'"
            now += text[at]
        at += 1
    return [*found, now]
