"""The ways by which pictures and sounds reach the programme: ingest, receiver and feed of each.

A source becomes up to three legs: `ingest:<id>` (our RTMP server), `receiver:<id>` (takes what
comes) and `feed:<id>` (brings it to the form of the programme). For a hall's source <id> is the
source's own, for a site's it is `site:<site>`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from streamer.config.models import Source, SourceKind
from streamer.config.secrets import redact_url
from streamer.domain.errors import NotFound
from streamer.domain.events import EventName
from streamer.domain.legs import LegKind
from streamer.domain.meeting import Names
from streamer.media.ingest import RtmpIngest
from streamer.media.leg import Attempt
from streamer.ports.link import ParticipantMedia
from streamer.programme.mixer import Mixer
from streamer.programme.passing import Passing
from streamer.run.passing import PassFeed
from streamer.run.pattern import TestPattern
from streamer.run.rationing import Rations, ration
from streamer.run.receiving import Receiver
from streamer.run.sources import Feed, LinkSeat
from streamer.run.surroundings import AddLeg, Surroundings

RECEIVED = (
    SourceKind.SRT, SourceKind.SRT_CALLER, SourceKind.RTMP, SourceKind.RTSP, SourceKind.URL,
)  # fmt: skip
"""Kinds that come by a connection, which a receiver of its own keeps."""


class Intakes:
    """Makes the legs of every source and keeps what they share.

    When more sources send than the machine can decode (`around.feeds`), those that come last are
    shown as still pictures: see `want`.
    """

    def __init__(
        self, around: Surroundings, mixer: Mixer | Passing, add_leg: AddLeg,
        start_leg: Callable[[str], object] = lambda leg_id: None,
    ) -> None:  # fmt: skip
        self._around, self._mixer = around, mixer
        self._add_leg, self._start_leg = add_leg, start_leg
        self._ingests: list[RtmpIngest] = []
        self._feeds: dict[str, Feed] = {}
        self._seats: dict[str, LinkSeat] = {}
        self._wanted: tuple[str, ...] = ()
        self._rations = Rations({}, (), "")
        self.shown: list[dict[str, Any]] = []
        """Where to send, for the console: `feed`, `kind`, `address`, `key_hint`."""

    def add(self, source: Source, name: str) -> None:
        """All legs of `source`; `name` is the part of their ids after the colon."""
        around, feed_id = self._around, f"feed:{name}"
        self.shown.append(
            {"feed": feed_id, "kind": str(source.kind), "address": _shown_address(source),
             "key_hint": str(source.passphrase or source.key or "")}
        )  # fmt: skip

        def refused(address: str, reason: str) -> None:
            around.record(
                EventName.INGEST_REFUSED, {"feed": feed_id, "address": address, "reason": reason}
            )

        ingest = receiver = seat = pattern = None
        if source.kind is SourceKind.RTMP:
            ingest = RtmpIngest(
                name, source.host, source.port or 1935, around.folder,
                key=lambda: around.secrets.value(source.key) if source.key else _no_key(),
                on_refused=refused,
            )  # fmt: skip
            self._ingests.append(ingest)
            self._add_leg(f"ingest:{name}", LegKind.INGEST, ingest.attempt, stall_s=6.0)
        if source.kind in RECEIVED or isinstance(self._mixer, Passing):
            receiver = Receiver(
                source, around.binary, around.secrets, ingest=ingest, on_refused=refused,
                clean=around.redactor.clean,
            )  # fmt: skip
            self._add_leg(
                f"receiver:{name}", LegKind.INGEST, receiver.attempt, stall_s=4.0,
                start_s=None if source.kind in (SourceKind.SRT, SourceKind.RTMP) else 10.0,
            )  # fmt: skip
        if source.kind is SourceKind.LINK:
            seat = self._seats[feed_id] = LinkSeat()
        if source.kind is SourceKind.TEST:
            pattern = TestPattern(self._names(name), around.spec.zone)
        attempt: Attempt
        if isinstance(self._mixer, Passing):
            assert receiver is not None
            attempt = PassFeed(receiver, self._mixer).attempt
        else:
            feed = Feed(
                source, around.spec.programme, self._mixer, around.binary, receiver=receiver,
                seat=seat, pattern=pattern, clean=around.redactor.clean, on_active=self._ration,
            )  # fmt: skip
            self._feeds[feed_id] = feed
            self._mixer.bus.set(feed_id, gain_db=source.gain_db)
            attempt = feed.attempt
        self._add_leg(feed_id, LegKind.FEED, attempt, stall_s=4.0, start_s=None)

    def add_participant(self, site: str, media: ParticipantMedia) -> None:
        """The link delivers a site from now on: a feed is made for it where there is none yet.

        Also for a participant that comes again. NotFound (`unknown_site`) for a site that the
        region has not; a site with a source of its own keeps that one (NotFound, `not_by_link`).
        """
        feed_id = f"feed:site:{site}"
        if feed_id not in self._feeds:
            if site not in [one.id for one in self._around.spec.sites]:
                raise NotFound(f"there is no site '{site}'", code="unknown_site", site=site)
            self.add(Source(id="link", kind=SourceKind.LINK), f"site:{site}")
            self._start_leg(feed_id)
        if feed_id not in self._seats:
            raise NotFound(
                f"the site '{site}' has a source of its own; remove it from the region's file to"
                " take the site by the link", code="not_by_link", site=site,
            )  # fmt: skip
        self._seats[feed_id].put(media)

    def remove_participant(self, site: str) -> None:
        """The participant left; its feed waits for the next one. Safe to call twice."""
        if seat := self._seats.get(f"feed:site:{site}"):
            seat.put(None)

    def want(self, feeds: Iterable[str]) -> None:
        """These feeds are in the picture or have the floor: they are decoded at full rate first.

        Called whenever the scene or the floor changes, with ids such as `feed:site:<id>` in the
        order of their weight; at once. What was full and is not wanted is reduced for them.
        """
        self._wanted = tuple(feeds)
        self._ration()

    @property
    def feeds(self) -> list[str]:
        """Ids of the feeds that are decoded."""
        return list(self._feeds)

    def set_delay(self, feed: str, ms: int) -> None:
        """How much later the feed's sound is heard. BadInput outside -500 to 1000 ms."""
        self._feeds[feed].set_delay(ms)

    def delay(self, feed: str) -> int:
        """The delay in ms; 0 for a feed that is not there."""
        return self._feeds[feed].delay_ms if feed in self._feeds else 0

    @property
    def reduced(self) -> tuple[str, ...]:
        """Feeds that are still pictures just now."""
        return self._rations.reduced

    def _ration(self) -> None:
        """Share out what the machine can decode; say it when the shares change."""
        capacity = self._around.feeds
        before = self._rations
        self._rations = ration(
            [feed_id for feed_id, feed in self._feeds.items() if feed.active],
            self._wanted,
            capacity,
        )
        for feed_id, feed in self._feeds.items():
            feed.limit(*self._rations.of(feed_id))
        if self._rations.told != before.told:
            self._around.record(
                EventName.FEEDS_REDUCED,
                {"feeds": list(self._rations.told), "capacity": capacity,
                 "reason": self._rations.reason},
            )  # fmt: skip

    def _names(self, name: str) -> Names:
        """What a test pattern calls itself."""
        spec = self._around.spec
        place, _, site_id = name.rpartition(":")
        if place == "site":
            site = next(one for one in spec.sites if one.id == site_id)
            return _joined(spec.region_names.domain, site.names.domain)
        hall = spec.hall_names.domain if spec.hall_names else Names("", "")
        names = _joined(spec.region_names.domain, hall)
        return names if name == "hall" else _joined(names, Names(name, name))

    async def close(self) -> None:
        for ingest in self._ingests:
            await ingest.close()


def _joined(one: Names, other: Names) -> Names:
    return Names(
        ", ".join(filter(None, (one.kk, other.kk))), ", ".join(filter(None, (one.ru, other.ru)))
    )


def _shown_address(source: Source) -> str:
    match source.kind:
        case SourceKind.SRT:
            return f"srt://{source.host}:{source.port}"
        case SourceKind.RTMP:
            return f"rtmp://{source.host}:{source.port}/live"
        case _ if source.address:
            return redact_url(source.address)
        case _:
            return str(source.kind)


async def _no_key() -> str:
    raise RuntimeError("an RTMP source without a key passed the configuration check")
