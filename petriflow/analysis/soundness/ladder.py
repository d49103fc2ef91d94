"""Classical soundness of a workflow net, with a witness for every fault.

From one token on the source [i], with the end [o] (van der Aalst 1998; PATTERNS §4):

* option to complete: from every reachable marking, [o] can be reached;
* proper completion: a reachable marking that covers [o] is [o];
* no dead transition: every transition is enabled in some reachable marking.

`LADDER` holds the methods, the cheapest first; the first one that decides is named in the report.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from petriflow.analysis.behavioural.backward import Covering, cover
from petriflow.analysis.behavioural.coverability import (
    CoverabilityGraph,
    coverability_graph,
    not_monotone,
    small_numbers,
)
from petriflow.analysis.soundness.blocks import BlockTree, blocks
from petriflow.analysis.soundness.certificate import Evidence
from petriflow.analysis.soundness.findings import dead_transitions, faults_of, faults_of_reduced
from petriflow.analysis.soundness.free_choice import FreeChoice, free_choice
from petriflow.analysis.soundness.notions import (
    ALL_YES,
    UNKNOWN,
    Notions,
    notions_of,
    notions_of_reduced,
)
from petriflow.analysis.soundness.reduction import Reduction, reduce_net
from petriflow.analysis.soundness.report import Bound, Form, Kind, Report, Verdict, Witness
from petriflow.analysis.space import stubborn
from petriflow.analysis.space.state_space import Progress, StateSpace, explore
from petriflow.analysis.space.walks import walk_to_fault
from petriflow.analysis.structural.structure import Structure, off_the_path, structure
from petriflow.net import Marking, Net, replay, require_net
from petriflow.net.errors import DefinitionError, NetError, WorkflowNetError
from petriflow.net.or_join import circles


def verify(
    net: Net,
    *,
    form: Form | None = None,
    name: str | None = None,
    k: int = 1,
    max_markings: int = 1_000_000,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Judge whether a workflow net is sound.

    Args:
        net: a net with one source and one sink.
        form: `expanded` judges the net in which each task starts, runs and completes; by default
            the net is judged as it is given.
        name: what the report calls the net.
        k: with how many tokens on the source to begin, of which as many must come out at the sink
            (k-soundness); with 1 this is classical soundness.
        max_markings: look at no more markings than this; a verdict that needs more is `unknown`.
        max_memory: stop before the markings take more bytes than this.
        progress: told now and then how many markings were found.

    Raises:
        WorkflowNetError: the net has no source or sink, or several.
        DefinitionError: the form is none that this net can be judged in.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> verify(net).verdict
    'sound'
    """
    began = time.perf_counter()
    require_net(net, "verify")
    if form not in (None, "atomic", "expanded"):
        raise DefinitionError(f"form={form!r}; use 'atomic' or 'expanded'")
    if form == "atomic" and net.form == "expanded":
        raise DefinitionError(
            f"net {net.name!r} is in its expanded form; to judge the atomic one, pass the net that "
            "it was expanded from"
        )
    judged = net.expanded() if form == "expanded" else net
    if not isinstance(k, int) or k < 1:
        raise DefinitionError(f"k={k!r}; with how many tokens a net begins is 1 or more")
    question = Question(judged, k, max_markings, max_memory, progress)
    try:
        found = next((f for f in (rung(question) for rung in LADDER) if f is not None), None)
        if found is None:
            found = _undecided(question)
    except WorkflowNetError:
        raise
    except NetError as error:  # it cannot be told whether an OR-join may fire
        found = Found("unknown", "state space", UNKNOWN, Evidence(), warnings=(str(error),))
    # Of a net built of blocks there is nothing to be warned of.
    warnings = () if found.evidence.tree is not None else question.warnings()
    return Report(
        name=name or net.name,
        verdict=found.verdict,
        form=judged.form,
        method=found.method,
        markings=found.markings,
        edges=found.edges,
        bound=found.bound,
        notions=found.notions,
        faults=found.faults,
        warnings=(*warnings, *found.warnings),
        explored=found.explored,
        seconds=time.perf_counter() - began,
        net=judged,
        given=net,
        k=k,
        evidence=found.evidence,
    )


