"""Certificates: what a verdict rests on, as plain data that can be checked without this program.

`check.py` does so with slow and separate code. A certificate names the net by its content hash, and
gives a proof of one of these kinds, or says why there is none:

* unsound: a trace to a `deadlock` or an `improper-completion`; a trace and a `pump` (unbounded); a
  trace and the closed set of markings after it without the end (`livelock`, `no-option`); a closed
  set of markings, weights of places or an upward closed set (`dead-transitions`); the condition of
  the rank theorem that fails (`free-choice-fails`);
* sound: the tree of `blocks`; the invariants for the rank theorem (`free-choice`); all markings
  (`states`), or those of stubborn sets (`stubborn`), with their distances to the end;
* both: a log of rules that make the net smaller (`reduction`), and a proof about what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from petriflow.analysis.behavioural.backward import Covering
from petriflow.analysis.soundness.blocks import BlockTree
from petriflow.analysis.soundness.free_choice import FreeChoice
from petriflow.analysis.soundness.reduction import Name, Reduction
from petriflow.analysis.space.graph import Graph, closed_loop, exact, marking_of
from petriflow.analysis.space.state_space import StateSpace, explore
from petriflow.analysis.space.stubborn import Reduced, members
from petriflow.net import Marking

if TYPE_CHECKING:
    from petriflow.analysis.soundness.report import Report, Witness

#: A proof as plain data.
Proof = dict[str, Any]
#: So many markings a certificate may list where they must be looked for anew.
MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict was found by; what of it is there depends on the method.

    Where `small` is given, `space` and `reduced` are about the smaller net.
    """

    tree: BlockTree | None = None
    theorem: FreeChoice | None = None
    small: Reduction | None = None
    space: StateSpace | None = None
    reduced: Reduced | None = None
    #: a transition that never fires, and why not
    never: tuple[str, Covering] | None = None


def certificate(report: Report) -> dict[str, Any]:
    """The certificate of a report, as data for JSON; see the head of this module.

    `proof` is `None` for what was not decided, and where what was found by a method cannot be told
    in one of the kinds; `reason` says so.
    """
    proof = _sound(report) if report.verdict == "sound" else _unsound(report)
    return {
        "petriflow_certificate": 1,
        "name": report.name,
        "net": report.net.content_hash,
        "form": report.form,
        "k": report.k,
        "verdict": report.verdict,
        "method": report.method,
        **({"proof": None, "reason": proof} if isinstance(proof, str) else {"proof": proof}),
    }


def _sound(report: Report) -> Proof:
    known = report.evidence
    if known.tree is not None:
        return {"kind": "blocks", "tree": known.tree.to_json()}
    if known.theorem is not None:
        return {
            "kind": "free-choice",
            "place_invariant": dict(known.theorem.places),
            "transition_invariant": dict(known.theorem.transitions),
        }
    if known.reduced is not None:
        inner = _stubborn(known.reduced, known.small, report.final)
    else:
        space = known.space
        if space is None:  # one step is left
            assert known.small is not None
            space = explore(known.small.net, initial=report.initial)
        inner = _states(space.graph, report.final)
    return _of_given(known.small, inner)


def _unsound(report: Report) -> Proof | str:
    if report.witness is None:
        return "nothing was decided"
    witness, known = report.witness, report.evidence
    trace = list(witness.trace)
    match witness.kind:
        case "deadlock" | "improper-completion":
            return {"kind": witness.kind, "trace": trace}
        case "unbounded":
            at = len(trace) - len(witness.transitions)
            return {"kind": "unbounded", "trace": trace[:at], "pump": trace[at:]}
        case "livelock" | "no-option":
            return _no_way_out(report, witness)
        case "dead-transitions":
            return _dead(report, witness)
        case "structure":
            assert known.theorem is not None
            return _failed(known.theorem)


def _of_given(small: Reduction | None, inner: Proof) -> Proof:
    """A proof about the smaller net, with the way to it."""
    if small is None:
        return inner
    return {"kind": "reduction", "steps": list(small.log), "then": inner}


def _names(small: Reduction | None) -> Callable[[str], Name]:
    return (lambda id: id) if small is None else small.name


