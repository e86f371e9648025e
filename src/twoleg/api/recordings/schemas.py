"""A call's recording in replies."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request

from twoleg.api.pages import PREFIX
from twoleg.api.values import Output, Time
from twoleg.calls.recordings import RecordingLinks, RecordingRow


class Recording(Output):
    """A call's recording; `url` needs no token until `expires_at`, and is there once it is ready.

    The states are `recording`, `finalising`, `ready`, `failed` and `deleted`.
    """

    state: str
    seconds: float | None
    url: str | None
    expires_at: Time | None
    failure: str | None

    @classmethod
    async def of(cls, row: RecordingRow, request: Request, links: RecordingLinks) -> Recording:
        """Return the shape of `row`, with a link of its own where it can be heard."""
        url = expires_at = None
        if row.is_ready:
            link = await links.sign(row.call_id)
            expires_at = datetime.fromtimestamp(link.expires, UTC)
            url = (
                f"{str(request.base_url).rstrip('/')}{PREFIX}/calls/{row.call_id}/recording.wav"
                f"?expires={link.expires}&signature={link.signature}"
            )
        return cls(
            state=row.state,
            seconds=None if row.seconds is None else float(row.seconds),
            url=url,
            expires_at=expires_at,
            failure=row.failure,
        )
