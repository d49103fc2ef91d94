"""`Fragment`: a net with typed ports, the unit of composition.

Ids are paths. A node that a pattern makes is `path.role` (`order/payment.out`), a task's
transition is its bare path (`order/payment/card`). The first segment is the fragment's own name;
a parent replaces it by `parent/segment` when the fragment is put into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from petriflow.net import Marking, Net, Origin, Place, Transition
from petriflow.net.errors import CompositionError

if TYPE_CHECKING:
    from petriflow.drawing.widget import Game

#: What can be asked before a branch is taken: a text in the guard language, or a function of the
#: case's variables. Patterns carry it; the workflow floor reads it.
Guard = str | Callable[[Any], bool]
#: What a task runs: a function, a coroutine function, or a `Task`.
Binding = Callable[..., Any]
PortType = Literal["control", "threads", "and", "xor", "or"]
LinkKind = Literal["resource", "state", "region"]


@dataclass(frozen=True, slots=True)
class Port:
    """Where a fragment is joined to others, and what goes through.

    `control` is one token on `place`; `threads` are `width` tokens on it. A bundle, `and`, `xor` or
    `or`, is one place a branch (`place` and `others`), of which all, one, or some get a token.
    """

    place: str
    type: PortType = "control"
    width: int = 1
    others: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """All places of the port."""
        return (self.place, *self.others)

    def renamed(self, rename: Callable[[str], str]) -> Port:
        """The port under new ids."""
        return Port(rename(self.place), self.type, self.width, tuple(map(rename, self.others)))

    def __str__(self) -> str:
        match self.type:
            case "control":
                return "one token"
            case "threads":
                return f"{self.width} threads"
            case "and":
                return f"a token on each of {len(self.places)} branches"
            case "xor":
                return f"a token on one of {len(self.places)} branches"
            case "or":
                return f"a token on some of {len(self.places)} branches"


@dataclass(frozen=True, slots=True)
class Link:
    """A port that is joined by its name to others of its kind, however far away; see `linked`.

    A resource is a lock that sections need; a state is a stage that one part offers and others
    look at; a region is offered by what can be withdrawn, and needed by what withdraws it.
    `transitions` are those that get the arcs.
    """

    kind: LinkKind
    name: str
    offers: bool
    path: str
    transitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One alternative of a choice; the guard of the `otherwise` branch is `None`."""

    name: str
    guard: Guard | None


@dataclass(frozen=True, slots=True)
class Selector:
    """A silent transition of a choice: which branches (by number) it takes and which it skips."""

    transition: str
    takes: frozenset[int]
    skips: frozenset[int]


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision by data. Its alternatives are ordinary silent transitions of the net.

    `many` is false for an exclusive choice (the first true guard wins) and true for a
    multi-choice (every true guard). The decision is open while `place` is marked. Where no guard is
    true a `patient` choice waits for another token on `place` before it asks again. `to_prove` says
    that it has no `otherwise` and nobody promised that some guard is always true: a workflow proves
    it when it is made.
    """

    path: str
    place: str
    many: bool
    branches: tuple[Branch, ...]
    selectors: tuple[Selector, ...]
    patient: bool = False
    to_prove: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Concurrent branches with variables of their own.

    When one of `splits` fires, each branch that it puts a token into starts from a snapshot. When
    one of `joins` fires, the updates of the branches in which no token is left are merged, and
    those of branches that the firing cancels are forgotten. `branches` are paths.
    """

    path: str
    splits: frozenset[str]
    joins: frozenset[str]
    branches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """What a transition cancels: every node below `paths`, and the further `places`.

    Kept as paths, and resolved to reset arcs again whenever a task inside is refined.
    """

    transition: str
    paths: tuple[str, ...]
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """A number by data: `asked` says how many instances there are.

    The first is there already; `more` fires once for each further one, and then `stop`. The
    question is open while `place` is marked.
    """

    path: str
    place: str
    asked: Guard
    more: str
    stop: str
    most: int


