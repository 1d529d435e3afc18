"""The demonstration's side of the API: what a program of a stranger would do."""

from __future__ import annotations

from typing import Any, cast

import aiohttp

from streamer.domain.errors import StreamerError


class Api:
    """A client with a token. Raises StreamerError with the answer's own words."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session, self.base = session, base

    async def plan(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._json("POST", "/api/meetings", body)

    async def meeting(self, meeting: str) -> dict[str, Any]:
        return await self._json("GET", f"/api/meetings/{meeting}")

    async def live(self, meeting: str) -> dict[str, Any]:
        """The snapshot of the meeting run."""
        return await self._json("GET", f"/api/meetings/{meeting}/live")

    async def archived(self, meeting: str) -> dict[str, Any]:
        return await self._json("GET", f"/api/archive/meetings/{meeting}")

    async def state(self, meeting: str) -> str:
        """The state as the records know it; the snapshot's while a run has it."""
        return str((await self.meeting(meeting))["state"])

    async def watchable(self, meeting: str) -> bool:
        """True when the archive offers a playlist that is closed, as a player would find it."""
        try:
            found = await self.archived(meeting)
        except StreamerError:
            return False
        address = found.get("watch")
        if not address:
            return False
        async with self._session.get(f"{self.base}{address}") as answer:
            return answer.status == 200 and "#EXT-X-ENDLIST" in await answer.text()

    async def text(self, path: str) -> str:
        """Whatever an address answers; for the search for keys."""
        async with self._session.get(f"{self.base}{path}") as answer:
            return await answer.text(errors="replace")

    async def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        async with self._session.request(method, f"{self.base}{path}", json=body) as answer:
            found = cast("dict[str, Any]", await answer.json())
            if answer.status >= 400:
                error = found.get("error", {})
                raise StreamerError(
                    f"{method} {path}: {error.get('message', answer.status)}",
                    code=error.get("code", "api"),
                )
            return found
