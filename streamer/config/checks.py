"""What no single setting can know: ids that stand twice, ports in use, files against each other.

These checks look at the plain values, so that they also speak when a file has other faults.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from streamer.config.faults import Place
from streamer.config.values import shown
from streamer.config.yaml_file import Document

SOURCE_NAMES = ("hall", "slides", "sign", "interpreter")
"""What a hall may send: its picture and sound, the slides, the sign language interpreter's
picture, the sound of the second language."""


def check_service(document: Document) -> None:
    """Passwords do not stand in the file of the service."""
    for key in ("redis_url", "database_url"):
        value = document.data.get(key)
        if isinstance(value, str) and _has_password(value):
            document.report(
                (key,), "this address contains a password (not shown here)",
                f"remove the line and set the environment variable {key.upper()}",
            )  # fmt: skip


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False  # not an address at all; its own check says so
    return bool(parts.password) or any(name == "password" for name, _ in parse_qsl(parts.query))


def check_region(document: Document) -> None:
    """One region by itself."""
    slug = document.data.get("slug")
    if isinstance(slug, str) and slug != document.name:
        document.report(
            ("slug",), f"{shown(slug)} is not the name of the file",
            f"write {document.name}, or rename the file to {slug}.yaml",
        )  # fmt: skip
    _unique(document, "id", document.entries("halls"))
    for place, _ in document.entries("halls"):
        sources = (one for one in document.entries("halls", "sources") if one[0][:2] == place)
        _unique(document, "id", sources, default="hall")
    _shown_sources(document)
    _unique(document, "id", document.entries("destinations"))
    _unique(document, "id", document.entries("sites"))
    _unique(document, "code", document.entries("sites"))
    _languages(document)
    _closed_doors(document)


def _unique(
    document: Document,
    key: str,
    entries: Iterable[tuple[Place, dict[str, object]]],
    default: str | None = None,
) -> None:
    seen: dict[str, Place] = {}
    for place, entry in entries:
        value = entry.get(key, default)
        if not isinstance(value, str):
            continue
        if value in seen:
            line = document.line((*seen[value], key))
            document.report(
                (*place, key), f"{shown(value)} stands twice, first in line {line}",
                f"give each one its own {key}",
            )  # fmt: skip
        else:
            seen[value] = place


def _shown_sources(document: Document) -> None:
    """A source that nothing shows or lets be heard would be taken, and nobody would notice it."""
    for place, source in document.entries("halls", "sources"):
        name = source.get("id", "hall")
        if isinstance(name, str) and name not in SOURCE_NAMES:
            document.report(
                (*place, "id"), f"nobody would see the source {shown(name)}",
                f"write one of {', '.join(SOURCE_NAMES)} (scenes know sources by these names),"
                " or remove the source",
            )  # fmt: skip


def _languages(document: Document) -> None:
    """An account can only get a sound that the programme has."""
    settings = document.data.get("languages")
    settings = settings if isinstance(settings, dict) else {}
    second = settings.get("second")
    has = [str(settings.get("main", "kk"))] + ([str(second)] if second else [])
    for place, destination in document.entries("destinations"):
        language = destination.get("language")
        if isinstance(language, str) and language not in has:
            document.report(
                (*place, "language"), f"the programme has no sound in {shown(language)}",
                f"write {' or '.join(has)}"
                + ("" if second else f", or add languages: second: {language}"),
            )  # fmt: skip


def _closed_doors(document: Document) -> None:
    """A port that strangers can reach wants a secret: its picture goes out to the public.

    RTMP without a key does not work at all: the key is the name under which an encoder publishes.
    """
    for place, source in _sources(document):
        if source.get("kind") == "rtmp" and source.get("key") is None:
            document.report(
                place, "an RTMP source needs a key, also on 127.0.0.1",
                "add key: env:NAME and give the encoder that stream key",
            )  # fmt: skip
        no_phrase = source.get("kind") == "srt" and source.get("passphrase") is None
        if no_phrase and not _loopback(source.get("host")):
            document.report(
                place, "whoever finds the port could send a picture: there is no passphrase",
                "add passphrase: env:NAME, or write host: 127.0.0.1",
            )  # fmt: skip


def _sources(document: Document) -> Iterator[tuple[Place, dict[str, object]]]:
    """The sources of halls and of sites."""
    yield from document.entries("halls", "sources")
    for place, site in document.entries("sites"):
        if isinstance(source := site.get("source"), dict):
            yield (*place, "source"), source


def _loopback(host: object) -> bool:
    try:
        return ip_address(str(host)).is_loopback
    except ValueError:
        return False


def check_across(documents: list[Document]) -> None:
    """Regions against each other; the later file is told."""
    for key in ("slug", "code"):
        seen: dict[str, Document] = {}
        for document in documents:
            value = document.data.get(key)
            if not isinstance(value, str):
                continue
            if value in seen:
                where = f"{seen[value].file}:{seen[value].line((key,))}"
                document.report(
                    (key,), f"{shown(value)} is also the {key} of {where}",
                    f"give each region its own {key}",
                )  # fmt: skip
            else:
                seen[value] = document
    _ports(documents)


def _ports(documents: list[Document]) -> None:
    taken: list[tuple[int, str, str]] = []  # port, host, where
    for document in documents:
        for place, source in _sources(document):
            port, host = source.get("port"), str(source.get("host", "0.0.0.0"))  # noqa: S104
            if type(port) is not int or source.get("kind") not in ("srt", "rtmp"):
                continue
            others = [where for p, h, where in taken if p == port and _same_card(h, host)]
            if others:
                document.report(
                    (*place, "port"), f"port {port} is already taken by the source in {others[0]}",
                    f"write another port, such as {_free_port(documents)}",
                )  # fmt: skip
            taken.append((port, host, f"{document.file}:{document.line((*place, 'port'))}"))


def _same_card(one: str, other: str) -> bool:
    everywhere = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    return one == other or one in everywhere or other in everywhere


def _free_port(documents: list[Document]) -> int:
    sources = [one for document in documents for _, one in _sources(document)]
    ports = {port for one in sources if type(port := one.get("port")) is int}
    return next(port for port in range(9001, 65536) if port not in ports)
