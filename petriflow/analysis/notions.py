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

from petriflow.analysis.graph import exact
from petriflow.analysis.reduction import Reduction
from petriflow.analysis.state_space import StateSpace
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


def _answer(holds: bool) -> Answer:
    return "yes" if holds else "no"