def _states(graph: Graph, final: Marking) -> Proof:
    goal = exact(graph, final)
    assert goal is not None
    far = _distances(graph, goal)
    states = [[dict(marking_of(graph, n)), far[n]] for n in range(graph.count)]
    return {"kind": "states", "states": states}


def _distances(graph: Graph, goal: int) -> list[int]:
    before: list[list[int]] = [[] for _ in range(graph.count)]
    for n in range(graph.count):
        for m in graph.row(n):
            before[m].append(n)
    far = [-1] * graph.count
    far[goal] = 0
    waiting = [goal]
    for n in waiting:
        for m in before[n]:
            if far[m] < 0:
                far[m] = far[n] + 1
                waiting.append(m)
    return far


def _stubborn(reduced: Reduced, small: Reduction | None, final: Marking) -> Proof:
    name, ids = _names(small), reduced.net.transition_ids
    goal = reduced.state(final)
    assert goal is not None
    far = reduced.distances(goal)
    states = [
        [dict(reduced.marking(n)), far[n], [name(ids[t]) for t in members(chosen)]]
        for n, chosen in enumerate(reduced.chosen)
    ]
    return {"kind": "stubborn", "states": states}


def _no_way_out(report: Report, witness: Witness) -> Proof | str:
    """A way to where the end cannot be reached any more, and all that can be reached from there."""
    known = report.evidence
    space = explore(report.net, initial=witness.marking, max_markings=MOST)
    if space.complete:
        proof: Proof = {"kind": witness.kind, "trace": list(witness.trace)}
        return {**proof, "states": _all(space.graph)}
    small = known.small
    if small is None:
        return "the markings from which there is no way to the end are too many to list"
    # The smaller net has fewer markings after its own fault of this kind.
    trace, begin = _smaller_way(report)
    space = explore(small.net, initial=begin, max_markings=MOST)
    if not space.complete:
        return "the markings from which there is no way to the end are too many to list"
    inner = {"kind": witness.kind, "trace": [small.name(id) for id in trace]}
    return _of_given(small, {**inner, "states": _all(space.graph)})


def _smaller_way(report: Report) -> tuple[Sequence[str], Marking]:
    """A way of the smaller net to where its end cannot be reached any more."""
    known = report.evidence
    if known.reduced is not None:
        goal = known.reduced.state(report.final)
        state = 0 if goal is None else known.reduced.distances(goal).index(-1)
        return known.reduced.trace(state), known.reduced.marking(state)
    assert known.space is not None
    graph = known.space.graph
    goal = exact(graph, report.final)
    state = min(closed_loop(graph, graph.can_reach([] if goal is None else [goal])))
    return known.space.trace(state), known.space.marking(state)


def _dead(report: Report, witness: Witness) -> Proof | str:
    known = report.evidence
    proof: Proof = {"kind": "dead-transitions", "transitions": list(witness.transitions)}
    if known.never is not None:
        id, covering = known.never
        return {
            **proof,
            "transitions": [id],
            "upward": [dict(element) for element in covering.basis],
            "heavier": [dict(weights) for weights in covering.weights],
        }
    if known.space is not None and known.space.complete:
        if known.small is None:
            return {**proof, "states": _all(known.space.graph)}
        ids = known.space.graph.net.transition_ids
        fired = {ids[t] for t in known.space.graph.fired()}
        proof["transitions"] = [known.small.name(id) for id in ids if id not in fired]
        return _of_given(known.small, {**proof, "states": _all(known.space.graph)})
    space = explore(report.net, initial=report.initial, max_markings=MOST, edges=False)
    if space.complete:
        return {**proof, "states": _all(space.graph)}
    return "the markings among which these steps never come are too many to list"


def _failed(theorem: FreeChoice) -> Proof:
    proof: Proof = {"kind": "free-choice-fails"}
    match theorem.fails:
        case "grows":
            return {**proof, "grows": dict(theorem.transitions)}
        case "falls":
            return {**proof, "falls": dict(theorem.places)}
        case "siphon":
            return {**proof, "siphon": list(theorem.places)}
        case _:
            return {**proof, "rank": True}


def _all(graph: Graph) -> list[dict[str, int]]:
    return [dict(marking_of(graph, n)) for n in range(graph.count)]
