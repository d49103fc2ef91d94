"""`Net`: places, transitions and the arcs between them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from petriflow.net.errors import DefinitionError, NetError, WorkflowNetError
from petriflow.net.marking import Marking

if TYPE_CHECKING:
    from petriflow.drawing.widget import Game

Form = Literal["atomic", "expanded"]
EMPTY = Marking()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node comes from: its fragment's path, the pattern, and its role in the pattern."""

    path: str
    pattern: str
    role: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place; `aliases` are the names it had before it was fused with another, `label` is what
    people call it where that is not its id.
    """

    id: str
    origin: Origin | None = None
    aliases: tuple[str, ...] = ()
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A transition with all its arcs.

    `consume`, `produce` and `read` give the weight for each place, `inhibitor` the threshold
    (enabled while the place holds fewer tokens), `reset` the places that a firing empties.
    `label` is the task's name; `None` makes the transition silent. `cancels` names tasks that a
    firing withdraws while they run: it has no effect on the atomic net, and becomes a reset of
    their running places in the expanded one. A silent transition with `join="or"` is an OR-join: it
    waits for those of its inputs that can still get a token (net/or_join.py).
    """

    id: str
    label: str | None = None
    consume: Marking = EMPTY
    produce: Marking = EMPTY
    read: Marking = EMPTY
    inhibitor: Marking = EMPTY
    reset: frozenset[str] = frozenset()
    cancels: frozenset[str] = frozenset()
    origin: Origin | None = None
    join: Literal["and", "or"] = "and"

    @property
    def silent(self) -> bool:
        """Whether this is routing only, not a task."""
        return self.label is None

    @property
    def needs(self) -> Marking:
        """The tokens that must be there, taken or only read."""
        if not self.read:
            return self.consume
        places = (*self.consume, *self.read)
        return Marking({p: max(self.consume[p], self.read[p]) for p in places})

    def arcs(self) -> Iterator[tuple[str, str, int]]:
        """Every arc as (kind, place, weight or threshold); the weight of a reset is 1."""
        for kind in ("consume", "produce", "read", "inhibitor"):
            for place, weight in getattr(self, kind).items():
                yield kind, place, weight
        for place in sorted(self.reset):
            yield "reset", place, 1


