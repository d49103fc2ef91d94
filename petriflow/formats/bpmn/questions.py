"""What the translation asks of an element."""

from __future__ import annotations

import re
from datetime import timedelta

from petriflow.formats.bpmn.elements import Definition, Element

#: Events that are thrown and caught inside a process, and end the activity that they leave.
THROWN = ("error", "cancel")


def segment_of(text: str) -> str:
    """A text as a part of an id."""
    return re.sub(r"\s+", " ", re.sub(r"[/.~#\x00-\x1f]", " ", text)).strip() or "unnamed"


def is_link(element: Element) -> bool:
    """Whether it jumps to another place of the drawing, or is jumped to."""
    return any(d.kind == "link" for d in element.definitions)


def link(element: Element) -> str:
    """The name by which the two ends of a jump find each other."""
    return next((d.name for d in element.definitions if d.name), "") or element.name


def undoes(element: Element) -> bool:
    """Whether it stands for the compensation of an activity."""
    return element.kind == "boundaryEvent" and any(
        d.kind in ("compensate", "compensation") for d in element.definitions
    )


def catches(event: Element, port: str) -> bool:
    """Whether an event is told what is thrown at a port: of its kind, and of its name if any."""
    kind, _, name = port.partition(" ")
    return any(d.kind == kind and d.name in ("", name) for d in event.definitions)


def ways(element: Element) -> bool:
    """Whether several flows leave it."""
    return len(element.outgoing) > 1


def splits(element: Element) -> bool:
    """Whether more than one token may go on from an element."""
    if element.kind == "boundaryEvent":
        return not element.interrupting or ways(element)
    if element.inner is not None and element.inner.by_event:
        return True
    return ways(element) and element.kind not in ("exclusiveGateway", "eventBasedGateway")


def seconds(definition: Definition) -> float | None:
    """How long a timer waits, if its text says so in the words of ISO 8601."""
    from pydantic import TypeAdapter, ValidationError

    text = re.sub(r"^R\d*/", "", definition.text)
    if definition.form == "timeDate" or not text.startswith("P"):
        return None
    try:
        return TypeAdapter(timedelta).validate_python(text).total_seconds()
    except ValidationError:
        return None
