"""How much work is asked of each resource, so that growth without bound is told with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from petriflow.simulation.plan import Plan


def loads(plan: Plan, busy: Any, open: Any, over: Any, queue: Any) -> list[float]:
    """By pool: the work that came in the window as a part of what it could do in it.

    What waits counts by its mean duration, in equal parts where several pools can do it.
    """
    work = [float(b + o) for b, o in zip(busy, over, strict=True)]
    for job, waiting in zip(plan.jobs, queue, strict=True):
        law = plan.laws[job.complete]
        mean = law.mean if law else 0.0
        for need in job.needs:
            for pool in need:
                work[pool] += int(waiting) * mean / len(need)
    return [w / o if o > 0 else 0.0 for w, o in zip(work, open, strict=True)]


def overload(plan: Plan, found: Sequence[float], queue: Any) -> str | None:
    """The reason why queues grow, if some resource is asked for more than it can do."""
    pool = max(range(len(found)), key=found.__getitem__, default=-1)
    if pool < 0 or found[pool] <= 1:
        return None
    longest = max(range(len(queue)), key=queue.__getitem__)
    return (
        f"resource {plan.pools[pool].name!r} is asked for {found[pool]:.2f} times what it can do, "
        f"and {int(queue[longest]):,} cases wait at {plan.jobs[longest].task!r}; give it more "
        "people or hours, or less work"
    )
