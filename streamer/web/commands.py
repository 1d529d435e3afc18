"""Sending a command to a meeting, after checking that it is possible now."""

from __future__ import annotations

import time
import uuid
from typing import Any

from streamer.domain.errors import BadInput, NotAllowed
from streamer.domain.lifecycle import Command, after
from streamer.domain.meeting import Meeting, MeetingState
from streamer.web.auth import Identity
from streamer.web.context import WebContext
from streamer.web.meetings import possible, present_state, right_for
from streamer.web.models import CommandBody

NEEDS: dict[Command, tuple[str, ...]] = {
    Command.TAKE_SCENE: ("scene",),
    Command.MUTE: ("muted",),
    Command.RESTART_LEG: ("leg",),
    Command.GIVE_FLOOR: ("site",),
    Command.GRAPHICS: ("graphic",),
    Command.SOUND: ("feed",),
}
"""The arguments that a command cannot do without."""
MAY_TAKE: dict[Command, tuple[str, ...]] = {
    Command.TAKE_SCENE: ("fade",),
    Command.GIVE_FLOOR: ("scene", "fade"),
    Command.TAKE_FLOOR_BACK: ("site", "fade"),
    Command.GRAPHICS: ("shown",),
    Command.SOUND: ("gain_db", "delay_ms", "muted"),
    Command.END: ("reason",),
    Command.CANCEL: ("reason",),
    Command.POSTPONE: ("reason",),
}
"""The arguments that a command understands besides."""
NO_RUN = frozenset({MeetingState.PLANNED, MeetingState.POSTPONED})
"""States in which no run owns the meeting, so that its plan is changed here."""


def arguments(body: CommandBody) -> dict[str, Any]:
    """The arguments of the command. BadInput when one is missing or does not belong to it."""
    command = Command(body.command)
    given = body.model_dump(exclude={"command"}, exclude_none=True)
    needs = NEEDS.get(command, ())
    for name in needs:
        if given.get(name) in (None, ""):
            raise BadInput(
                f"{name}: is missing; '{command}' needs it",
                code="wrong_fields", field=name, fields={name: "is missing"},
            )  # fmt: skip
    takes = (*needs, *MAY_TAKE.get(command, ()))
    for name in given:
        if name not in takes:
            raise BadInput(
                f"{name}: '{command}' does not take it; it takes {', '.join(takes) or 'nothing'}",
                code="wrong_fields", field=name, fields={name: "does not belong here"},
            )  # fmt: skip
    return given


async def send(context: WebContext, meeting: Meeting, body: CommandBody, who: Identity) -> str:
    """Send the command of `body`; returns its id.

    Raises Forbidden, BadInput, NotAllowed (with what would be possible), Unavailable.
    """
    command = Command(body.command)
    who.need(right_for(command), meeting.region)
    args = arguments(body)
    snapshot = await context.live.snapshot(meeting.id)
    state = present_state(meeting, snapshot, time.time())
    target = _checked(state, command)
    if state in NO_RUN:
        id_ = await _without_run(context, meeting, command, target, args, who)
    else:
        id_ = await context.live.send(meeting.id, command, args, who.name)
    await context.records.audit(
        who.name, "command_sent",
        {"meeting": meeting.id, "command": str(command), "args": args, "id": id_},
    )  # fmt: skip
    return id_


def _checked(state: MeetingState, command: Command) -> MeetingState:
    """The state after `command`; NotAllowed with the commands a person could send instead."""
    try:
        return after(state, command)
    except NotAllowed:
        can = possible(state)
        raise NotAllowed(
            f"'{command}' is not possible while the meeting is {state};"
            f" possible: {', '.join(can) or 'nothing'}",
            code="not_allowed", command=str(command), state=str(state), allowed=can,
        ) from None  # fmt: skip


async def _without_run(
    context: WebContext, meeting: Meeting, command: Command, target: MeetingState,
    args: dict[str, Any], who: Identity,
) -> str:  # fmt: skip
    """Change a meeting that no run owns: in SQL, from exactly the state that was checked."""
    if command is Command.PREPARE:
        await context.prepare(meeting.id, who.name)
        return uuid.uuid4().hex
    moved = await context.records.set_state(
        meeting.id, meeting.state, target, by=who.name, reason=str(args.get("reason", ""))
    )
    if not moved:
        now = await context.records.meeting(meeting.id)
        can = possible(now.state)
        raise NotAllowed(
            f"somebody else was faster: the meeting is {now.state} now",
            code="not_allowed", command=str(command), state=str(now.state), allowed=can,
        )  # fmt: skip
    return uuid.uuid4().hex
