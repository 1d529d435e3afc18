"""The legs of one meeting run: each in a named task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from streamer.domain.errors import BadInput
from streamer.domain.legs import LegState, LegStatus
from streamer.media.leg import Leg

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
            self._tasks[leg_id] = asyncio.create_task(self._legs[leg_id].run(), name=leg_id)

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

    def died(self) -> list[str]:
        """Legs whose task ended by a fault of ours."""
        return [
            leg_id
            for leg_id, task in self._tasks.items()
            if task.done() and not task.cancelled() and task.exception() is not None
        ]

    def ids(self, prefix: str) -> list[str]:
        return [leg_id for leg_id in self._legs if leg_id.startswith(prefix)]

    def running(self, leg_id: str) -> bool:
        leg = self._legs.get(leg_id)
        return leg is not None and leg.state is LegState.RUNNING

    def statuses(self) -> list[LegStatus]:
        return [leg.status for leg in self._legs.values()]
