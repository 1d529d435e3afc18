"""The scenes of a meeting, from its frozen configuration."""

from streamer.config.spec import MeetingSpec
from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas
from streamer.programme.cards import Cards, card_names
from streamer.programme.layouts import Layouts


def layouts_of(spec: MeetingSpec) -> Layouts:
    """Every scene that can be taken; with a sign language window where the hall sends one."""
    signs = any(source.id == "sign" for source in spec.sources)
    return Layouts(
        spec.scenes, sites=[site.id for site in spec.sites], sign=spec.sign if signs else None
    )


def cards_of(spec: MeetingSpec, canvas: Canvas) -> Cards:
    """A card and a label for the hall, its sources and every site; to be drawn by `draw_soon`."""
    hall = spec.hall_names.domain if spec.hall_names else Names("Зал", "Зал")
    sites = {site.id: site.names.domain for site in spec.sites}
    return Cards(canvas, card_names(hall, spec.sign.names.domain, sites), later=True)