@dataclass(frozen=True)
class Question:
    """A net to be judged, and what the rungs of the ladder share."""

    net: Net
    k: int
    max_markings: int
    max_memory: int | None
    progress: Progress | None

    @property
    def initial(self) -> Marking:
        """Where it begins."""
        return Marking({self.net.source.id: self.k})

    @property
    def final(self) -> Marking:
        """Where it must end."""
        return Marking({self.net.sink.id: self.k})

    @cached_property
    def structure(self) -> Structure:
        """What can be seen without playing."""
        return structure(self.net)

    @cached_property
    def near(self) -> StateSpace:
        """The markings near the start: of a small net all of them."""
        limit = max(LEAST, SHORT_LOOK // (len(self.net.places) + 1))
        return explore(self.net, initial=self.initial, max_markings=min(self.max_markings, limit))

    @cached_property
    def tree(self) -> BlockTree | None:
        """How the net is built of blocks, if it is."""
        return blocks(self.net)

    @cached_property
    def small(self) -> Reduction | None:
        """The net made smaller; an OR-join looks at all of it, so that nothing may be changed."""
        if any(t.join == "or" for t in self.net.transitions):
            return None
        return reduce_net(self.net)

    @cached_property
    def smallest(self) -> Net:
        """What is left to be looked at."""
        return self.net if self.small is None else self.small.net

    @cached_property
    def covered(self) -> CoverabilityGraph | None:
        """What can be covered in what is left, where that can be told."""
        if not (self.structure.plain and small_numbers(self.smallest, self.initial)):
            return None
        return coverability_graph(self.smallest, initial=self.initial, max_nodes=FEW)

    @cached_property
    def theorem(self) -> FreeChoice | None:
        """What the rank theorem says, where it applies."""
        return free_choice(self.structure)

    def warnings(self) -> Iterable[str]:
        """What is worth saying besides the verdict."""
        source, sink = self.net.source.id, self.net.sink.id
        off = sorted(off_the_path(self.net, source, sink, resets=True))
        if off:
            names = ", ".join(map(repr, off[:5])) + (" …" if len(off) > 5 else "")
            yield f"not on a path from {source!r} to {sink!r}: {names}"
        for joins in circles(self.net):
            names = " and ".join(map(repr, joins))
            yield f"OR-joins {names} lie on one circle, and may wait for each other for ever"


@dataclass(frozen=True)
class Found:
    """What a rung of the ladder found out."""

    verdict: Verdict
    method: str
    notions: Notions
    evidence: Evidence
    faults: tuple[Witness, ...] = ()
    markings: int | None = None
    edges: int | None = None
    bound: Bound = None
    explored: int = 0
    warnings: tuple[str, ...] = ()


def _sound(question: Question, method: str, evidence: Evidence, bound: Bound = None) -> Found:
    return Found("sound", method, ALL_YES, evidence, bound=bound)


def _short_look(question: Question) -> Found | None:
    """Most nets are small; and of a large one most faults are near the start, where their witness
    is the shortest. Of one with very many places next to nothing would be seen, so that a proof by
    its structure goes before.
    """
    if len(question.net.places) > WIDE and question.tree is not None:
        return None
    return _seen(question, question.near, None)


def _block_structure(question: Question) -> Found | None:
    if question.tree is None:
        return None
    return _sound(question, "block structure", Evidence(tree=question.tree), bound=question.k)


def _reduction(question: Question) -> Found | None:
    small = question.small
    if small is None or not small.trivial:
        return None
    return _sound(question, "reduction", Evidence(small=small))


def _random_walk(question: Question) -> Found | None:
    """Deep faults are found that a search by breadth would come to last."""
    walk = walk_to_fault(question.smallest, question.initial, question.final)
    if walk is None:
        return None
    trace = walk if question.small is None else question.small.trace(walk)
    *_, marking = replay(question.net, trace, question.initial)
    kind: Kind = "improper-completion" if question.final <= marking else "deadlock"
    seen = notions_of(question.near, question.k, question.structure.plain)
    return Found(
        "unsound",
        "random walk" if question.small is None else "reduction and random walk",
        replace(seen, weak="no"),
        Evidence(),
        (Witness(kind, trace, marking),),
    )


def _stubborn(question: Question) -> Found | None:
    return _stubborn_within(question, min(FEW, question.max_markings))


def _stubborn_within(question: Question, limit: int) -> Found | None:
    small = question.small
    if small is None or not stubborn.applies(small.net):
        return None
    reduced = stubborn.explore_stubborn(small.net, question.initial, limit)
    faults = faults_of_reduced(reduced, question.final, small)
    if not faults and not reduced.complete:
        return None
    sound = not faults
    return Found(
        "sound" if sound else "unsound",
        "reduction and stubborn sets",
        ALL_YES if sound else notions_of_reduced(reduced, question.final, small),
        Evidence(small=small, reduced=reduced),
        tuple(faults),
        explored=len(reduced.states),
    )


def _rank_theorem(question: Question) -> Found | None:
    theorem = question.theorem
    if theorem is None or not theorem.sound:  # a witness is still to be looked for
        return None
    return _sound(question, "rank theorem", Evidence(theorem=theorem), bound=question.k)


def _coverability(question: Question) -> Found | None:
    """Growth without end, where there are many markings between one and the next larger one."""
    graph, small = question.covered, question.small
    if graph is None or graph.pump is None:
        return None
    assert small is not None  # a net without OR-joins has one
    pump = graph.pump
    before, segment = small.trace(pump.trace), small.trace(pump.segment)
    *_, marking = replay(question.net, (*before, *segment), question.initial)
    fault = Witness("unbounded", (*before, *segment), marking, segment)
    seen = notions_of(question.near, question.k, plain=True)
    return Found(
        "unsound",
        "reduction and coverability",
        replace(seen, weak="no"),
        Evidence(),
        (fault, *_dead_beside_growth(question)),
        bound="unbounded",
    )


def _dead_beside_growth(question: Question) -> list[Witness]:
    """The steps that never happen in a plain net with too many markings to look at."""
    graph, small = question.covered, question.small
    if graph is None:
        return []
    assert small is not None
    alive = {t.id for t in small.net.transitions} - {*graph.dead_transitions}
    return dead_transitions(question.net, small, alive, question.initial)


def _search(question: Question) -> Found | None:
    """More and more of what is left, as long as nothing is found."""
    limit = question.near.markings
    while limit < question.max_markings:
        limit = min(question.max_markings, 20 * limit)
        found = _stubborn_within(question, min(limit, MANY))
        if found is not None:
            return found
        space = explore(
            question.smallest,
            initial=question.initial,
            max_markings=limit,
            max_memory=question.max_memory,
            progress=question.progress,
        )
        found = _seen(question, space, question.small)
        if found is not None or space.pump is not None:
            return found
    return None


def _backwards(question: Question) -> Found | None:
    """Of a net with resets that grows, what can be said is said by going back from a fault: what
    is left over beside the end, and steps that never happen.
    """
    net, initial = question.net, question.initial
    if question.structure.plain or not_monotone(net):
        return None
    seen = notions_of(question.near, question.k, question.structure.plain)
    for place in net.places:
        found = cover(
            net, question.final + Marking(place.id), initial=initial, max_elements=MANY_LEAST
        )
        if found.trace is not None and found.marking is not None:
            fault = Witness("improper-completion", found.trace, found.marking)
            notions = replace(seen, weak="no")
            return Found("unsound", "backward coverability", notions, Evidence(), (fault,))
    never: dict[str, Covering] = {}
    for t in net.transitions:
        found = cover(net, t.needs, initial=initial, max_elements=MANY_LEAST)
        if found.answer == "no":
            never[t.id] = found
    if not never:
        return None
    fault = Witness("dead-transitions", (), initial, tuple(never))
    evidence = Evidence(never=next(iter(never.items())))
    return Found("unsound", "backward coverability", seen, evidence, (fault,))


def _failed_theorem(question: Question) -> Found | None:
    """The theorem says no, and nobody found a way to where it shows."""
    theorem = question.theorem
    if theorem is None or theorem.sound or question.k > 1:
        return None
    fault = Witness("structure", (), question.initial)
    seen = notions_of(question.near, question.k, question.structure.plain)
    return Found("unsound", "rank theorem", seen, Evidence(theorem=theorem), (fault,))


#: How many places times markings a short look may look at, and how many markings at least.
SHORT_LOOK, LEAST = 50_000, 100
#: More places than this are very many.
WIDE = SHORT_LOOK // LEAST
#: So many markings of stubborn sets are looked at before more costly methods, and at all.
FEW, MANY = 1_000, 100_000
#: So many least markings are looked at on the way back from a fault.
MANY_LEAST = 300
LADDER: tuple[Callable[[Question], Found | None], ...] = (
    _short_look,
    _block_structure,
    _reduction,
    _random_walk,
    _stubborn,
    _rank_theorem,
    _coverability,
    _search,
    _backwards,
    _failed_theorem,
)


def _seen(question: Question, space: StateSpace, small: Reduction | None) -> Found | None:
    """The verdict, if what was explored decides it."""
    plain = question.structure.plain
    faults = faults_of(space, question.net.sink.id, question.k, plain, small)
    if not faults and not space.complete:
        return None
    if space.pump is not None and plain:
        faults += _dead_beside_growth(question)
    counted = small is None and space.complete
    return Found(
        "unsound" if faults else "sound",
        "state space" if small is None else "reduction and state space",
        notions_of(space, question.k, plain, small) if faults else ALL_YES,
        Evidence(small=small, space=space),
        tuple(faults),
        space.markings if counted else None,
        space.edges if counted else None,
        _bound(space, small),
        space.markings,
    )


def _bound(space: StateSpace, small: Reduction | None) -> Bound:
    if space.pump is not None:
        return "unbounded"
    return space.max_tokens_in_place if space.complete and small is None else None


def _undecided(question: Question) -> Found:
    """Where every rung came to its limit."""
    space = question.near
    if space.pump is not None:
        grows = ", ".join(map(repr, space.pump.grows))
        why = (
            f"{grows} can grow without end; with resets, inhibitors or OR-joins that alone decides "
            "nothing"
        )
    else:
        why = (
            f"stopped after {question.max_markings:,} markings; raise max_markings to look further"
        )
    return Found(
        "unknown",
        "state space",
        notions_of(space, question.k, question.structure.plain),
        Evidence(space=space),
        bound=_bound(space, None),
        explored=space.markings,
        warnings=(why,),
    )