@dataclass(frozen=True)
class Net:
    """An immutable, validated Petri net.

    Args:
        name: what the net is called.
        places, transitions: the nodes, in the order in which they are to be shown.
        initial: the tokens at the start; empty means one token on the only source place.
        final: the tokens at the end; `None` means one token on the only sink place.
        form: `atomic` (a task is one transition) or `expanded` (a start and a complete around
            a running place).
        extras: what a file held of a node or of the net (`""`) besides, to be written back.

    Raises:
        NetError: a double or empty name, an arc or token on an unknown place, a reset of the
            final place.

    >>> net = (Net.build("lending")
    ...     .place("shelf").place("away").place("back")
    ...     .transition("lend", consume="shelf", produce="away")
    ...     .transition("return", consume="away", produce="back")
    ...     .done())
    >>> net.source.id, net.sink.id, len(net.expanded().transitions)
    ('shelf', 'back', 4)
    """

    name: str
    places: tuple[Place, ...]
    transitions: tuple[Transition, ...]
    initial: Marking = EMPTY
    final: Marking | None = None
    form: Form = "atomic"
    extras: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    _index: dict[str, Place | Transition] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: dict[str, Place | Transition] = {}
        nodes: list[Place | Transition] = [*self.places, *self.transitions]
        for node in nodes:
            if not isinstance(node.id, str) or not node.id.strip():
                raise NetError(f"net {self.name!r}: a node has the empty name {node.id!r}")
            if node.id in index:
                raise NetError(f"net {self.name!r}: two nodes are named {node.id!r}; rename one")
            index[node.id] = node
        object.__setattr__(self, "_index", index)
        places = {p.id for p in self.places}
        for t in self.transitions:
            touched = (t.consume.keys(), t.produce.keys(), t.read.keys(), t.inhibitor.keys())
            if not (all(keys <= places for keys in touched) and t.reset <= places):
                kind, place = next((kind, p) for kind, p, _ in t.arcs() if p not in places)
                raise self._no_place(place, f"the {kind} arc of transition {t.id!r}")
            if t.join == "or" and (not t.silent or any(w > 1 for w in t.consume.values())):
                raise NetError(
                    f"net {self.name!r}: OR-join {t.id!r} must be silent, with arcs of weight 1; "
                    "put the task after it"
                )
            for task in t.cancels:
                target = index.get(task)
                if not isinstance(target, Transition) or target.silent:
                    raise NetError(
                        f"net {self.name!r}: transition {t.id!r} cancels {task!r}, "
                        "which is not a task of the net"
                    )
        for what, marking in (("initial", self.initial), ("final", self.final or EMPTY)):
            for place in marking:
                if place not in places:
                    raise self._no_place(place, f"the {what} marking")
        for t in self.transitions:
            for place in t.reset & frozenset(self.final or ()):
                raise NetError(
                    f"net {self.name!r}: transition {t.id!r} resets the final place {place!r}; "
                    "an end that was reached must not be undone: take it out of the reset"
                )

    def _no_place(self, place: str, where: str) -> NetError:
        import difflib

        near = difflib.get_close_matches(place, [p.id for p in self.places], n=1)
        hint = f"did you mean {near[0]!r}?" if near else "declare it with .place(…)"
        return NetError(f"net {self.name!r}: {where} names an unknown place {place!r}; {hint}")

    @staticmethod
    def build(name: str = "net") -> NetBuilder:
        """A builder for a free-form net."""
        return NetBuilder(name)

    # -- looking things up ------------------------------------------------------------------

    def place(self, id: str) -> Place:
        """The place of this id."""
        node = self._index.get(id)
        if not isinstance(node, Place):
            raise self._no_place(id, "a look-up")
        return node

    def transition(self, id: str) -> Transition:
        """The transition of this id."""
        node = self._index.get(id)
        if not isinstance(node, Transition):
            raise NetError(f"net {self.name!r} has no transition {id!r}")
        return node

    def __contains__(self, id: object) -> bool:
        return id in self._index

    @cached_property
    def producers(self) -> Mapping[str, tuple[Transition, ...]]:
        """The preset of each place: the transitions that put tokens on it."""
        return self._neighbours("produce")

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Transition, ...]]:
        """The postset of each place: the transitions that take tokens from it."""
        return self._neighbours("consume")

    def _neighbours(self, kind: str) -> dict[str, tuple[Transition, ...]]:
        found: dict[str, list[Transition]] = {p.id: [] for p in self.places}
        for t in self.transitions:
            for place in getattr(t, kind):
                found[place].append(t)
        return {place: tuple(ts) for place, ts in found.items()}

    @cached_property
    def tasks(self) -> tuple[Transition, ...]:
        """The transitions that are not silent."""
        return tuple(t for t in self.transitions if not t.silent)

    # -- the workflow net -------------------------------------------------------------------

    @cached_property
    def sources(self) -> tuple[Place, ...]:
        """The places that no transition puts a token on."""
        return tuple(p for p in self.places if not self.producers[p.id])

    @cached_property
    def sinks(self) -> tuple[Place, ...]:
        """The places that no transition empties, neither by taking a token nor by a reset."""
        reset = frozenset().union(*(t.reset for t in self.transitions))
        return tuple(p for p in self.places if not self.consumers[p.id] and p.id not in reset)

    @cached_property
    def initial_marking(self) -> Marking:
        """The declared initial marking, or one token on the source.

        Raises:
            WorkflowNetError: none is declared, and there is no single source.
        """
        return self.initial or Marking(self.source.id)

    @cached_property
    def source(self) -> Place:
        """The place where a case begins.

        Raises:
            WorkflowNetError: there is none, or more than one.
        """
        return self._only("source", "initial", self.initial, self.sources)

    @cached_property
    def sink(self) -> Place:
        """The place where a case ends.

        Raises:
            WorkflowNetError: there is none, or more than one.
        """
        if not self.final and not self.sinks:
            for place, takers in self.consumers.items():
                undone = [t.id for t in self.transitions if place in t.reset]
                if undone and not takers:
                    raise WorkflowNetError(
                        f"net {self.name!r} has no sink place: {place!r} would be it, but "
                        f"transition {undone[0]!r} resets it, and an end that was reached must "
                        "not be undone; take it out of the reset"
                    )
        return self._only("sink", "final", self.final or EMPTY, self.sinks)

    def _only(self, what: str, field: str, said: Marking, found: tuple[Place, ...]) -> Place:
        if said:
            if said.total == 1:
                return self.place(next(iter(said)))
            raise WorkflowNetError(
                f"net {self.name!r}: its {field} marking is {said}; a workflow net has one token "
                f"on one {what} place"
            )
        if len(found) == 1:
            return found[0]
        names = ", ".join(repr(p.id) for p in found) or "none"
        if what == "source":
            remedy = "no place is without an arc into it; put one before all others, with a "
        else:
            remedy = "no place is without an arc out of it; put one after all others, with a "
        remedy += f"transition between, or declare the {field} marking"
        raise WorkflowNetError(
            f"net {self.name!r} needs exactly one {what} place, and has {len(found)}: {names}; "
            + (f"join them by a transition, or declare the {field} marking" if found else remedy)
        )

    # -- other forms ------------------------------------------------------------------------

    def expanded(self) -> Net:
        """The net that runs: each task as `start` and `complete` around a `running` place.

        Reading and inhibition are tested at the start, resets happen at completion, and a
        cancelled task loses the token on its running place (PATTERNS, "expanded form").
        """
        if self.form == "expanded":
            return self
        places, transitions = list(self.places), []
        for t in self.transitions:
            reset = t.reset | {f"{task}.running" for task in t.cancels}
            if t.silent:
                transitions.append(replace(t, reset=reset, cancels=frozenset()))
                continue
            path = t.origin.path if t.origin else t.id
            running = f"{t.id}.running"
            places.append(Place(running, Origin(path, "task", "running")))
            transitions += [
                Transition(
                    f"{t.id}.start",
                    t.label,
                    t.consume,
                    Marking(running),
                    t.read,
                    t.inhibitor,
                    origin=Origin(path, "task", "start"),
                ),
                Transition(
                    f"{t.id}.complete",
                    t.label,
                    Marking(running),
                    t.produce,
                    reset=reset,
                    origin=Origin(path, "task", "complete"),
                ),
            ]
        return replace(self, places=tuple(places), transitions=tuple(transitions), form="expanded")

    @cached_property
    def content_hash(self) -> str:
        """A hash of what the net is, the same on every machine: nodes, arcs, markings, form.

        Origins and aliases are left out: they say where a node came from, not what it does.
        """
        return digest(self.document())

    def document(self) -> dict[str, Any]:
        """The net as plain JSON data, in the order of the net."""
        return {
            "name": self.name,
            "form": self.form,
            "places": [p.id for p in self.places],
            "transitions": [
                {"id": t.id, "label": t.label, "cancels": sorted(t.cancels)}
                | {"arcs": [list(arc) for arc in t.arcs()]}
                | ({"join": "or"} if t.join == "or" else {})
                for t in self.transitions
            ],
            "initial": dict(self.initial),
            "final": None if self.final is None else dict(self.final),
        }

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        size = f"{len(self.places)} places, {len(self.transitions)} transitions"
        return f"<Net {self.name!r}: {size}>"

    def play(self, trace: Iterable[str] = ()) -> Game:
        """The token game as a widget of a notebook; see `petriflow.drawing.play`."""
        from petriflow.drawing import play

        return play(self, trace)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from petriflow.drawing import draw

        return draw(self)._repr_mimebundle_(include, exclude)


