"""`Overlay`: what a picture shows on top of the net, and where it lands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from petriflow.net import Marking, Net
from petriflow.net.errors import DrawingError

NOTHING: frozenset[str] = frozenset()
_PHASES = (".start", ".complete")


@dataclass(frozen=True, slots=True)
class Overlay:
    """States to be shown on a net; it knows no engine and no analysis.

    Args:
        path: transitions in firing order: their steps are numbered.
        tokens: a marking. Empty means the initial one.
        faults: places and transitions at fault, such as left-over places or stuck joins.
        dead: transitions that can never fire.
        enabled: transitions that can fire now.

    All may speak of the expanded net while the atomic one is drawn: `A.start` and `A.complete`
    are then steps of the task `A`, and a token on `A.running` lies in its box.
    """

    path: tuple[str, ...] = ()
    tokens: Marking = field(default_factory=Marking)
    faults: frozenset[str] = NOTHING
    dead: frozenset[str] = NOTHING
    enabled: frozenset[str] = NOTHING


@dataclass(frozen=True, slots=True)
class Landed:
    """An overlay in terms of one net's own nodes; `steps` are texts such as `2–5`."""

    steps: Mapping[str, str]
    tokens: Mapping[str, int]
    faults: frozenset[str] = NOTHING
    dead: frozenset[str] = NOTHING
    enabled: frozenset[str] = NOTHING


def land(overlay: Overlay | None, net: Net) -> Landed:
    """The overlay on this net.

    Raises:
        DrawingError: the overlay names something that is no node of the net.
    """
    overlay = overlay or Overlay()
    dead = {_node(net, id) for id in overlay.dead}
    return Landed(
        _steps(net, overlay.path),
        {_node(net, id): n for id, n in (overlay.tokens or _initial(net)).items()},
        frozenset(_node(net, id) for id in overlay.faults),
        frozenset(dead),
        frozenset(_node(net, id) for id in overlay.enabled),
    )


def _initial(net: Net) -> Marking:
    """Where the net begins; a net without a declared start has it at its only source."""
    if net.initial or len(net.sources) != 1:
        return net.initial
    return Marking(net.sources[0].id)


def _node(net: Net, id: str) -> str:
    """The node of the net that an id speaks of."""
    if id in net:
        return id
    task, dot, _ = id.rpartition(".")
    if dot and id.removeprefix(task) in (*_PHASES, ".running") and task in net:
        return task
    raise DrawingError(
        f"net {net.name!r} has no node {id!r} to show the overlay on; draw the net that the "
        "overlay speaks of, or its atomic form"
    )


def _steps(net: Net, path: Iterable[str]) -> dict[str, str]:
    """The numbers at each transition: `3`, `1, 4`, and `2–5` for a task that starts and ends."""
    spans: dict[str, list[list[int]]] = {}
    for number, id in enumerate(path, 1):
        node = _node(net, id)
        own = spans.setdefault(node, [])
        if node != id and id.endswith(".complete") and (begun := _open(own)):
            begun.append(number)
        else:
            own.append([number] if node != id else [number, number])
    return {node: _numbers(own) for node, own in spans.items()}


def _open(spans: list[list[int]]) -> list[int] | None:
    """The oldest firing that has started and not ended."""
    return next((span for span in spans if len(span) == 1), None)


def _numbers(spans: list[list[int]]) -> str:
    def told() -> Iterator[str]:
        for first, *last in spans:
            yield f"{first}–{last[0]}" if last and last[0] != first else str(first)

    return ", ".join(told())
