"""Secrets in texts are found; what only looks like one is not."""

import uuid

import pytest

from streamer.archive.leaks import find

KEY = "a1b2-c3d4-e5f6-g7h8-i9j0"


@pytest.mark.parametrize(
    "text",
    [
        f"key {KEY}", f"rtmp://a.rtmp.youtube.com/live2/{KEY}",
        "rtmps://live-api-s.facebook.com:443/rtmp/FB-123456789-0-AbyCdEf",
        "rtmp://user:word@host/app", "srt://h:9000?mode=caller&passphrase=tulip-lamp-42",
        "rtmp://h/app/mySecretStreamKey2027", "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
        "mst_" + "A" * 43, "bot 123456789:" + "A" * 35, "-----BEGIN PRIVATE KEY-----",
        "$argon2id$v=19$m=65536", "postgresql://s:pw@db/x",
    ],
)  # fmt: skip
def test_found(text: str) -> None:
    assert find(text)


@pytest.mark.parametrize(
    "text",
    [
        "rtmps://a.rtmps.youtube.com:443/live2/***", "rtmp://host/app", str(uuid.UUID(int=2**120)),
        "2027-02-19-abai-k3f9", "2027-02-19T10:00:00.000+05:00", "file:***",
        "0" * 64, "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "srt://h:9000?passphrase=***",
        "Облыс әкімінің есебі", '"target":"rtmp://127.0.0.1:1935/live/***","bytes":12',
    ],
)  # fmt: skip
def test_not_found(text: str) -> None:
    assert find(text) == []


def test_a_known_secret_is_found_whatever_it_looks_like() -> None:
    assert find("rtmp://h/app/tulips?x=1", known=("tulips",)) == ["a known secret"]
    assert find('"key": "tulips"', known=("tulips",)) == ["a known secret"]


@pytest.mark.parametrize("secret", ["", "live", "abai-you"])
def test_a_secret_that_is_an_ordinary_word_stops_no_package(secret: str) -> None:
    assert find('"abai-youtube" is live', known=(secret,)) == []