@dataclass(frozen=True, slots=True)
class Instances:
    """A task of which several run at once; `opens` are the transitions that begin a new set."""

    task: str
    opens: frozenset[str]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens outside and is told by `engine.signal`, or by `engine.tell` where it
    is `about` a variable.

    A persistent event that nobody waits for is kept until somebody does; a transient one is lost.
    """

    name: str
    persistent: bool = True
    about: str | None = None

    def __str__(self) -> str:
        return f"✉ {self.name}" + (f" about {self.about}" if self.about else "")


@dataclass(frozen=True, slots=True)
class Timer:
    """So many seconds after the moment from which a case can wait for it."""

    seconds: float

    def __str__(self) -> str:
        return f"⏱ {timedelta(seconds=self.seconds)}"


#: What a silent transition waits for, besides its tokens.
Trigger = Event | Timer


def within(path: str, id: str) -> bool:
    """Whether the node belongs to the fragment at this path."""
    return id.startswith(path) and (len(id) == len(path) or id[len(path)] in "/.")


@dataclass(frozen=True)
class Fragment:
    """A net with ports, and what its nodes mean.

    `net` is atomic. `ports` holds at least `entry` and `exit`; no arc enters the entry or leaves
    the exit inside the fragment. `tasks` binds task transitions to what they run, `triggers` names
    the silent transitions that wait for something outside.

    >>> from petriflow.patterns import sequence
    >>> def pick(case): ...
    >>> def pack(case): ...
    >>> [t.id for t in sequence(pick, pack, name="ship").net.transitions]
    ['ship/pick', 'ship/pack']
    """

    net: Net
    ports: Mapping[str, Port]
    pattern: str
    name: str | None = None
    tasks: Mapping[str, Binding] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    counts: tuple[Count, ...] = ()
    instances: tuple[Instances, ...] = ()
    blocks: tuple[Block, ...] = ()
    regions: tuple[Region, ...] = ()
    links: tuple[Link, ...] = ()
    #: the steps of an unnamed sequence, so that `a >> b >> c` is one sequence of three
    steps: tuple[Fragment, ...] = ()

    @property
    def root(self) -> str:
        """The first segment of every id in the fragment."""
        return self.name or self.pattern

    @property
    def entry(self) -> str:
        """The place where the fragment begins."""
        return self.ports["entry"].place

    @property
    def exit(self) -> str:
        """The place where the fragment ends."""
        return self.ports["exit"].place

    def __rshift__(self, other: Fragment | Binding) -> Fragment:
        """`a >> b` is `sequence(a, b)`; with unnamed sequences on either side, one flat one."""
        from petriflow.patterns.basic import sequence

        after = as_fragment(other)
        return sequence(*(self.steps or (self,)), *(after.steps or (after,)))

    def __rrshift__(self, other: Binding) -> Fragment:
        return as_fragment(other) >> self

    def refine(self, task: str, inner: Fragment | Binding) -> Fragment:
        """The fragment with one task replaced by another fragment, under the same path.

        Args:
            task: the id of a task's transition, or its last segment where that is unambiguous.
            inner: what takes its place.

        Cancel regions that hold the task hold the new nodes too, and so the verdict that a
        sound refinement keeps is kept (PATTERNS §5).

        Raises:
            CompositionError: no such task, or more than one.
        """
        from petriflow.patterns.parts import refine

        return refine(self, task, inner)

    def __repr__(self) -> str:
        return f"<Fragment {self.root!r} ({self.pattern}): {len(self.tasks)} tasks>"

    def play(self, trace: Iterable[str] = ()) -> Game:
        """The token game as a widget of a notebook; see `petriflow.drawing.play`."""
        from petriflow.drawing import play

        return play(self, trace)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from petriflow.drawing import draw

        return draw(self)._repr_mimebundle_(include, exclude)


def check_name(name: str) -> str:
    """The name, if it can be a segment of a path.

    Raises:
        CompositionError: it is no text, empty, or holds a reserved character.
    """
    if not isinstance(name, str):
        raise CompositionError(f"{name!r} cannot be the name of a fragment: it is not a text")
    reserved = [c for c in name if c in "/.~#" or (c.isspace() and c != " ")]
    if not name.strip() or reserved:
        raise CompositionError(
            f"{name!r} cannot be the name of a fragment: "
            + (f"{reserved[0]!r} is reserved for paths" if reserved else "it is empty")
        )
    return name


def check_guard(guard: Guard | None, where: str) -> Guard:
    """The guard, if it can be one.

    Raises:
        CompositionError: it is neither a text nor a function.
    """
    if not isinstance(guard, str) and not callable(guard):
        raise CompositionError(
            f"{where}: a guard is a text such as 'total > 1000', or a function of the case's "
            f"variables, not {guard!r}"
        )
    return guard


def as_fragment(item: Fragment | Binding) -> Fragment:
    """The item itself if it is a fragment, or the fragment of one task.

    Raises:
        CompositionError: the item is neither a fragment nor a function with a name.
    """
    if isinstance(item, Fragment):
        return item
    name = getattr(item, "name", None) or getattr(item, "__name__", None)
    if not callable(item):
        raise CompositionError(
            f"{item!r} cannot stand in a workflow; pass a fragment, a function or an @task"
        )
    if name == "<lambda>":
        raise CompositionError("a lambda has no name for the task; write `def`, or @task(name=…)")
    if not isinstance(name, str):
        raise CompositionError(f"{item!r} has no name for the task; write task(name=…)(…)")
    check_name(name)
    net = Net(
        name,
        (
            Place(f"{name}.in", Origin(name, "task", "in")),
            Place(f"{name}.out", Origin(name, "task", "out")),
        ),
        (
            Transition(
                name,
                name,
                Marking(f"{name}.in"),
                Marking(f"{name}.out"),
                origin=Origin(name, "task", "task"),
            ),
        ),
    )
    ports = {"entry": Port(f"{name}.in"), "exit": Port(f"{name}.out")}
    return Fragment(net, ports, "task", name, {name: item})


def _skip() -> Fragment:
    place = Place("skip.in", Origin("skip", "skip", "in"))
    return Fragment(
        Net("skip", (place,), ()), {"entry": Port("skip.in"), "exit": Port("skip.in")}, "skip"
    )


#: The fragment that does nothing: its entry is its exit.
skip = _skip()
