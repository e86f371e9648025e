"""What an app holds while it runs, and how a route gets at it."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from twoleg.api.measurements import Measurements
from twoleg.calls.admission import Admission
from twoleg.calls.recordings import RecordingLinks
from twoleg.events import EventStream
from twoleg.events.addresses import AddressPolicy
from twoleg.prompts import PromptStudio
from twoleg.store import Database
from twoleg.store.objects import Objects


def _database(request: Request) -> Database:
    return cast(Database, request.app.state.database)


def _admission(request: Request) -> Admission:
    return cast(Admission, request.app.state.admission)


def _address_policy(request: Request) -> AddressPolicy:
    return cast(AddressPolicy, request.app.state.address_policy)


def _event_stream(request: Request) -> EventStream:
    return cast(EventStream, request.app.state.event_stream)


def _measurements(request: Request) -> Measurements:
    return cast(Measurements, request.app.state.measurements)


def _objects(request: Request) -> Objects:
    return cast(Objects, request.app.state.objects)


def _recording_links(request: Request) -> RecordingLinks:
    return cast(RecordingLinks, request.app.state.recording_links)


def _prompt_studio(request: Request) -> PromptStudio:
    return cast(PromptStudio, request.app.state.prompt_studio)


ObjectsOf = Annotated[Objects, Depends(_objects)]
RecordingLinksOf = Annotated[RecordingLinks, Depends(_recording_links)]
DatabaseOf = Annotated[Database, Depends(_database)]
AdmissionOf = Annotated[Admission, Depends(_admission)]
AddressPolicyOf = Annotated[AddressPolicy, Depends(_address_policy)]
EventStreamOf = Annotated[EventStream, Depends(_event_stream)]
PromptStudioOf = Annotated[PromptStudio, Depends(_prompt_studio)]
MeasurementsOf = Annotated[Measurements, Depends(_measurements)]
