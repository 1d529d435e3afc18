"""Scenes by command: taken, refused, and remembered by the run that follows a killed one."""

from __future__ import annotations

import signal

import pytest

from streamer.config.models import LocalNames, Site
from streamer.domain.events import EventName
from streamer.domain.lifecycle import Command
from tests.component.run.world import ID, World

pytestmark = pytest.mark.component

SITE = Site(
    id="semey-city", code="101000000", kind="city_regional",  # type: ignore[arg-type]
    names=LocalNames(kk="Семей қаласы", ru="город Семей"), centre=LocalNames(kk="а", ru="а"),
)  # fmt: skip


async def test_scenes_by_command_and_after_a_crash(world: World) -> None:
    spec = world.spec().model_copy(update={"sites": (SITE,)})
    first = await world.start(spec)
    await world.until(lambda: world.state() == "PREPARING")
    await world.reach(Command.LINE_UP, Command.GO_LIVE)
    await world.until(lambda: "hall" in taken(world))

    for scene in ("split:nowhere", "moon", "split"):
        refused = await world.say(Command.TAKE_SCENE, scene=scene)
        await world.until(lambda id_=refused: id_ in answers(world))
        assert answers(world)[refused]["error"]["code"] in ("unknown_site", "unknown_scene")
    await world.say(Command.TAKE_SCENE, scene="split:semey-city", fade=True)
    await world.until(lambda: taken(world)[-1] == "split:semey-city")

    first.send_signal(signal.SIGKILL)
    await world.ended(first)
    second = await world.start()
    await world.until(lambda: taken(world).count("split:semey-city") == 2)
    snapshot = await world.live.snapshot(ID)
    assert snapshot is not None
    assert snapshot["scene"]["wanted"] == "split:semey-city"
    await world.reach(Command.END)
    assert await world.ended(second) == 0


def taken(world: World) -> list[str]:
    return [str(event.data["scene"]) for event in world.events(EventName.SCENE_TAKEN)] or [""]


def answers(world: World) -> dict[str, dict]:  # type: ignore[type-arg]
    return {
        event.data["id"]: event.data
        for event in world.events()
        if event.name in (EventName.COMMAND_DONE, EventName.COMMAND_REFUSED)
    }
