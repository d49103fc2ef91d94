"""`solve`: exact figures of a timed model, where its durations allow them.

A net of exponential and immediate transitions, a generalised stochastic Petri net, is a
continuous-time Markov chain over its tangible markings (Ajmone Marsan et al.: Modelling with
Generalized Stochastic Petri Nets, 1995). A bare net is solved in the long run and over time; a
workflow is solved for one case, from its beginning to its end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, overload

from petriflow.net import Net, require_net
from petriflow.net.errors import DefinitionError, NoExactAnswer
from petriflow.patterns.names import listed
from petriflow.simulation.plan import Plan
from petriflow.simulation.planning import plan as plan_of
from petriflow.simulation.timing import Timing
from petriflow.workflow import Workflow

if TYPE_CHECKING:
    from petriflow.analysis.space.state_space import Progress
    from petriflow.simulation.chain import Chain
    from petriflow.simulation.solution import CaseSolution, NetSolution


@overload
def solve(model: Net, timing: Timing | None = None, **options: Any) -> NetSolution: ...
@overload
def solve(model: Workflow, timing: Timing | None = None, **options: Any) -> CaseSolution: ...
@overload
def solve(
    model: Workflow | Net, timing: Timing | None = None, **options: Any
) -> NetSolution | CaseSolution: ...
def solve(
    model: Workflow | Net,
    timing: Timing | None = None,
    *,
    stages: int | None = None,
    max_markings: int = 5_000_000,
    progress: Progress | None = None,
    **changes: Any,
) -> NetSolution | CaseSolution:
    """Exact figures, to all digits that rounding leaves, without any simulation.

    Args:
        model: a bare net, which is solved in the long run; or a workflow, of which one case is
            solved, with resources enough for it.
        timing: its annotations; by default those of the workflow.
        stages: take each constant duration for so many exponential stages; the answer then says
            that it is approximate. Without it, constants are refused.
        max_markings: how many markings there may be.
        progress: told now and then how many markings were found.
        changes: what to change in the timing, as `Timing.but` takes it.

    Raises:
        NoExactAnswer: a duration is neither exponential nor `erlang(…)`, guards decide, cases wait
            for each other, the net is unbounded or too large, or has a time trap: the message says
            which, and what to do.
        DefinitionError: the timing does not fit the model.

    >>> from petriflow.simulation import exponential
    >>> net = (Net.build("queue").place("free", 5).place("waiting")
    ...     .transition("arrive", "free", "waiting").transition("serve", "waiting", "free").done())
    >>> timing = Timing(durations={"arrive": exponential(1 / 0.8), "serve": exponential(1)})
    >>> found = solve(net, timing)
    >>> print(f'{found.places["tokens"]["waiting"]:.10f} {found.probability("free == 0"):.10f}')
    1.8683320323 0.0888194987
    """
    from petriflow.simulation.chain import build
    from petriflow.simulation.phases import markovian
    from petriflow.simulation.solution import CaseSolution, NetSolution

    began = time.perf_counter()
    if isinstance(model, Workflow):
        timing = model.timing if timing is None else timing
    else:
        require_net(model, "solve")
    plan = _plan(model, timing, stages, changes)
    if plan.cases:
        _require_one_case(plan)
    chain = build(markovian(plan, stages), max_markings, progress)
    if not plan.cases:
        return NetSolution.of(plan, chain, began)
    _require_no_waiting(plan, chain)
    return CaseSolution.of(plan, chain, began)


def _plan(
    model: Workflow | Net, timing: Timing | None, stages: int | None, changes: dict[str, Any]
) -> Plan:
    if timing is None and not changes:
        raise DefinitionError(
            f"{model.name!r} has no timing; say how long things take, as in "
            "Timing(durations={…: exponential('5m')})"
        )
    if stages is not None and (not isinstance(stages, int) or stages < 1):
        raise DefinitionError(f"stages={stages!r}; write 1, 2, …: the more, the nearer")
    return plan_of(model, (timing or Timing()).but(**changes))


def _require_one_case(plan: Plan) -> None:
    """Cases that know nothing of each other can be solved one by one."""
    for pool in plan.pools:
        if len(pool.sizes.changes) > 1:
            raise NoExactAnswer(
                f"{plan.name!r}: resource {pool.name!r} has hours, and what happens then depends "
                "on the time of the week; simulate"
            )
    if plan.pools and plan.timing.arrivals is not None:
        raise NoExactAnswer(
            f"{plan.name!r}: its cases wait for each other's {listed(p.name for p in plan.pools)}; "
            "simulate, or solve one case alone: timing.but(arrivals=None)"
        )


def _require_no_waiting(plan: Plan, chain: Chain) -> None:
    """The tasks of the one case must never wait for each other's resources."""
    import numpy as np

    for n, pool in enumerate(plan.pools):
        users = [job for job in plan.jobs if any(n in any_of for any_of in job.needs)]
        for _, tokens in chain.places():
            wanted = np.zeros(tokens.last - tokens.first, np.int64)
            for job in users:
                wanted += tokens.column(job.running)
            if (wanted > pool.most).any():
                raise NoExactAnswer(
                    f"{plan.name!r}: tasks {listed(job.task for job in users)} of one case may "
                    f"wait for each other's {pool.name!r}, of which there are {pool.most}; "
                    "simulate, or give it more"
                )
