# SPDX-License-Identifier: Apache-2.0
"""The parameters of ``/api/v1/modules/…`` as a model with types, and what its answers look like.

Names and meanings are those of ``past.parameters``; here stands only what each may look like.  A
parameter that is not listed here is text.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema, create_model

from fleutan.exports import forms
from fleutan.past.modules import MODULES
from fleutan.past.parameters import MOST_GRANULARITY, MOST_ROWS, PARAMETERS
from fleutan.query.durations import LONGEST

#: The last second of time that there is.
LAST = (1 << 63) // 10**9
#: The longest filter: of plain signs it fits a request's line.
LONGEST_FILTER = 4000
#: What decimal seconds are, in a schema.
_SECONDS = {"type": "number", "minimum": 0, "maximum": LAST}
_Unix = Annotated[Decimal, Field(ge=0, le=LAST, allow_inf_nan=False), WithJsonSchema(_SECONDS)]


def _text(most: int, least: int = 1) -> Any:
    return Annotated[str, StringConstraints(min_length=least, max_length=most)]


def _number(least: int, most: int) -> Any:
    return Annotated[int, Field(ge=least, le=most)]


FORMS = tuple(dict.fromkeys(form for module in MODULES for form in forms.forms_of(module)))
#: What each parameter looks like.
TYPES: Mapping[str, Any] = {
    "start": _Unix,
    "end": _Unix,
    **dict.fromkeys(("time", "during", "from", "to", "since", "interval"), _text(LONGEST)),
    "granularity": _number(1, MOST_GRANULARITY),
    "source": Literal["tuple", "trace"],
    "filter": _text(LONGEST_FILTER, 0),
    "format": Enum("Format", {form: form for form in FORMS}),
    "wait": Literal["yes", "no"],
    "topn": _number(0, MOST_ROWS),
    "limit": _number(0, MOST_ROWS),
    **dict.fromkeys(("use-src", "use-dst", "utc"), bool),
}
ModuleName = Enum("ModuleName", {name: name for name in MODULES})  # type: ignore[misc]


def parameters_model() -> type[BaseModel]:
    """The model; it takes no parameter that there is not."""
    fields: dict[str, Any] = {
        name.replace("-", "_") + "_": (
            TYPES.get(name, _text(1000, 0)),
            Field(default=None, alias=name, description=help_),
        )
        for name, help_ in PARAMETERS.items()
    }
    return create_model("Parameters", __config__=ConfigDict(extra="forbid"), **fields)


def words(parameters: BaseModel) -> dict[str, str]:
    """The parameters as text, as the other addresses have them; of truths only those that are."""
    given = parameters.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    return {name: _word(value) for name, value in given.items() if value is not False}


def _word(value: Any) -> str:
    if value is True:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.value if isinstance(value, Enum) else str(value)


class Answer(BaseModel):
    """The JSON document of an answer: the window in ns UTC, and its rows under the catalogue's keys."""

    model_config = ConfigDict(title="Answer")

    schema_: str = Field(alias="schema", examples=["fleutan/traffic/1"])
    start_ns: int
    end_ns: int | None = Field(default=None, description="missing of answers that go on")
    notes: list[str] = Field(default=[], description="how the question was understood, where that is not plain")
    rows: list[dict[str, Any]]


class Module(BaseModel):
    """A question that has a name."""

    module: str
    filter: str = Field(description="which traffic it is about")
    formats: list[str]
    description: str


class Modules(BaseModel):
    """All modules."""

    schema_: str = Field(alias="schema")
    modules: list[Module]


class ModuleStatus(Module):
    """A module, and the time of its first record."""

    since_ns: int | None


class Status(BaseModel):
    """The node, its time in ns UTC, and the packets of its last 15 minutes, hour, 6 hours and day."""

    schema_: str = Field(alias="schema")
    name: str
    location: str
    type: str
    start_ns: int
    now_ns: int
    version: str
    built: str
    comment: str
    loads: dict[str, int | None]
    modules: list[ModuleStatus]


class Problem(BaseModel):
    """What is wrong, as RFC 9457 has it; ``position`` is the place in the ``text`` that is not understood."""

    type: str
    title: str
    status: int
    detail: str
    text: str | None = None
    position: int | None = None
