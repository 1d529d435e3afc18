"""Secrets: named by reference in files, fetched at the last moment, kept out of every text.

A configuration file holds where a secret is, never the secret:

* `env:NAME`: an environment variable of the process,
* `file:/path`: the content of a file (a mounted secret), without the line end,
* `store:NAME`: the service's own encrypted store, which `streamer.store` reads.
"""

import json
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from streamer.domain.errors import BadInput

HIDDEN = "***"

_REFERENCE = re.compile(
    r"env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\0\r\n]+|store:[A-Za-z0-9][A-Za-z0-9._-]*"
)


def _reference(value: object) -> str:
    # The value is not shown: whoever pasted a key here must not find it in a log as well.
    if isinstance(value, str) and _REFERENCE.fullmatch(value):
        return value
    raise PydanticCustomError(
        "setting",
        "{wrong}; {right}",
        {
            "wrong": "this is not a reference to a secret (the value is not shown here)",
            "right": "secrets never stand in the file: write env:NAME, file:/FULL/PATH or"
            " store:NAME and keep the secret there; replace it if it was real",
        },
    )


SecretRef = Annotated[str, BeforeValidator(_reference)]
"""Where a secret is: `env:NAME`, `file:/path` or `store:NAME`."""


def resolve(ref: str, environ: Mapping[str, str] | None = None) -> str:
    """The secret behind an `env:` or `file:` reference; reads a file, so not on the event loop.

    Raises BadInput (`secret_missing`) when there is nothing, or for a `store:` reference, which
    only the store can read. The error names the reference, never a value.
    """
    scheme, _, place = ref.partition(":")
    if scheme == "env":
        value = (os.environ if environ is None else environ).get(place, "")
        if not value:
            raise _missing(ref, f"the environment variable {place} is not set or empty")
        return value
    if scheme == "file":
        return _from_file(ref, Path(place))
    if scheme == "store":
        raise _missing(ref, f"'{place}' is in the service's own store, which is not open here")
    # Not even the reference is shown: it may be the secret itself.
    raise _missing("", "this is not a reference to a secret; write env:NAME or file:/FULL/PATH")


def _from_file(ref: str, path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _missing(ref, f"{path} is not a text file in UTF-8") from None
    except OSError as error:
        raise _missing(ref, f"{path} cannot be read: {error.strerror}") from None
    if not value:
        raise _missing(ref, f"{path} is empty")
    return value


def _missing(ref: str, reason: str) -> BadInput:
    return BadInput(f"a secret is missing: {reason}", code="secret_missing", reference=ref)


# --- keeping secrets out of texts ---------------------------------------------------------------

# What stream keys look like: YouTube (four to five groups of four), Facebook (FB-…), Twitch
# (live_…), VK and OK (numbers joined by underscores, then a key), Telegram (id:secret).
_KEY_SHAPES = re.compile(
    r"[a-z0-9]{4}(-[a-z0-9]{4}){3,4}|FB-\d+-.+|live_\d+_.+|-?\d+_\d+_.+|\d+:.{8,}|\d{10,}"
)
# Words and short numbers, such as akimat-report-2027: somebody's name for something.
_WORDS = re.compile(r"(?:[a-z]+|\d{1,4})(?:[-_](?:[a-z]+|\d{1,4}))*")
_KEY_NAMES = frozenset(
    {"a", "auth", "key", "pass", "passphrase", "password", "secret", "sig", "sign", "signature",
     "streamkey", "streamname", "token"}
)  # fmt: skip


def looks_like_key(text: str) -> bool:
    """True when one part of an address has the shape of a stream key rather than of a name."""
    if _KEY_SHAPES.fullmatch(text):
        return True
    if len(text) < 16 or "." in text or _WORDS.fullmatch(text):
        return False
    return bool(re.search(r"\d", text)) and bool(re.search(r"[A-Za-z]", text))


def holds_key(url: str) -> bool:
    """True when an RTMP address seems to carry its key: in the path, the query or as a user."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.fragment:
        return True
    if any(looks_like_key(segment) for segment in parts.path.split("/")):
        return True
    # YouTube's backup address ends with ?backup=1, and the key is appended to that.
    return any(
        name.lower().replace("_", "") in _KEY_NAMES or len(value) > 8 or "/" in value
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )


def holds_token(url: str) -> bool:
    """True when the query of an address seems to carry a token. Paths of media are often long
    and random, and no secret."""
    return any(
        name.lower().replace("_", "") in _KEY_NAMES or looks_like_key(value)
        for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)
    )


def redact_url(url: str) -> str:
    """`rtmps://host:443/app/***` for an address with or without its key; the query is left out.

    Of other addresses only scheme, host and port remain; of what is no address, nothing.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return HIDDEN
    if not parts.scheme or not host:
        return HIDDEN
    shown = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
    if parts.scheme not in ("rtmp", "rtmps"):
        return base
    app = parts.path.strip("/").split("/")[0]
    if not app or looks_like_key(app):
        return f"{base}/{HIDDEN}"
    return f"{base}/{app}/{HIDDEN}"


class Redactor:
    """Knows the secrets of a process and replaces each of them in a text by `***`.

    A secret is found as it is, as part of an address (percent-encoded) and as part of JSON.
    Safe to use from several threads: `add` replaces the pattern, it never changes one in use.
    """

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._forms: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Hide `secret` from now on. An empty secret is ignored."""
        secret = secret.strip()
        if not secret:
            return
        escaped = (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
        quoted = (quote(secret), quote(secret, safe=""), quote_plus(secret))
        with self._adding:
            self._forms |= {secret, *escaped, *quoted}
            # Longest first, so that a secret that contains another one is hidden whole.
            ordered = sorted(self._forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def clean(self, text: str) -> str:
        """`text` without any known secret."""
        pattern = self._pattern
        return pattern.sub(HIDDEN, text) if pattern else text
