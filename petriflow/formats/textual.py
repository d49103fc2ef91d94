"""What the readers of nets as text have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from petriflow.net import Marking, Net, Place, Transition
from petriflow.net.errors import FormatError, NetError

#: Larger files are refused.
MOST_BYTES = 50_000_000
#: A weight that no arc of a real net has.
TOO_MANY = 2**31


def text_of(file: str | os.PathLike[str]) -> str:
    """The text of a file.

    Raises:
        FormatError: it cannot be read, is too large, or is no text.
    """
    path = Path(file)
    try:
        with path.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MOST_BYTES:
        raise FormatError(f"{path}: larger than {MOST_BYTES // 1_000_000} MB; is it the file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: no text in UTF-8: {error}") from None


def saved(text: str, file: str | os.PathLike[str] | None) -> str:
    """The text, written into a file if one is given.

    Raises:
        FormatError: the file cannot be written.
    """
    if file is not None:
        try:
            Path(file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise FormatError(f"{file}: {error.strerror}") from error
    return text


def number(text: str, where: str) -> int:
    """A weight or a number of tokens.

    Raises:
        FormatError: it is none.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) >= TOO_MANY:
        raise FormatError(f"{where}: {text[:30]!r} is no number of tokens")
    return int(text)


@dataclass(slots=True)
class Arcs:
    """The arcs of a transition as they come; those that come twice add up."""

    label: str | None
    consume: dict[str, int] = field(default_factory=dict)
    produce: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    inhibitor: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, place: str, weight: int) -> None:
        """One arc more."""
        arcs: dict[str, int] = getattr(self, kind)
        arcs[place] = arcs.get(place, 0) + weight


def net_of(
    name: str,
    where: str,
    places: Mapping[str, int],
    transitions: Mapping[str, Arcs],
) -> Net:
    """The net of places with their tokens and transitions with their arcs; places that only arcs
    name are there too.

    Raises:
        FormatError: the parts do not fit together.
    """
    known = dict(places)
    for arcs in transitions.values():
        for kind in ("consume", "produce", "read", "inhibitor"):
            for place in getattr(arcs, kind):
                known.setdefault(place, 0)
    try:
        return Net(
            name,
            tuple(Place(id) for id in known),
            tuple(
                Transition(
                    id,
                    arcs.label,
                    _positive(arcs.consume),
                    _positive(arcs.produce),
                    _positive(arcs.read),
                    _positive(arcs.inhibitor),
                )
                for id, arcs in transitions.items()
            ),
            _positive(known),
        )
    except NetError as error:
        raise FormatError(f"{where}: {error}") from error


def _positive(weights: Mapping[str, int]) -> Marking:
    return Marking({place: n for place, n in weights.items() if n})


def require_plain(net: Net, what: str, *, tests: bool = False) -> None:
    """Refuse a net with arcs that a format does not have.

    Args:
        net: what is to be written.
        what: the format's name.
        tests: whether it has read and inhibitor arcs.

    Raises:
        FormatError: the net has an OR-join or such arcs; the message names the transition.
    """
    for t in net.transitions:
        kinds = [f"{k} arcs" for k in ("read", "inhibitor") if getattr(t, k) and not tests]
        kinds += ["reset arcs"] if t.reset else []
        kinds += ["OR-joins"] if t.join == "or" else []
        if kinds:
            raise FormatError(
                f"net {net.name!r}: {what} has no {kinds[0]}, and transition {t.id!r} needs them; "
                "write it as JSON"
            )
