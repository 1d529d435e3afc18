"""The scenes of a region as pictures, for `streamer scenes`."""

from pathlib import Path

from streamer.config.models import Configuration
from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas
from streamer.programme.proofs import draw_scenes


def draw(configuration: Configuration, slug: str | None, folder: Path) -> list[Path]:
    """Draw the scenes of the region `slug` (the first one when None) into `folder`; blocking.

    Raises NotFound for an unknown region, FontMissing.
    """
    region = configuration.region(slug or next(iter(configuration.regions)))
    settings = region.programme.over(configuration.service.programme)
    return draw_scenes(
        folder,
        configuration.scenes,
        canvas=Canvas(settings.width, settings.height, settings.fps),
        region=region.names.domain,
        hall=region.halls[0].names.domain if region.halls else Names("Зал", "Зал"),
        sites={site.id: site.names.domain for site in region.sites},
        zone=region.time_zone,
    )
