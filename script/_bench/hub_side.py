"""Our side of the relay measurement: hub and relays in a process of their own.

Reads a transport stream on stdin, and the addresses as a JSON list from the descriptor that is
its argument, so that it is measured without whoever made the stream.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable

from streamer.domain.legs import LegKind
from streamer.media.hub import Hub
from streamer.media.leg import Leg
from streamer.media.relay import Address, Relay

PIECE = 65_536


def always(url: str) -> Callable[[], Awaitable[tuple[Address, ...]]]:
    """The one address of a destination, in the form a relay asks for it."""

    async def addresses() -> tuple[Address, ...]:
        return (Address(url, url.rpartition("/")[0] + "/***"),)

    return addresses


async def main() -> None:
    with os.fdopen(int(sys.argv[1]), "rb") as stream:
        urls: list[str] = json.load(stream)
    hub = Hub()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def readable() -> None:
        data = os.read(0, PIECE)
        if data:
            hub.feed(data)
        else:
            loop.remove_reader(0)
            ended.set()

    legs = [
        Leg(f"relay:{number}", LegKind.RELAY, Relay(hub, always(url), clean=str).attempt)
        for number, url in enumerate(urls)
    ]
    tasks = [asyncio.create_task(leg.run(), name=leg.id) for leg in legs]
    loop.add_reader(0, readable)
    await ended.wait()
    for leg in legs:
        leg.stop()
    async with asyncio.timeout(15):
        await asyncio.gather(*tasks)
    for leg in legs:
        if leg.tries > 1:
            print(f"{leg.id}: {leg.tries} tries, last error: {leg.error}", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main())
