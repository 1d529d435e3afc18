"""The legs of one meeting run: each in a named task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator

from streamer.domain.errors import BadInput
from streamer.domain.legs import LegState, LegStatus
from streamer.media.leg import Leg

AGAIN_S = 1.0
log = logging.getLogger(__name__)
STOP_S = 12.0
"""A leg's own ladder is shorter; this is the belt."""


class Legs:
    """Starts, stops and restarts legs by id. Owned by the meeting run."""

    def __init__(self) -> None:
        self._legs: dict[str, Leg] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, leg: Leg) -> Leg:
        self._legs[leg.id] = leg
        return leg

    def __iter__(self) -> Iterator[Leg]:
        return iter(self._legs.values())

    def start(self, leg_id: str) -> None:
        """Start a leg; one that runs already is left alone."""
        if leg_id not in self._tasks:
            task = asyncio.create_task(self._legs[leg_id].run(), name=leg_id)
            self._tasks[leg_id] = task
            task.add_done_callback(lambda ended: self._ended(leg_id, ended))

    def _ended(self, leg_id: str, task: asyncio.Task[None]) -> None:
        """A leg whose supervisor broke is a fault of ours: it is said, and begun again."""
        if task.cancelled() or task.exception() is None:
            return
        log.error("the supervisor of %s broke", leg_id, exc_info=task.exception())
        if self._tasks.get(leg_id) is task:
            del self._tasks[leg_id]
            self._legs[leg_id].state = LegState.STOPPED
            asyncio.get_running_loop().call_later(AGAIN_S, self.start, leg_id)

    def restart(self, leg_id: str) -> Leg:
        """A new try now. Raises BadInput naming the legs there are."""
        if leg_id not in self._tasks:
            raise BadInput(
                f"there is no running leg '{leg_id}'; there are: {', '.join(self._tasks)}",
                code="unknown_leg", leg=leg_id,
            )  # fmt: skip
        leg = self._legs[leg_id]
        leg.restart()
        return leg

    async def stop(self, leg_ids: Iterable[str]) -> None:
        """Stop several legs side by side and wait for their ends, bounded."""
        tasks = []
        for leg_id in leg_ids:
            task = self._tasks.pop(leg_id, None)
            if task is not None:
                self._legs[leg_id].stop()
                tasks.append(task)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=STOP_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop_all(self) -> None:
        await self.stop(list(self._tasks))

    def ids(self, prefix: str) -> list[str]:
        return [leg_id for leg_id in self._legs if leg_id.startswith(prefix)]

    def running(self, leg_id: str) -> bool:
        leg = self._legs.get(leg_id)
        return leg is not None and leg.state is LegState.RUNNING

    def statuses(self) -> list[LegStatus]:
        return [leg.status for leg in self._legs.values()]
