"""From the elements of a process to a fragment.

After Dijkman, Dumas and Ouyang (Semantics and analysis of business process models in BPMN, 2008):
a sequence flow is a place, a task a transition, an exclusive gateway or an event-based one a
choice at one place, a parallel gateway one transition; what is attached to an activity can happen
while a token says that it is at work, and withdraws all of it by a reset. An inclusive gateway
that joins is an OR-join (net/or_join.py). A process has ended when a token has come to an end and
no other is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from petriflow.formats.bpmn.elements import Definition, Element, Flow, Scope
from petriflow.formats.bpmn.fragments import pruned
from petriflow.formats.bpmn.guards import condition
from petriflow.formats.bpmn.questions import (
    THROWN,
    catches,
    is_link,
    link,
    seconds,
    segment_of,
    splits,
    undoes,
    ways,
)
from petriflow.formats.bpmn.report import Fate, Item
from petriflow.net import Marking
from petriflow.patterns.branching import admitted
from petriflow.patterns.compose import Composer, Placed
from petriflow.patterns.fragment import (
    Binding,
    Branch,
    Choice,
    Event,
    Fragment,
    Guard,
    Port,
    Region,
    Selector,
    Timer,
    Trigger,
)
from petriflow.patterns.trigger import leaf

#: From an inclusive gateway with more ways out, each combination would be too many.
MOST_WAYS = 8

Bindings = Callable[[Element, str], Binding]


class Translator:
    """Makes a fragment of each scope, and notes what becomes of each element.

    Args:
        bind: gives what an element's task runs, by the element and the name of its step.
    """

    def __init__(self, bind: Bindings) -> None:
        self.items: list[Item] = []
        self.bind = bind

    def fragment(self, scope: Scope, name: str) -> Fragment:
        """The fragment of a process."""
        fragment, gone = pruned(_Builder(self, scope, name).build(top=True))
        self.items += [Item("", "step", id, "left out", "nothing ever comes to it") for id in gone]
        return fragment

    def note(self, element: Element, fate: Fate, became: str) -> None:
        """Say what became of an element."""
        self.items.append(Item(element.id, element.kind, element.name, fate, became))


@dataclass(frozen=True, slots=True)
class _Activity:
    """A step inside its scope: where it begins and ends, and what it throws."""

    placed: Placed
    entry: str
    exit: str

    @property
    def throws(self) -> dict[str, str]:
        return {n: p.place for n, p in self.placed.ports.items() if n.startswith(THROWN)}


class _Builder:
    """One scope."""

    def __init__(self, translator: Translator, scope: Scope, name: str) -> None:
        self._to, self._scope = translator, scope
        self._composer = Composer("bpmn", name)
        self._root = self._composer.root
        self._used: set[str] = set()
        self._segments: dict[str, str] = {}
        self._ends: list[str] = []
        self._throws: dict[str, str] = {}
        self._places: dict[Flow, str] = {}
        self._beside: set[str] = set()
        #: the transitions that end all that goes on in the scope
        self._giving_up: list[str] = []
        self._alive: list[str] = []
        self._armed: list[str] = []

    def build(self, top: bool = False) -> Fragment:
        composer, scope = self._composer, self._scope
        entry, self._exit = composer.place("in"), composer.place("out")
        live = self._reached()
        for element in scope.elements.values():
            if element.id not in live:
                self._drop(element)
        elements = [e for e in scope.elements.values() if e.id in live]
        for element in elements:
            element.incoming = [f for f in element.incoming if f.source in live]
            self._segments[element.id] = self._unique(element.name or element.id)
        for flow in scope.flows:
            if flow.source in live and flow.target in live:
                self._places[flow] = composer.place(self._unique(f"flow {flow.name or flow.id}"))
        handlers = [e for e in elements if e.inner is not None and e.inner.by_event]
        self._splits = any(map(splits, elements))
        if handlers:
            self._alive = [composer.place("alive")]
        self._ended = composer.place("ended") if handlers or self._splits else self._exit
        self._begin(entry, elements)
        for element in elements:
            if element not in handlers:
                self._element(element)
        for handler in handlers:
            self._handler(handler, entry)
        done = self._finish()
        if top:
            for name, place in self._throws.items():
                self._giving_up.append(composer.silent(f"{name} ends it", place, self._over()))
            self._throws = {}
        for transition in self._giving_up:
            composer.empty_at(transition, self._exit)
        fragment = self._when_nothing_is_left(composer.finish(entry, self._exit), done)
        extra = {name: Port(place) for name, place in self._throws.items()}
        return replace(fragment, ports={**fragment.ports, **extra}) if extra else fragment

    # -- what there is ----------------------------------------------------------------------

    def _reached(self) -> set[str]:
        """The elements that something can come to."""
        elements = self._scope.elements
        starts = [e for e in elements.values() if self._is_start(e)] or [
            e
            for e in elements.values()
            if not e.incoming and not e.attached_to and not e.compensates and not is_link(e)
        ]
        todo = [e.id for e in starts]
        todo += [e.id for e in elements.values() if e.inner is not None and e.inner.by_event]
        seen: set[str] = set()
        while todo:
            id = todo.pop()
            if id in seen:
                continue
            seen.add(id)
            element = elements[id]
            todo += [flow.target for flow in element.outgoing]
            todo += [e.id for e in elements.values() if e.attached_to == id and not undoes(e)]
            if element.kind == "intermediateThrowEvent" and is_link(element):
                todo += [e.id for e in elements.values() if self._is_other_end(element, e)]
        return seen

    def _is_start(self, element: Element) -> bool:
        return element.kind == "startEvent"

    def _is_other_end(self, throw: Element, other: Element) -> bool:
        return (
            other.kind == "intermediateCatchEvent" and is_link(other) and link(throw) == link(other)
        )

    def _drop(self, element: Element) -> None:
        if undoes(element) or element.compensates:
            why = "undoes something: give the task compensate= in Python"
            self._to.note(element, "left out", why)
        else:
            self._to.note(element, "left out", "nothing leads to it")
        for inner in element.inner.elements.values() if element.inner else ():
            self._to.note(inner, "left out", f"it lies in {element.shown}, which is left out")

    def _unique(self, text: str) -> str:
        name, n = segment_of(text), 2
        while name in self._used:
            name, n = f"{segment_of(text)} {n}", n + 1
        self._used.add(name)
        return name

    def _at(self, element: Element) -> str:
        """The one place at which an element takes its token, whichever flow it comes by."""
        places = [self._places[flow] for flow in element.incoming]
        if not places:
            return self._composer.place(self._unique(f"before {self._segments[element.id]}"))
        for other in places[1:]:
            self._composer.fuse(places[0], other)
        return places[0]

    def _outs(self, element: Element) -> list[str]:
        """The places into which an element puts its tokens; an end of the process if none."""
        if element.outgoing:
            return [self._places[flow] for flow in element.outgoing]
        self._ends.append(self._composer.place(self._unique(f"end {self._segments[element.id]}")))
        return self._ends[-1:]

    # -- begin and end ----------------------------------------------------------------------

    def _begin(self, entry: str, elements: list[Element]) -> None:
        starts = [e for e in elements if self._is_start(e)]
        self._starts: list[str] = []
        for start in starts:
            trigger = self._trigger(start) if len(starts) > 1 and start.definitions else None
            self._start(self._segments[start.id], entry, self._outs(start), trigger)
            if trigger is not None:
                became = f"one of {len(starts)} beginnings: the case waits for {trigger}"
            elif len(starts) > 1:
                became = f"one of {len(starts)} beginnings"
            else:
                became = "the beginning of the case"
            self._to.note(start, "kept", became)
        if not starts:
            self._implicit = [e for e in elements if not e.incoming and not e.attached_to]
            self._implicit = [e for e in self._implicit if e.inner is None or not e.inner.by_event]
            self._first = {e.id: self._at(e) for e in self._implicit}
            self._start("start", entry, list(self._first.values()), None)
        else:
            self._first = {}

    def _start(self, name: str, entry: str, to: list[str], trigger: Trigger | None) -> None:
        role = name if name == "start" else f"{name} begins"
        id = self._composer.silent(role, entry, [*to, *self._alive], trigger=trigger)
        self._starts.append(id)

    def _finish(self) -> str | None:
        """Lead the ends to the exit; the answer is the transition that waits until nothing else is
        left, if there is need of one.
        """
        for place in self._ends:
            self._composer.fuse(self._ended, place)
        if self._ended == self._exit:
            return None
        self._beside = {self._ended, self._exit, *self._alive, *self._armed}
        gone = Region("", (), (self._ended, *self._armed))
        takes = [self._ended, *self._alive]
        return self._composer.silent("done", takes, self._exit, cancels=gone)

    def _when_nothing_is_left(self, fragment: Fragment, done: str | None) -> Fragment:
        """Implicit termination (WCP-11): the process has ended when no step of it goes on."""
        if done is None:
            return fragment
        own = [p.id for p in fragment.net.places if p.id.startswith(f"{self._root}.")]
        left = {id: 1 for id in own if id not in self._beside}
        transitions = tuple(
            replace(t, inhibitor=Marking(left)) if t.id == done else t
            for t in fragment.net.transitions
        )
        return replace(fragment, net=replace(fragment.net, transitions=transitions))

    def _over(self) -> list[str]:
        """Where the tokens go when all of the scope is given up."""
        return [self._ended, *self._alive]

    def _end(self, element: Element) -> None:
        kind = element.definitions[0].kind if element.definitions else ""
        name = self._segments[element.id]
        if kind == "terminate":
            self._giving_up.append(self._composer.silent(name, self._at(element), self._over()))
            self._to.note(element, "kept", "ends all of its process at once")
        elif kind in THROWN:
            port = f"{kind} {element.definitions[0].name}".strip()
            if port not in self._throws:
                self._throws[port] = self._composer.place(self._unique(port))
            self._composer.silent(name, self._at(element), self._throws[port])
            self._to.note(element, "kept", "ends the activity around it, which is told why")
        elif kind == "message":
            self._ends.append(self._sends(element).exit)
            self._to.note(element, "kept", f"a step {name!r} that sends")
        else:
            self._ends += [self._places[flow] for flow in element.incoming]
            what = f"; that it throws a {kind} is told to nobody" if kind else ""
            self._to.note(element, "changed" if kind else "kept", f"an end{what}")

    def _handler(self, element: Element, entry: str) -> None:
        """A sub-process that begins when something happens in the scope around it."""
        assert element.inner is not None
        composer, name = self._composer, self._segments[element.id]
        start = next((e for e in element.inner.elements.values() if self._is_start(e)), None)
        placed = composer.add(_Builder(self._to, element.inner, name).build(), name)
        for port, place in _Activity(placed, "", "").throws.items():
            self._throws.setdefault(port, place)
            composer.fuse(self._throws[port], place)
        interrupts = start is None or start.interrupting
        thrown = [p for n, p in self._throws.items() if start and catches(start, n)]
        trigger = None if thrown or start is None else self._trigger(start)
        if interrupts:
            for n, place in enumerate(thrown or self._alive):
                takes = [place] if place in self._alive else [place, *self._alive]
                role = f"{name} happens" + (f" {n + 1}" if n else "")
                gives = [placed.entry, *self._alive]
                self._giving_up.append(composer.silent(role, takes, gives, trigger=trigger))
            composer.fuse(self._ended, placed.exit)
            self._throws = {n: p for n, p in self._throws.items() if p not in thrown}
            self._to.note(element, "kept", "instead of all that goes on, when it happens")
        else:
            armed = self._arm(name, self._starts)
            busy, end = (composer.place(self._unique(f"{w} {name}")) for w in ("busy", "end"))
            begins = [placed.entry, busy]
            composer.silent(f"{name} happens", armed, begins, read=self._alive, trigger=trigger)
            composer.silent(f"{name} done", [placed.exit, busy], end)
            self._ends.append(end)
            self._to.note(element, "changed", "beside what goes on; it happens once at the most")

    def _arm(self, name: str, begins: Iterable[str]) -> str:
        """A token that lets something happen once, put there where its activity begins."""
        armed = self._composer.place(self._unique(f"armed {name}"))
        self._armed.append(armed)
        for id in begins:
            self._composer.give(id, armed)
        return armed

    # -- elements ---------------------------------------------------------------------------

    def _element(self, element: Element) -> None:
        match element.kind:
            case "startEvent" | "boundaryEvent":
                pass  # told where they are used
            case "endEvent":
                self._end(element)
            case "exclusiveGateway":
                self._choose(element, self._at(element), element.outgoing, many=False)
                self._to.note(element, "kept", "a choice" if ways(element) else "a merge")
            case "parallelGateway":
                self._and(element)
            case "inclusiveGateway" | "complexGateway":
                self._or(element)
            case "eventBasedGateway":
                place = self._at(element)
                for flow in element.outgoing:
                    self._composer.fuse(place, self._places[flow])
                fate: Fate = "changed" if element.parallel else "kept"
                self._to.note(element, fate, "the first thing to happen decides")
            case "intermediateThrowEvent" | "intermediateCatchEvent" | "implicitThrowEvent":
                self._happening(element)
            case _:
                self._activity(element)

    def _and(self, element: Element) -> None:
        takes = [self._places[flow] for flow in element.incoming] or [self._at(element)]
        if element.id in self._first:
            takes = [self._first[element.id]]
        self._composer.silent(self._segments[element.id], takes, self._outs(element))
        self._to.note(element, "kept", "all ways in, all ways out")

    def _or(self, element: Element) -> None:
        place, name = self._at_or(element), self._segments[element.id]
        self._choose(element, place, element.outgoing, many=True)
        if element.kind == "complexGateway":
            self._to.note(element, "changed", f"an inclusive gateway {name!r}; its own rule is not")
        else:
            self._to.note(element, "kept", "those ways for which it is so")

    def _at_or(self, element: Element) -> str:
        if len(element.incoming) < 2:
            return self._at(element)
        joined = self._composer.place(self._unique(f"joined {self._segments[element.id]}"))
        takes = [self._places[flow] for flow in element.incoming]
        self._composer.silent(f"{self._segments[element.id]} joins", takes, joined, join="or")
        return joined

    def _choose(self, element: Element, place: str, flows: list[Flow], *, many: bool) -> None:
        """Go on by one of the flows, or some, as the data says."""
        composer, name = self._composer, self._segments[element.id]
        if len(flows) < 2:
            composer.fuse(place, self._outs(element)[0])
            return
        if many and len(flows) > MOST_WAYS:
            many = False
            self._to.note(element, "changed", f"of more than {MOST_WAYS} ways one is taken")
        default = [f for f in flows if f.id == element.default]
        asked = [f for f in flows if f not in default]
        flows = [*asked, *default]
        branches = tuple(
            Branch(segment_of(f.name or f.target), None if f in default else self._guard(f, many))
            for f in flows
        )
        everything = frozenset(range(len(flows)))
        sets = admitted(len(asked), len(flows)) if many else [frozenset([n]) for n in everything]
        selectors = []
        for taken in sorted(sets, key=sorted):
            to = " and ".join(self._way(flows[n]) for n in sorted(taken))
            id = composer.silent(
                self._unique(f"{name} to {to}"), place, [self._places[flows[n]] for n in taken]
            )
            selectors.append(Selector(id, taken, everything - taken))
        composer.choices.append(Choice(place, place, many, branches, tuple(selectors)))

    def _way(self, flow: Flow) -> str:
        return segment_of(flow.name) if flow.name else self._segments[flow.target]

    def _guard(self, flow: Flow, many: bool) -> Guard:
        guard, note = condition(flow, always=many)
        if note:
            self._to.items.append(Item(flow.id, "sequenceFlow", flow.name, "changed", note))
        return guard

    # -- what happens outside ---------------------------------------------------------------

    def _trigger(self, element: Element) -> Trigger:
        """What an event waits for."""
        if not element.definitions:
            return Event(segment_of(element.name or element.id))
        first: Definition = element.definitions[0]
        if first.kind == "timer" and (after := seconds(first)) is not None:
            return Timer(after)
        return Event(segment_of(first.name or element.name or element.id))

    def _wait(self, element: Element) -> None:
        trigger = self._trigger(element)
        id = self._composer.silent(
            self._segments[element.id], self._at(element), self._outs(element), trigger=trigger
        )
        exact = not element.definitions or element.definitions[0].kind != "timer"
        exact = exact or isinstance(trigger, Timer)
        fate: Fate = "kept" if exact else "changed"
        self._to.note(element, fate, f"waits for {trigger} ({id.rpartition('.')[2]})")

    def _happening(self, element: Element) -> None:
        kind = element.definitions[0].kind if element.definitions else ""
        name = self._segments[element.id]
        if kind == "link":
            self._jump(element)
        elif element.kind == "intermediateCatchEvent" and kind:
            self._wait(element)
        elif kind == "message":
            self._leave(element, self._sends(element).exit)
            self._to.note(element, "kept", f"a step {name!r} that sends")
        else:
            self._composer.silent(name, self._at(element), self._outs(element))
            what = f"goes on; that it throws a {kind} is told to nobody" if kind else "goes on"
            self._to.note(element, "changed" if kind else "kept", what)

    def _sends(self, element: Element) -> _Activity:
        """A message is sent by a step that does it."""
        name = self._segments[element.id]
        placed = self._composer.add(self._to.bind(element, name), name)
        step = self._guarded(element, _Activity(placed, placed.entry, placed.exit))
        self._composer.fuse(self._at(element), step.entry)
        return step

    def _jump(self, element: Element) -> None:
        if element.kind == "intermediateCatchEvent":
            self._to.note(element, "kept", "goes on where the link was left")
            return
        others = [e for e in self._scope.elements.values() if self._is_other_end(element, e)]
        to = [p for other in others for p in self._outs(other)] or self._outs(element)
        self._composer.silent(self._segments[element.id], self._at(element), to)
        self._to.note(element, "kept" if others else "changed", "goes on at the other end")

    # -- activities -------------------------------------------------------------------------

    def _activity(self, element: Element) -> None:
        name = self._segments[element.id]
        fate: Fate = "kept"
        inner = element.inner
        if inner is not None and inner.kind != "adHocSubProcess" and inner.elements:
            placed = self._composer.add(_Builder(self._to, inner, name).build(), name)
            became = "a block of its own"
        elif element.kind == "receiveTask":
            trigger = self._trigger(element)
            placed = self._composer.add(leaf("bpmn", None, trigger), name)
            became = f"waits for {trigger}"
        else:
            placed = self._composer.add(self._to.bind(element, name), name)
            became = f"a step {name!r}"
            if inner is not None and inner.kind == "adHocSubProcess":
                fate, became = "changed", f"one step {name!r}: ad hoc, it has no order to keep"
                for e in inner.elements.values():
                    self._to.note(e, "left out", f"it lies in {element.shown}, which has no order")
            elif inner is not None:
                fate, became = "changed", f"one step {name!r}: it is collapsed and empty"
            elif element.calls:
                fate, became = "changed", f"a step {name!r}: bind it to call({element.calls!r})"
        step = self._looped(element, _Activity(placed, placed.entry, placed.exit))
        if element.loop in ("parallel", "sequential"):
            fate, became = "changed", f"{became}; its several instances are one"
        step = self._guarded(element, step)
        at = self._first.get(element.id) or self._at(element)
        self._composer.fuse(at, step.entry)
        self._leave(element, step.exit)
        self._to.note(element, fate, became)

    def _leave(self, element: Element, place: str) -> None:
        """Go on from where a step has ended."""
        if any(flow.condition for flow in element.outgoing) and len(element.outgoing) > 1:
            self._choose(element, place, element.outgoing, many=True)
        elif len(outs := self._outs(element)) == 1:
            self._composer.fuse(outs[0], place)
        else:
            self._composer.silent(f"after {self._segments[element.id]}", place, outs)

    def _looped(self, element: Element, step: _Activity) -> _Activity:
        if element.loop != "loop":
            return step
        composer, name = self._composer, self._segments[element.id]
        out = composer.place(self._unique(f"out of {name}"))
        again = composer.silent(f"{name} again", step.exit, step.entry)
        leave = composer.silent(f"{name} enough", step.exit, out)
        entry = composer.place(self._unique(f"into {name}"))
        composer.silent(f"{name} first", entry, step.entry)
        asked, _ = condition(
            Flow(element.id, f"{name} again", "", "", element.loop_condition or None), always=False
        )
        branches = (Branch("again", asked), Branch("enough", None))
        both = frozenset([0, 1])
        selectors = tuple(
            Selector(t, frozenset([n]), both - {n}) for n, t in enumerate((again, leave))
        )
        composer.choices.append(Choice(step.exit, step.exit, False, branches, selectors))
        return replace(step, entry=entry, exit=out)

    def _guarded(self, element: Element, step: _Activity) -> _Activity:
        """An activity with a token that says that it is at work. While it is there, what is
        attached to the activity can happen, and the process has not ended.
        """
        events = [
            e
            for e in self._scope.elements.values()
            if e.attached_to == element.id and e.id in self._segments
        ]
        waits = element.kind == "receiveTask"  # which is one silent transition, done at once
        if not events and not step.throws and (waits or not self._splits):
            return step
        composer, name = self._composer, self._segments[element.id]
        entry, out = (composer.place(self._unique(f"{w} {name}")) for w in ("enter", "left"))
        busy = composer.place(self._unique(f"busy {name}"))
        begin = composer.silent(f"{name} begins", entry, [step.entry, busy])
        before = len(self._armed)
        inside = Region("", (step.placed.path,))
        caught: set[str] = set()
        for event in sorted(events, key=lambda e: e.interrupting or not e.definitions):
            if event.interrupting:  # and what could happen beside the activity goes with it
                inside = Region("", (step.placed.path,), tuple(self._armed[before:]))
            caught |= self._attached(event, step, busy, begin, inside)
        inside = Region("", (step.placed.path,), tuple(self._armed[before:]))
        for port, place in step.throws.items():
            if port not in caught:
                if port not in self._throws:
                    self._throws[port] = composer.place(self._unique(port))
                role = self._unique(f"{name} throws {port}")
                composer.silent(role, [place, busy], self._throws[port], cancels=inside)
        armed = Region("", (), tuple(self._armed[before:]))
        composer.silent(f"{name} done", [step.exit, busy], out, cancels=armed)
        return _Activity(step.placed, entry, out)

    def _attached(
        self, event: Element, step: _Activity, busy: str, begin: str, inside: Region
    ) -> set[str]:
        """One event that is attached; the answer is what it catches of what is thrown inside."""
        composer, role = self._composer, self._segments[event.id]
        caught = {port: p for port, p in step.throws.items() if catches(event, port)}
        outs = self._outs(event)
        if caught:
            for n, place in enumerate(caught.values()):
                name = role if not n else f"{role} {n + 1}"
                composer.silent(name, [place, busy], outs, cancels=inside)
            self._to.note(event, "kept", "when it is thrown inside")
        elif event.interrupting or not event.definitions:
            trigger = self._trigger(event)
            composer.silent(role, busy, outs, cancels=inside, trigger=trigger)
            thrown = bool(event.definitions) and event.definitions[0].kind in THROWN
            fate: Fate = "changed" if thrown else "kept"
            self._to.note(event, fate, f"instead of the rest of the activity, by {trigger}")
        else:
            trigger = self._trigger(event)
            armed = self._arm(role, [begin])
            composer.silent(role, armed, outs, read=busy, trigger=trigger)
            self._to.note(event, "changed", f"beside the activity, by {trigger}, once at the most")
        return set(caught)
