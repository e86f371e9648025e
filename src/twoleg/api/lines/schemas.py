"""The shapes of lines in requests and replies."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from twoleg.api.values import Country, Id, Input, Name, Output, Time, Word, absent
from twoleg.directory.lines import MAX_TRUNKS


class LineChange(Input):
    """What of a line changes; `trunk_ids` replaces all of its trunks."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"trunk_ids": [2, 1]}]})

    phone_number: Word = absent()
    name: Name | None = absent()
    country: Country = absent()
    trunk_ids: Annotated[list[Id], Field(max_length=MAX_TRUNKS)] = absent()


class NewLine(LineChange):
    """A line to be made; its country is that of its number where none is given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"phone_number": "+18552562001", "country": "US", "trunk_ids": [1]}]
        }
    )

    phone_number: Word


class Line(Output):
    """A line; trunks are tried in their order."""

    id: int
    phone_number: str
    name: str | None
    country: str
    trunk_ids: list[int]
    created_at: Time
