"""The wiring of the api process: one FastAPI app on one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from twoleg import __version__
from twoleg.api import errors
from twoleg.api.access_log import AccessLog
from twoleg.api.account.routes import router as account
from twoleg.api.appointment_feeds.routes import router as appointment_feeds
from twoleg.api.appointments.routes import router as appointments
from twoleg.api.bodies import BodyLimit
from twoleg.api.calls.found_again import call_found_again
from twoleg.api.calls.routes import router as calls
from twoleg.api.contacts.routes import router as contacts
from twoleg.api.documentation.routes import router as documentation
from twoleg.api.events.routes import router as events
from twoleg.api.health.routes import router as health
from twoleg.api.idempotency import Idempotency, key_in
from twoleg.api.imports.routes import router as imports
from twoleg.api.lines.routes import router as lines
from twoleg.api.measurements import Measurements
from twoleg.api.pages import PREFIX
from twoleg.api.prompts.bodies import MAX_BODY_BYTES as MAX_PROMPT_BYTES
from twoleg.api.prompts.routes import router as prompts
from twoleg.api.recordings.routes import router as recordings
from twoleg.api.reminder_plans.routes import router as reminder_plans
from twoleg.api.reports.routes import router as reports
from twoleg.api.ring_groups.routes import router as ring_groups
from twoleg.api.tokens.routes import router as tokens
from twoleg.api.trunks.routes import router as trunks
from twoleg.api.two_legged_call.routes import PATH, endpoint, route
from twoleg.api.users.routes import router as users
from twoleg.api.webhooks.routes import router as webhooks
from twoleg.calls.admission import Admission
from twoleg.calls.recordings import RecordingLinks
from twoleg.directory.importing.imports import MAX_BYTES as MAX_IMPORT_BYTES
from twoleg.events import EventStream
from twoleg.events.addresses import AddressPolicy
from twoleg.prompts import PromptStudio
from twoleg.settings import Settings
from twoleg.speech import Voices
from twoleg.store import Database
from twoleg.store.objects import Objects

UPLOADS: Final = {
    f"{PREFIX}/appointments/import": MAX_IMPORT_BYTES,
    f"{PREFIX}/contacts/import": MAX_IMPORT_BYTES,
    f"{PREFIX}/prompts": MAX_PROMPT_BYTES,
}


class App(FastAPI):
    """FastAPI with a short way in for the contract's request, which is nearly all of the load."""

    contract: ASGIApp
    once: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and _is_contract(scope["path"]):
            scope["path"] = PATH
        if key_in(scope) is None:
            await self.without_key(scope, receive, send)
        else:
            await self.once(scope, receive, send)

    async def without_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request without looking whether it was handled before."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            scope["app"] = self
            await self.contract(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings, database: Database) -> FastAPI:
    """Return the app; it takes calls in while its lifespan runs. `database` stays the caller's.

    Raises UnusableVoice.
    """
    measurements = Measurements()
    voices = Voices.checked(settings.piper_voices.by_language)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            Admission.open(database) as admission,
            EventStream.open(database) as event_stream,
            PromptStudio.open(voices) as prompt_studio,
        ):
            app.state.admission = admission
            app.state.objects = Objects.open(settings.objects)
            app.state.event_stream = event_stream
            measurements.event_streams = lambda: event_stream.subscribers
            app.state.prompt_studio = prompt_studio
            yield

    app = App(
        title="twoleg",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(AccessLog, measurements), Middleware(BodyLimit, uploads=UPLOADS)],
    )
    app.state.settings = settings
    app.state.database = database
    app.state.address_policy = AddressPolicy(settings.webhooks_allow_private)
    app.state.measurements = measurements
    app.state.recording_links = RecordingLinks(database, settings.recording_link_seconds)
    app.contract = AccessLog(endpoint, measurements)
    app.once = Idempotency(app.without_key, database, call_found_again)
    app.router.routes.append(route)
    for router in _routers():
        app.include_router(router, prefix=PREFIX)
    # Where probes and Prometheus look by custom.
    app.include_router(health, include_in_schema=False)
    errors.install(app)
    return app


def _is_contract(path: str) -> bool:
    """Tell whether Laravel takes `path` for the contract's: it passes over slashes at the end."""
    return path.startswith(PATH) and path.rstrip("/") == PATH


def _routers() -> list[APIRouter]:
    directory = [users, ring_groups, contacts, lines, trunks, prompts, tokens, account]
    reminders = [reminder_plans, appointments, appointment_feeds, imports]
    return [
        calls,
        recordings,
        reports,
        events,
        webhooks,
        *directory,
        *reminders,
        health,
        documentation,
    ]
