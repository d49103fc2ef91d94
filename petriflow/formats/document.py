"""A net as JSON, with a published schema: every kind of arc, labels, markings, OR-joins.

The schema is `json_schema()`, and lies in docs/net.schema.json.
"""

from __future__ import annotations

import json
import os
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from petriflow.formats.textual import saved, text_of
from petriflow.net import Marking, Net, Place, Transition, require_net
from petriflow.net.errors import FormatError, NetError

Weights = dict[str, int]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PlaceDocument(_Part):
    """A place."""

    id: str
    label: str | None = Field(None, description="What people call it, where that is not its id.")


class TransitionDocument(_Part):
    """A transition with its arcs: places with weights, or for inhibitors thresholds."""

    id: str
    label: str | None = Field(None, description="The task's name; a silent transition has none.")
    consume: Weights = {}
    produce: Weights = {}
    read: Weights = {}
    inhibitor: Weights = {}
    reset: list[str] = []
    cancels: list[str] = Field([], description="The tasks that a firing withdraws as they run.")
    join: Literal["and", "or"] = "and"


class NetDocument(_Part):
    """A Petri net of petriflow."""

    format: Literal["petriflow-net"] = "petriflow-net"
    version: Literal[1] = 1
    name: str
    form: Literal["atomic", "expanded"] = "atomic"
    places: list[PlaceDocument]
    transitions: list[TransitionDocument]
    initial: Weights = Field({}, description="By default one token on the only source place.")
    final: Weights | None = Field(None, description="By default one on the only sink place.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a net's document."""
    return NetDocument.model_json_schema()


def write_json(net: Net, file: str | os.PathLike[str] | None = None) -> str:
    """A net as JSON, and into a file if one is given.

    Raises:
        FormatError: the file cannot be written.
    """
    require_net(net, "write_json")
    document = NetDocument(
        name=net.name,
        form=net.form,
        places=[PlaceDocument(id=p.id, label=p.label) for p in net.places],
        transitions=[
            TransitionDocument(
                id=t.id,
                label=t.label,
                consume=dict(t.consume),
                produce=dict(t.produce),
                read=dict(t.read),
                inhibitor=dict(t.inhibitor),
                reset=sorted(t.reset),
                cancels=sorted(t.cancels),
                join=t.join,
            )
            for t in net.transitions
        ],
        initial=dict(net.initial),
        final=None if net.final is None else dict(net.final),
    )
    told = document.model_dump(exclude_defaults=True) | {"format": "petriflow-net", "version": 1}
    return saved(json.dumps(told, ensure_ascii=False, indent=1) + "\n", file)


def read_json(file: str | os.PathLike[str]) -> Net:
    """A net from a JSON document.

    Raises:
        FormatError: the file is no such document, or its parts do not fit together.
    """
    try:
        document = NetDocument.model_validate_json(text_of(file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise FormatError(
            f"{file}: no net of petriflow's in JSON: {where}: {first['msg']}"
        ) from None
    try:
        return Net(
            document.name,
            tuple(Place(p.id, label=p.label) for p in document.places),
            tuple(
                Transition(
                    t.id,
                    t.label,
                    Marking(t.consume),
                    Marking(t.produce),
                    Marking(t.read),
                    Marking(t.inhibitor),
                    frozenset(t.reset),
                    frozenset(t.cancels),
                    join=t.join,
                )
                for t in document.transitions
            ),
            Marking(document.initial),
            None if document.final is None else Marking(document.final),
            document.form,
        )
    except (NetError, ValueError) as error:
        raise FormatError(f"{file}: {error}") from error
