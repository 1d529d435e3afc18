"""The words for states, legs, events and errors, and how a line of the as-run log is written.

The same tables go to the scripts of the pages, so that a line reads alike wherever it is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from streamer.domain.errors import Act, StreamerError
from streamer.domain.events import EventName
from streamer.domain.legs import Health, LegKind, LegState
from streamer.domain.lifecycle import Command
from streamer.domain.meeting import MeetingState
from streamer.domain.signals import Detector
from streamer.web.i18n import N_, Languages

STATES: dict[str, str] = {
    MeetingState.PLANNED: N_("Planned"),
    MeetingState.POSTPONED: N_("Postponed"),
    MeetingState.CANCELLED: N_("Cancelled"),
    MeetingState.PREPARING: N_("Preparing"),
    MeetingState.LINE_UP: N_("Line-up"),
    MeetingState.LIVE: N_("On air"),
    MeetingState.ENDING: N_("Ending"),
    MeetingState.ARCHIVED: N_("Archived"),
}
COMMANDS: dict[str, str] = {
    Command.PREPARE: N_("Prepare"),
    Command.LINE_UP: N_("Start line-up"),
    Command.GO_LIVE: N_("Go live"),
    Command.END: N_("End the meeting"),
    Command.CANCEL: N_("Cancel"),
    Command.POSTPONE: N_("Postpone"),
    Command.SLATE: N_("Slate"),
    Command.TAKE_SCENE: N_("Change scene"),
    Command.MUTE: N_("Sound on or off"),
    Command.RESTART_LEG: N_("Restart"),
    Command.GIVE_FLOOR: N_("Give the floor"),
    Command.TAKE_FLOOR_BACK: N_("Take the floor back"),
    Command.GRAPHICS: N_("Graphics"),
    Command.SOUND: N_("Sound of a source"),
}
LEG_KINDS: dict[str, str] = {
    LegKind.RUN: N_("Process of the meeting"),
    LegKind.INGEST: N_("Ingest"),
    LegKind.FEED: N_("Source"),
    LegKind.ENCODER: N_("Encoder"),
    LegKind.RELAY: N_("Account"),
    LegKind.RECORDER: N_("Recorder"),
    LegKind.LINK: N_("Conference link"),
}
LEG_STATES: dict[str, str] = {
    LegState.IDLE: N_("not started"),
    LegState.STARTING: N_("starting"),
    LegState.RUNNING: N_("running"),
    LegState.STALLED: N_("nothing moves"),
    LegState.BACKING_OFF: N_("waiting to try again"),
    LegState.STOPPING: N_("stopping"),
    LegState.STOPPED: N_("stopped"),
    LegState.FAILED: N_("given up"),
}
HEALTH: dict[str, str] = {
    Health.GREEN: N_("works"),
    Health.AMBER: N_("on its way"),
    Health.RED: N_("does not work"),
    Health.GREY: N_("not needed"),
}
ACTS: dict[str, str] = {
    Act.WAIT: N_("nobody: it tries again by itself"),
    Act.SIGN_IN: N_("sign in to the account again, or type a new key"),
    Act.CORRECT_SETTING: N_("correct the setting"),
    Act.CALL_US: N_("call the people who run the service"),
}
SCENES: dict[str, str] = {
    "hall": N_("Hall"),
    "site": N_("Site"),
    "split": N_("Hall and site"),
    "pip": N_("Site, the hall in a corner"),
    "grid": N_("Everybody"),
    "slides": N_("Slides"),
    "slate": N_("Slate"),
}
FEEDS: dict[str, str] = {
    "feed:hall": N_("Hall"),
    "feed:slides": N_("Slides"),
    "slides": N_("Slides"),
    "sign": N_("Sign language"),
    "interpreter": N_("Interpreter"),
    "programme": N_("Programme"),
}
"""Feeds that every meeting may have; those of sites are called by the site."""
DETECTORS: dict[str, str] = {
    Detector.NO_BYTES: N_("nothing arrives"),
    Detector.BLACK: N_("the picture is black"),
    Detector.FROZEN: N_("the picture stands still"),
    Detector.SILENT: N_("no sound"),
    Detector.CLIPPING: N_("the sound is distorted by being too loud"),
    Detector.LOW: N_("the sound is too quiet"),
    Detector.LOUD: N_("the sound is too loud"),
    Detector.OFFSET: N_("sound and picture are apart"),
}
ADVICE: dict[str, str] = {
    Detector.NO_BYTES: N_("See whether the sender runs and its network works."),
    Detector.BLACK: N_("Check the camera: its cap, its power, its cable."),
    Detector.FROZEN: N_("Start the camera or the sender of this picture again."),
    Detector.SILENT: N_("Check the microphone, its mute and the sound desk's output."),
    Detector.CLIPPING: N_("Turn the level down at the sound desk, before the sender."),
    Detector.LOW: N_("Turn the level up at the sound desk, or the gain of this source here."),
    Detector.LOUD: N_("Turn the level down at the sound desk, or the gain of this source here."),
    Detector.OFFSET: N_("Set the sound delay of this source."),
}
"""What a technician does about it."""
FEED_STATES: dict[str, str] = {
    "ALIVE": N_("signal"), "LOST": N_("lost"), "WAITING": N_("awaited"),
    "NONE": N_("not connected"),
}  # fmt: skip
GRAPHICS: dict[str, str] = {
    "lower_third": N_("Lower third"), "question": N_("Question card"), "next": N_("What is next"),
    "clock": N_("Clock"), "live_mark": N_("LIVE mark"),
}  # fmt: skip
EVENTS: dict[str, str] = {
    EventName.MEETING_STATE_CHANGED: N_("%(from)s → %(to)s"),
    EventName.RUN_STARTED: N_("A run took the meeting (worker %(worker)s)"),
    EventName.RUN_FINISHED: N_("The run has finished"),
    EventName.COMMAND_DONE: N_("Done: %(command)s"),
    EventName.COMMAND_REFUSED: N_("Refused: %(command)s"),
    EventName.LEG_STATE_CHANGED: N_("%(leg)s: %(from)s → %(to)s"),
    EventName.RELAY_CONNECTED: N_("Connected: %(destination)s"),
    EventName.RELAY_LOST: N_("Connection lost: %(destination)s"),
    EventName.RECORDING_PART_STARTED: N_("Recorder %(recorder)s began part %(part)s"),
    EventName.RECORDING_PART_FINISHED: N_("Recorder %(recorder)s closed part %(part)s"),
    EventName.SOURCE_LOST: N_("Source lost: %(feed)s; the slate is on"),
    EventName.SOURCE_BACK: N_("Source is back: %(feed)s, after %(seconds)s s"),
    EventName.SCENE_TAKEN: N_("Scene: %(scene)s"),
    EventName.MUTED: N_("Sound off: %(muted)s"),
    EventName.FLOOR_GIVEN: N_("The floor was given: %(site)s"),
    EventName.FLOOR_TAKEN_BACK: N_("The floor was taken back: %(site)s"),
    EventName.GRAPHICS_CHANGED: N_("Graphics: %(graphic)s"),
    EventName.SOUND_CHANGED: N_("Sound of %(feed)s was changed"),
    EventName.SIGNAL_FAULT: N_("%(feed)s: %(detector)s"),
    EventName.SIGNAL_RECOVERED: N_("Over after %(seconds)s s: %(feed)s, %(detector)s"),
    EventName.FEEDS_REDUCED: N_("Shown as still pictures until they are on: %(feeds)s"),
    EventName.SOURCE_CHANGED: N_("%(feed)s sends another form now"),
    EventName.CONFIGURATION_FROZEN: N_("The configuration is frozen"),
    EventName.DISK_PROBLEM: N_("Disk problem: %(path)s"),
    EventName.DISK_RECOVERED: N_("The disk works again: %(path)s"),
    EventName.INGEST_REFUSED: N_("A caller was refused at %(feed)s: %(address)s"),
    EventName.STORE_LOST: N_("No connection to %(store)s; events wait in the journal"),
    EventName.STORE_BACK: N_("Connected to %(store)s again"),
    EventName.OFF_AIR_CONFIRMED: N_("Off air is confirmed"),
    EventName.OFF_AIR_NOT_CONFIRMED: N_("Off air is NOT confirmed: something still sends"),
    EventName.PACKAGE_SEALED: N_("The package is sealed: %(files)s files"),
    EventName.PACKAGE_FAILED: N_("The package could not be sealed"),
}
ERRORS: dict[str, str] = {
    "not_allowed": N_("This is not possible now."),
    "plan_fixed": N_("The plan cannot be changed in this state."),
    "plan_closed": N_("The plan cannot be changed in this state."),
    "account_busy": N_("The account %(account)s is used by another meeting then: %(other)s."),
    "hall_busy": N_("The hall %(hall)s is used by another meeting then: %(other)s."),
    "unknown_region": N_("There is no region %(region)s."),
    "unknown_destination": N_("There is no account %(destination)s."),
    "destination_disabled": N_("The account %(destination)s is switched off."),
    "unknown_hall": N_("There is no hall %(hall)s."),
    "wrong_date": N_("This is not a date and time that exists: %(wall)s."),
    "end_before_start": N_("The end is not after the start."),
    "too_long": N_("A meeting cannot last longer than 24 hours; check the date of the end."),
    "in_the_past": N_("The meeting would be over already; check the year and the time."),
    "wrong_fields": N_("Some fields are empty or wrong."),
    "wrong_graphics": N_(
        "This cannot be shown: %(graphic)s, field %(field)s (at most %(limit)s letters)."
    ),
    "not_signed_in": N_("Sign in first."),
    "wrong_token": N_("The token is not known or was revoked."),
    "wrong_password": N_("The name or the password is wrong."),
    "forbidden": N_("Your account may not do this; ask an administrator for the right."),
    "form_expired": N_("The page is too old for this; load it again and repeat what you did."),
    "too_many_tries": N_("Too many failed sign-ins; try again in %(seconds)s seconds."),
    "no_such_meeting": N_("There is no such meeting here."),
    "no_such_page": N_("There is nothing at this address."),
    "unavailable": N_("A part of the service cannot be reached just now; it is tried again."),
    "our_fault": N_("A fault of the service. It was written down; call the people who run it."),
}
CONSOLE: dict[str, str] = {
    "sent": N_("Sent: %(command)s"),
    "done": N_("Done: %(command)s"),
    "refused": N_("Not done: %(command)s"),
    "no_answer": N_("No answer yet: %(command)s. The command is kept and will be done."),
    "possible": N_("Possible now: %(commands)s"),
    "nothing": N_("nothing"),
    "in": N_("in %(time)s"),
    "late": N_("%(time)s late"),
    "over": N_("%(time)s over the planned end"),
    "stale": N_("The run has been silent for %(seconds)s s"),
    "offline": N_("No connection to the service; trying again"),
    "no_picture": N_("No picture"),
    "sure_end": N_("End the meeting everywhere? Picture and sound go to the slate, then off air."),
    "sure_cancel": N_("Cancel the meeting? It cannot be taken back."),
    "sound": N_("Sound off"),
    "sound_back": N_("Sound on"),
    "yes": N_("yes"),
    "no": N_("no"),
    "who_acts": N_("Who must act: %(act)s"),
    "restart": N_("Restart"),
    "tries": N_("try %(tries)s"),
    "no_run": N_("No run yet"),
    "hours_left": N_("Disk: %(hours)s h left"),
    "disk_free": N_("Disk: %(size)s free"),
    "sealing": N_("The package is being sealed"),
    "not_sent": N_("Could not be sent: no connection. Try again."),
    "programme": N_("Programme"),
    "in_programme": N_("In the programme: %(shown)s"),
    "slate_instead": N_("Wanted: %(wanted)s. The slate is shown: its source does not come."),
    "other_shown": N_("Wanted: %(wanted)s. Shown: %(shown)s"),
    "muted": N_("the sound is off"),
    "passed": N_("the picture is passed on as it comes"),
    "who_has_floor": N_("who has the floor"),
    "choose_site": N_("choose a site"),
    "floor": N_("Floor: %(site)s"),
    "hall_speaks": N_("the hall"),
    "has_floor": N_("has the floor"),
    "still": N_("still picture until it is on"),
    "choose_for_scenes": N_("Take scenes with this site"),
    "lost_advice": N_("the connection is lost; it is taken back by itself"),
    "feed_heard": N_("♪ Sound on"),
    "feed_muted": N_("✕ Muted"),
    "gain": N_("Gain"),
    "louder": N_("1 dB louder"),
    "quieter": N_("1 dB quieter"),
    "db": N_("dB"),
    "level": N_("Level"),
    "more": N_("More"),
    "delay_ms": N_("Delay of the sound, ms"),
    "filtered": N_("%(shown)s of %(all)s"),
    "filtered_bad": N_("%(shown)s of %(all)s; hidden with problems: %(bad)s"),
    "bad_sources": N_("Sources"),
    "bad_sources_badge": N_("sources with problems"),
    "bad_legs_badge": N_("destinations and recorders that do not work"),
    "bad_lines_badge": N_("new lines about faults"),
    "all_works": N_("Everything works: destinations, recorders, sources"),
    "is_shown": N_("shown"),
    "is_hidden": N_("hidden"),
    "show": N_("Show"),
    "none_yet": N_("None yet"),
    "lufs_m": N_("Loudness of the last 0.4 s, LUFS"),
    "lufs_s": N_("Loudness of the last 3 s, LUFS"),
    "lufs_i": N_("Loudness of the whole meeting, LUFS"),
    "target": N_("target %(lufs)s LUFS"),
    "leveller": N_("leveller %(db)s dB"),
    "limiter": N_("limiter %(db)s dB"),
    "sound_right": N_("✓ loudness is right"),
    "sound_loud": N_("▲ louder by %(lu)s LU"),
    "sound_quiet": N_("▼ quieter by %(lu)s LU"),
    "late_frames": N_("Late pictures: %(late)s, stops of the clock: %(slips)s"),
}
FIELDS: dict[str, str] = {
    "region": N_("Region"),
    "title.kk": N_("Title in Kazakh"),
    "title.ru": N_("Title in Russian"),
    "title.en": N_("Title in English"),
    "starts": N_("Start"),
    "ends": N_("Minutes"),
    "speaker": N_("Speaker"),
    "hall": N_("Hall"),
    "destinations": N_("Accounts"),
}
SPOKEN = (STATES, COMMANDS, LEG_STATES, SCENES, FEEDS, DETECTORS, GRAPHICS)
"""Tables whose keys stand as values in the data of events."""

FEED_ID = re.compile(r"^feed:(?:site:)?(?=.)")
"""What a feed's id has before the name that people know."""
PLACE = re.compile(r"%\((\w+)\)s")


