"""`simulate`: replications with luck of their own, as many as are wanted or as precision needs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any, Literal

from petriflow.net import Net
from petriflow.net.errors import DefinitionError, SimulationNote
from petriflow.simulation import compiler
from petriflow.simulation.plan import Plan
from petriflow.simulation.planning import plan
from petriflow.simulation.results import Result
from petriflow.simulation.run import Figures, Run
from petriflow.simulation.statistics import mser5
from petriflow.simulation.tables import Tables, tables
from petriflow.simulation.timing import Timing
from petriflow.workflow import Workflow

#: cases where nothing else is said
CASES = 1_000
#: more replications than this a precision is not worth
MOST_REPLICATIONS = 10_000


def simulate(
    model: Workflow | Net,
    timing: Timing | None = None,
    *,
    cases: int | None = None,
    until: Any = None,
    replications: int = 1,
    precision: float | None = None,
    warmup: float | Literal["auto"] = 0,
    seed: int | None = None,
    workers: int | None = None,
    most_in_progress: int = 100_000,
    progress: Callable[[int, int], object] | None = None,
    **changes: Any,
) -> Result:
    """Play a workflow, case after case, or a net, with time and chance.

    Args:
        model: a workflow; or a net, on its one marking, and by cases where `cases` is given.
        timing: its annotations; by default those that the workflow has.
        cases: how many cases are run to their ends; those that come later only keep them company.
        until: the time at which to stop, a number or a text such as "5d".
        replications: how often to play it, each time with other luck.
        precision: go on with replications until the half-width of the interval of the cycle time is
            no more than this part of it.
        warmup: how many of the cases to leave out of the figures, or "auto" (MSER-5); of a net
            without cases, for how long.
        seed: a whole number from which all luck follows; the same gives the same result, bit for
            bit. By default one is made up, which the result names.
        workers: how many replications run at once, by default one a core; the results are the same.
        most_in_progress: more cases at once than this are taken for growth without bound.
        progress: called with the cases (or events) of a replication, and its number.
        changes: what to change in the timing, as `Timing.but` takes it: `resources={"clerk": 4}`.

    Raises:
        DefinitionError: the timing does not fit the model, or arguments are out of range.
        SimulationError: cases grow without bound, or time does not go on.

    >>> from petriflow.simulation import exponential, poisson
    >>> def serve(case): ...
    >>> clerk = Timing({"serve": exponential("4m")}, poisson(12, per="1h"), unit="m",
    ...     resources={"clerk": 1}, needs={"serve": "clerk"})
    >>> result = simulate(Workflow("desk", serve), clerk, cases=5_000, seed=1)
    >>> 14 < result.cycle_time.mean < 26
    True
    """
    if timing is None:
        timing = (model.timing if isinstance(model, Workflow) else None) or Timing()
    timing = timing.but(**changes)
    by_cases = isinstance(model, Workflow) or cases is not None
    made = plan(model, timing, cases=by_cases)
    end = None if until is None else timing.length(until, "until")
    cases = _checked(made, cases, end, replications, precision, warmup)
    if seed is None:
        import numpy as np

        seed = int(np.random.SeedSequence().generate_state(1)[0])
    work = _Work(
        made, tables(made), seed, cases, end, most_in_progress, workers or _cores(), progress
    )
    # The first runs tell where the warm-up ends, and are run anew without it.
    warm = work.find_warmup(replications) if warmup == "auto" else warmup
    figures = work.run(range(replications), warm)
    if precision is not None:
        while Result(made, tuple(figures), seed, cases, end, warm).precision > precision:
            if len(figures) >= MOST_REPLICATIONS:
                break
            more = min(max(4, len(figures) // 2), MOST_REPLICATIONS - len(figures))
            figures += work.run(range(len(figures), len(figures) + more), warm)
    result = Result(made, tuple(figures), seed, cases, end, warm)
    for note in result.notes:
        warnings.warn(SimulationNote(f"{made.name!r}: {note}"), stacklevel=2)
    return result


def _checked(
    made: Plan,
    cases: int | None,
    end: float | None,
    replications: int,
    precision: float | None,
    warmup: float | str,
) -> int | None:
    """The number of cases, if all arguments make sense together."""
    whole = [("replications", replications, 1)]
    if cases is not None:
        whole.append(("cases", cases, 1))
    if warmup != "auto" and made.cases:
        whole.append(("warmup", warmup, 0))  # type: ignore[arg-type]
    for name, value, least in whole:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise DefinitionError(f"simulate: {name}={value!r}; write {least} or more")
    if precision is not None and not precision > 0:
        raise DefinitionError(f"simulate: precision={precision!r}; write a number above 0")
    if precision is not None and replications < 2:
        raise DefinitionError("simulate: a precision needs replications=2 or more to begin with")
    if not made.cases:
        if end is None:
            raise DefinitionError(
                f"{made.name!r}: a net without cases plays on for ever; say until=, such as "
                "until=10_000"
            )
        if warmup == "auto" or not 0 <= float(warmup) < end:
            raise DefinitionError(
                f"{made.name!r}: warmup={warmup!r}; of a net without cases it is a time before "
                f"{end:g}"
            )
        return None
    arrivals = made.timing.arrivals
    if cases is None and end is None and (arrivals is None or arrivals.kind != "trace"):
        cases = CASES
    if cases is not None and warmup != "auto" and int(warmup) >= cases:
        raise DefinitionError(f"simulate: warmup={warmup} leaves none of {cases} cases")
    return cases


class _Work:
    """Runs replications, one after another or several at once."""

    def __init__(
        self,
        made: Plan,
        arrays: Tables,
        seed: int,
        cases: int | None,
        end: float | None,
        most: int,
        workers: int,
        progress: Callable[[int, int], object] | None,
    ) -> None:
        self.plan, self.tables, self.seed = made, arrays, seed
        self.cases, self.end, self.most = cases, end, most
        self.workers, self.progress = workers, progress

    def one(self, number: int, warmup: float) -> Figures:
        """One replication; its luck depends on the seed and its number only."""
        import numpy as np

        luck = np.random.SeedSequence(self.seed, spawn_key=(number,))  # as `spawn` numbers them
        run = Run(
            self.plan, luck, cases=self.cases, until=self.end, warmup=warmup,
            most_in_progress=self.most, made=self.tables,
        )  # fmt: skip
        tell = self.progress
        return run.go(None if tell is None else lambda done: tell(done, number))

    def run(self, numbers: range, warmup: float) -> list[Figures]:
        """These replications, in order, whoever is done first."""
        figures = [self.one(n, warmup) for n in numbers[:1]]
        # The compiled loop lets other threads run beside it; plain Python does not.
        if len(numbers) > 1 and self.workers > 1 and compiler.loaded() and not self.plan.asks:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(min(self.workers, len(numbers) - 1)) as pool:
                figures += pool.map(lambda n: self.one(n, warmup), numbers[1:])
        else:
            figures += [self.one(n, warmup) for n in numbers[1:]]
        return figures

    def find_warmup(self, replications: int) -> int:
        """MSER-5 on the cycle times by case, averaged over the first replications."""
        import numpy as np

        figures = self.run(range(min(replications, 5)), 0)
        shortest = min(len(f.end) for f in figures)
        return mser5(np.mean([(f.end - f.begin)[:shortest] for f in figures], axis=0))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
