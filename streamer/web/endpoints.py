"""The table of API addresses: what is served is what `/api/openapi.json` describes."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from streamer.domain.roles import Right
from streamer.web.auth import Handler, guarded


@dataclass(frozen=True, slots=True)
class Query:
    """One parameter in the query string. `kind` is a JSON schema type."""

    name: str
    description: str
    kind: str = "string"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the API. `right` None: open to everybody."""

    method: str
    path: str
    handler: Handler
    summary: str
    right: Right | None
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    status: int = 200
    media: str = "application/json"
    errors: tuple[int, ...] = ()
    query: tuple[Query, ...] = ()
    tag: str = "meetings"


def register(app: web.Application, endpoints: tuple[Endpoint, ...]) -> None:
    """Add every endpoint behind its right."""
    for endpoint in endpoints:
        app.router.add_route(
            endpoint.method, endpoint.path, guarded(endpoint.handler, endpoint.right)
        )
