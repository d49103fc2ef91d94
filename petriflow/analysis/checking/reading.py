"""Reading a certificate, of which every part may be anything; for check.py alone."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from petriflow.net import Marking, Net, replay
from petriflow.net.errors import FormatError, PetriflowError

Json = Any  # something read from JSON
MANY, OBJECT, NAME = (list, tuple), (Mapping,), (str, int)
MOST_BITS = 10_000  # Python writes whole numbers of up to 14,000 bits


class Wrong(PetriflowError):
    """Something that a certificate says is not so."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a proof is about: a net, where its cases begin, and the marking in which they end."""

    net: Net
    source: str
    sink: str
    initial: Marking
    final: Marking


def need(holds: object, text: str, *things: Json) -> None:
    """Go on only if this holds; otherwise say what is wrong, with these things in the text."""
    if not holds:
        raise Wrong(text.format(*map(told, things)))


def told(thing: Json) -> str:
    """A thing in few words; what may be huge or deep is only named."""
    if isinstance(thing, Marking):
        text = str(thing)
    elif isinstance(thing, str | float | None) or (isinstance(thing, int) and small(thing)):
        text = repr(thing)
    else:
        text = "an object" if isinstance(thing, Mapping) else f"a {type(thing).__name__}"
    return text if len(text) < 300 else text[:300] + "…"


def small(number: int) -> bool:
    """Whether a number can be written."""
    return number.bit_length() <= MOST_BITS


def typed(value: Json, *types: type, what: str = "a part") -> Json:
    """The value, if it has one of these types; `true` is no number."""
    odd = isinstance(value, bool) or (isinstance(value, int) and not small(value))
    if odd or not isinstance(value, types):
        wanted = " or ".join(t.__name__ for t in types)
        raise FormatError(f"the certificate has {told(value)} as {what}, which is {wanted}")
    return value


def part(holder: Json, key: str, *types: type) -> Json:
    """The part of an object under this key."""
    if not isinstance(holder, Mapping) or key not in holder:
        raise FormatError(f"the certificate has {told(holder)} where it needs {key!r}")
    return typed(holder[key], *types, what=repr(key))


def names(values: Iterable[Json], known: Container[str]) -> list[str]:
    """Names that the net must know; a transition that a reduction made has a number."""
    found = [str(typed(value, *NAME)) for value in values]
    for name in found:
        need(name in known, "the net has no {}", name)
    return found


def trace(claim: Claim, begin: Marking, values: Iterable[Json]) -> Marking:
    """Where a trace leads."""
    *_, last = replay(claim.net, names(values, {t.id for t in claim.net.transitions}), begin)
    return last


def vector(value: Json, known: Container[str]) -> dict[str, int]:
    """Whole numbers by names."""
    numbers = [typed(n, int) for n in typed(value, *OBJECT).values()]
    return dict(zip(names(value, known), numbers, strict=True))


def marking(claim: Claim, value: Json) -> Marking:
    """A marking, which names only the places that have tokens."""
    tokens = vector(value, claim.net.producers)
    if min(tokens.values(), default=1) < 1:
        raise FormatError("a marking of the certificate names a place without tokens")
    return Marking(tokens)


def markings(claim: Claim, values: Iterable[Json]) -> set[Marking]:
    """Several markings."""
    return {marking(claim, value) for value in values}


def lacks(net: Net, *kinds: str) -> None:
    """Go on only if the net has no OR-join and no arcs of these kinds."""
    for t in net.transitions:
        plain = t.join == "and" and not any(getattr(t, kind) for kind in kinds)
        need(plain, "{} is an OR-join or has arcs that this proof does not allow", t.id)
