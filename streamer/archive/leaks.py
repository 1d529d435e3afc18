"""Looking for secrets in texts that are about to become public, or already are.

The last belt: whoever writes a text keeps secrets out of it (`Redactor`). What is found here is a
fault of ours, and is reported by its kind, never by its value.
"""

import re
from collections.abc import Collection

from streamer.config.secrets import HIDDEN, holds_key

_SHAPES: dict[str, re.Pattern[str]] = {
    "a token of this service": re.compile(r"\bmst_[A-Za-z0-9_-]{20,}"),
    "a YouTube stream key": re.compile(r"(?<![\w-])[a-z0-9]{4}(?:-[a-z0-9]{4}){4}(?![\w-])"),
    "a Facebook stream key": re.compile(r"\bFB-\d{6,}-\d-[A-Za-z0-9_-]+"),
    "a Twitch stream key": re.compile(r"\blive_\d{6,}_[A-Za-z0-9]{20,}"),
    "a Google API key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),
    "a Google access token": re.compile(r"\bya29\.[A-Za-z0-9_-]{20,}"),
    "a Telegram bot token": re.compile(r"\b\d{8,10}:[A-Za-z0-9_-]{35}\b"),
    "a bearer token": re.compile(r"\bBearer [A-Za-z0-9._~+/-]{20,}", re.IGNORECASE),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password hash": re.compile(r"\$argon2(?:id|i|d)\$"),
    "a passphrase": re.compile(r"[?&,](?:passphrase|streamid|key|token)=(?!\*\*\*)[^&\s\"']{4,}"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+]*://[^/\s\"'@]*:[^/\s\"'@*]+@"),
}
SHORTEST = 6
"""Characters a known secret must have to be looked for."""
_RTMP = re.compile(r"rtmps?://[^\s\"'<>,]+")


def find(text: str, known: Collection[str] = ()) -> list[str]:
    """The kinds of secrets in `text`, sorted; `known` are the very secrets of this service."""
    kinds = {kind for kind, shape in _SHAPES.items() if shape.search(text)}
    for match in _RTMP.finditer(text):
        if holds_key(match.group().partition(f"/{HIDDEN}")[0]):
            kinds.add("a stream key in an address")
    if any(_stands_in(secret, text) for secret in known):
        kinds.add("a known secret")
    return sorted(kinds)


def _stands_in(secret: str, text: str) -> bool:
    """True when the secret stands in the text as a word of its own.

    A key such as `live` or `test`, or one that is part of a longer word, would be found in every
    package and proves nothing.
    """
    if len(secret) < SHORTEST or secret not in text:
        return False
    return re.search(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", text) is not None