def tables(languages: Languages, language: str) -> dict[str, dict[str, str]]:
    """Every table in `language`, for the scripts of the pages."""
    named = {
        "states": STATES, "commands": COMMANDS, "leg_kinds": LEG_KINDS, "leg_states": LEG_STATES,
        "health": HEALTH, "acts": ACTS, "scenes": SCENES, "events": EVENTS, "errors": ERRORS,
        "console": CONSOLE, "fields": FIELDS, "feeds": FEEDS, "feed_states": FEED_STATES,
        "detectors": DETECTORS, "advice": ADVICE, "graphics": GRAPHICS,
    }  # fmt: skip
    return {
        name: {str(key): languages.text(language, text) for key, text in table.items()}
        for name, table in named.items()
    }


def event_text(
    languages: Languages, language: str, name: str, data: Mapping[str, Any]
) -> str:  # fmt: skip
    """One line of the as-run log in words."""
    template = languages.text(language, EVENTS[EventName(name)])
    return PLACE.sub(lambda place: _value(languages, language, data.get(place[1])), template)


PLAYER: dict[str, str] = {
    "auto": N_("By itself"),
    "sound": N_("Sound only"),
    "live": N_("Live"),
    "back": N_("Back to live"),
}


def error_text(languages: Languages, language: str, error: StreamerError) -> str:
    """An error in words; the English message of one that has no translation."""
    template = ERRORS.get(error.code)
    if template is None:
        return error.message
    text = languages.text(language, template)
    return PLACE.sub(lambda place: _value(languages, language, error.tried.get(place[1])), text)


def _value(languages: Languages, language: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return languages.text(language, CONSOLE["yes" if value else "no"])
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list):
        return ", ".join(_value(languages, language, one) for one in value)
    for table in SPOKEN:
        if value in table:
            return languages.text(language, table[value])
    return FEED_ID.sub("", str(value))