def require_net(thing: object, what: str) -> Net:
    """The net, if it is one.

    Raises:
        DefinitionError: it is something else.
    """
    if isinstance(thing, Net):
        return thing
    inner = getattr(thing, "net", None)
    remedy = "; pass its .net" if isinstance(inner, Net) else ""
    if isinstance(thing, NetBuilder):
        remedy = "; end it with .done()"
    if hasattr(thing, what):
        remedy += f", or call its own .{what}()"
    raise DefinitionError(f"{what} takes a Net, not {thing!r}{remedy}")


def digest(document: Any) -> str:
    """The SHA-256 of plain JSON data in a canonical form, as 64 hexadecimal digits."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


#: How a builder's caller may write arcs: one place, several places, or places with weights.
Arcs = str | Iterable[str] | Mapping[str, int]


class NetBuilder:
    """Collects the nodes of a free-form net; every method returns the builder."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._places: list[Place] = []
        self._transitions: list[Transition] = []
        self._initial: dict[str, int] = {}
        self._final: Arcs | None = None

    def __repr__(self) -> str:
        return f"<NetBuilder {self._name!r}: not yet done()>"

    def place(self, id: str, tokens: int = 0) -> NetBuilder:
        """Add a place, with this number of tokens at the start."""
        self._places.append(Place(id))
        self._initial[id] = tokens
        return self

    def places(self, *ids: str) -> NetBuilder:
        """Add several places without tokens."""
        self._places.extend(map(Place, ids))
        return self

    def transition(
        self,
        id: str,
        consume: Arcs = (),
        produce: Arcs = (),
        *,
        read: Arcs = (),
        inhibitor: Arcs = (),
        reset: Arcs = (),
        cancels: Iterable[str] = (),
        silent: bool = False,
        join: Literal["and", "or"] = "and",
    ) -> NetBuilder:
        """Add a transition with its arcs; it is a task of this name unless it is silent."""
        reset_places = frozenset([reset] if isinstance(reset, str) else reset)
        self._transitions.append(
            Transition(
                id,
                None if silent else id,
                self._weights(id, "consume", consume),
                self._weights(id, "produce", produce),
                self._weights(id, "read", read),
                self._weights(id, "inhibitor", inhibitor),
                reset_places,
                frozenset([cancels] if isinstance(cancels, str) else cancels),
                join=join,
            )
        )
        return self

    def silent(self, id: str, consume: Arcs = (), produce: Arcs = (), **arcs: Any) -> NetBuilder:
        """Add a silent transition: routing, not a task. The arcs are those of `transition`."""
        return self.transition(id, consume, produce, silent=True, **arcs)

    def final(self, marking: Arcs) -> NetBuilder:
        """Declare the final marking; without it, the only sink place is the end."""
        self._final = marking
        return self

    def done(self) -> Net:
        """The finished, validated net."""
        return Net(
            self._name,
            tuple(self._places),
            tuple(self._transitions),
            Marking(self._initial),
            None if self._final is None else Marking(self._final),
        )

    def _weights(self, transition: str, kind: str, arcs: Arcs) -> Marking:
        if isinstance(arcs, Mapping):
            for place, weight in arcs.items():
                if not isinstance(weight, int) or isinstance(weight, bool) or weight < 1:
                    raise NetError(
                        f"net {self._name!r}: the {kind} arc between transition {transition!r} "
                        f"and place {place!r} has weight {weight!r}; a weight is 1 or more"
                    )
        return Marking(arcs)
