"""The ways by which pictures and sounds reach the programme: ingest, receiver and feed of each.

A source becomes up to three legs: `ingest:<id>` (our RTMP server), `receiver:<id>` (takes what
comes) and `feed:<id>` (brings it to the form of the programme). For a hall's source <id> is the
source's own, for a site's it is `site:<site>`.
"""

from __future__ import annotations

from typing import Any

from streamer.config.models import Source
from streamer.domain.events import EventName
from streamer.domain.legs import LegKind
from streamer.media.ingest import RtmpIngest
from streamer.media.leg import Attempt
from streamer.programme.mixer import Mixer
from streamer.programme.passing import Passing
from streamer.run.passing import PassFeed
from streamer.run.receiving import Receiver
from streamer.run.sources import Feed
from streamer.run.surroundings import AddLeg, Surroundings


class Intakes:
    """Makes the legs of every source and keeps what they share."""

    def __init__(self, around: Surroundings, mixer: Mixer | Passing, add_leg: AddLeg) -> None:
        self._around, self._mixer, self._add_leg = around, mixer, add_leg
        self._ingests: list[RtmpIngest] = []
        self.shown: list[dict[str, Any]] = []
        """Where to send, for the console: `feed`, `kind`, `address`, `key_hint`."""

    def add(self, source: Source, name: str) -> None:
        """All legs of `source`; `name` is the part of their ids after the colon."""
        around, feed_id = self._around, f"feed:{name}"
        self.shown.append(
            {"feed": feed_id, "kind": str(source.kind), "address": _ingest_address(source),
             "key_hint": str(source.passphrase or source.key or "")}
        )  # fmt: skip

        def refused(address: str, reason: str) -> None:
            around.record(
                EventName.INGEST_REFUSED, {"feed": feed_id, "address": address, "reason": reason}
            )

        ingest = None
        if source.kind == "rtmp":
            ingest = RtmpIngest(
                name, source.host, source.port or 1935, around.folder,
                key=lambda: around.secrets.value(source.key) if source.key else _no_key(),
                on_refused=refused,
            )  # fmt: skip
            self._ingests.append(ingest)
            self._add_leg(f"ingest:{name}", LegKind.INGEST, ingest.attempt, stall_s=6.0)
        receiver = None
        passing = self._mixer if isinstance(self._mixer, Passing) else None
        if source.kind in ("srt", "rtmp") or passing:
            receiver = Receiver(
                source, around.binary, around.secrets, ingest=ingest, on_refused=refused,
                clean=around.redactor.clean,
            )  # fmt: skip
            self._add_leg(
                f"receiver:{name}", LegKind.INGEST, receiver.attempt, stall_s=4.0, start_s=None
            )
        attempt: Attempt
        if isinstance(self._mixer, Passing):
            assert receiver is not None
            attempt = PassFeed(receiver, self._mixer).attempt
        else:
            attempt = Feed(
                source, around.spec.programme, self._mixer, around.binary, receiver=receiver,
                clean=around.redactor.clean,
            ).attempt  # fmt: skip
        self._add_leg(feed_id, LegKind.FEED, attempt, stall_s=4.0, start_s=None)

    async def close(self) -> None:
        for ingest in self._ingests:
            await ingest.close()


def _ingest_address(source: Source) -> str:
    match source.kind:
        case "srt":
            return f"srt://{source.host}:{source.port}"
        case "rtmp":
            return f"rtmp://{source.host}:{source.port}/live"
        case _:
            return str(source.kind)


async def _no_key() -> str:
    raise RuntimeError("an RTMP source without a key passed the configuration check")
