"""The notions of soundness that ask for less than the classical one.

From k tokens on the source, with [k·o] as the end (van der Aalst et al., Soundness of workflow
nets: classification, decidability, and analysis, 2011; PATTERNS §4):

* weak: the end can always be reached, and properly; transitions may be dead;
* relaxed: each transition can occur on some way to the end;
* lazy: the sink always can get its tokens, and never more; others may be left over;
* easy: the end can be reached.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from petriflow.analysis.soundness.reduction import Reduction
from petriflow.analysis.space.graph import exact
from petriflow.analysis.space.state_space import StateSpace
from petriflow.analysis.space.stubborn import Reduced
from petriflow.net import Marking

Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Notions:
    """Whether a net is sound by each of the weaker notions: `yes`, `no` or `unknown`."""

    weak: Answer
    relaxed: Answer
    lazy: Answer
    easy: Answer

    def to_json(self) -> dict[str, Answer]:
        """The answers by name."""
        return asdict(self)


ALL_YES = Notions("yes", "yes", "yes", "yes")
UNKNOWN = Notions("unknown", "unknown", "unknown", "unknown")


def notions_of(space: StateSpace, k: int, plain: bool, small: Reduction | None = None) -> Notions:
    """The notions as far as a state space from [k·i] decides them; `plain` is `Structure.plain`,
    and `small` the reduction whose net was explored.
    """
    graph = space.graph
    place = graph.net.place_index[space.net.sink.id]
    final = exact(graph, Marking({space.net.sink.id: k}))
    enough, more = graph.holding(place, k), graph.holding(place, k + 1)
    improper = any(n != final for n in enough)

    to_the_end = graph.can_reach([] if final is None else [final])
    useful = {graph.net.transition_ids[t] for t in graph.fired(to_the_end)}
    if small is not None:
        useful = small.members(useful)
    relaxed = len(useful) == len((small.given if small else space.net).transitions)

    over = set(enough)
    stuck = any(n not in over for n in graph.stuck())
    easy = final is not None
    if not space.complete:
        grows = space.pump is not None and plain  # then the end would be covered, not reached
        return Notions(
            weak="no" if improper or stuck or grows else "unknown",
            relaxed="yes" if relaxed else "unknown",
            lazy="no" if more or stuck else "unknown",
            easy="yes" if easy else "unknown",
        )
    lazy = not more and all(graph.can_reach(enough))
    return Notions(
        weak=_answer(all(to_the_end) and not improper),
        relaxed=_answer(relaxed),
        lazy=_answer(lazy),
        easy=_answer(easy),
    )


def notions_of_reduced(reduced: Reduced, final: Marking, small: Reduction) -> Notions:
    """The notions as far as a space of stubborn sets decides them: it has all executions to the
    end, up to order, if nothing can happen there any more.
    """
    goal = reduced.state(final)
    ended = not reduced.net.enabled(reduced.net.vector(final))
    sink = reduced.net.place_index[small.given.sink.id]
    wanted = final.total
    improper = any(s[sink] >= wanted for n, s in enumerate(reduced.states) if n != goal)
    more = any(s[sink] > wanted for s in reduced.states)
    stuck = [n for n in reduced.stuck() if n != goal]
    short = any(reduced.states[n][sink] < wanted for n in stuck)
    if not (reduced.complete and ended):
        return Notions(
            weak="no" if improper or stuck else "unknown",
            relaxed="unknown",
            lazy="no" if more or short else "unknown",
            easy="unknown" if goal is None else "yes",
        )
    far = [-1] * len(reduced.states) if goal is None else reduced.distances(goal)
    weak = min(far) >= 0 and not improper
    useful = {reduced.net.transition_ids[t] for t in reduced.fired_into(far)}
    relaxed = len(small.members(useful)) == len(small.given.transitions)
    return Notions(
        weak=_answer(weak),
        relaxed=_answer(relaxed),
        lazy="yes" if weak else "no" if more or short else "unknown",
        easy=_answer(goal is not None),
    )


def _answer(holds: bool) -> Answer:
    return "yes" if holds else "no"
