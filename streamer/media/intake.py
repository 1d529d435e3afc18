"""From the stdout of a child to a hub: how every transport stream of ours is taken in."""

from __future__ import annotations

import asyncio
import os

from streamer.media.child import Child
from streamer.media.hub import Hub
from streamer.media.leg import Leg

READ_BYTES = 262_144


async def pour(leg: Leg, child: Child, out_r: int, hub: Hub) -> None:
    """Hand on what `child` writes to the non-blocking pipe `out_r`, until its end.

    The bytes are the leg's movement.
    """
    loop = asyncio.get_running_loop()
    end: asyncio.Future[None] = loop.create_future()
    total = 0

    def readable() -> None:
        nonlocal total
        try:
            data = os.read(out_r, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            loop.remove_reader(out_r)
            if not end.done():
                end.set_result(None)
            return
        total += len(data)
        hub.feed(data)
        leg.moved(total)

    loop.add_reader(out_r, readable)
    try:
        await end
        await child.wait()
    finally:
        loop.remove_reader(out_r)


def drain(out_r: int, hub: Hub) -> None:
    """Hand on what lies in the pipe already."""
    try:
        while data := os.read(out_r, READ_BYTES):
            hub.feed(data)
    except BlockingIOError:
        return
