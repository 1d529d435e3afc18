"""Every address of the API, in one table."""

from streamer.web import api, archive, operation, public
from streamer.web.endpoints import Endpoint

API: tuple[Endpoint, ...] = (
    *api.ENDPOINTS, *archive.ENDPOINTS, *public.ENDPOINTS, *operation.ENDPOINTS,
)  # fmt: skip
