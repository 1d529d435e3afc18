"""The slate of a meeting, from its frozen configuration."""

from streamer.config.spec import MeetingSpec
from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas
from streamer.programme.slate import Slate


def slate_of(spec: MeetingSpec, canvas: Canvas) -> Slate:
    """Region and title in Kazakh and Russian, and the clock of the meeting's zone. Blocking."""
    return Slate(
        canvas,
        region=Names(spec.region_names.kk, spec.region_names.ru),
        title=Names(spec.title.kk, spec.title.ru),
        zone=spec.zone,
    )
