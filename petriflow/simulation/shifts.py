"""What the kernel leaves to its caller because it is rare: shifts, rest, the end of the warm-up.

The functions work on the kernel's state, whether it lies in lists or in arrays.
"""

from __future__ import annotations

from typing import Any

from petriflow.simulation.heaps import sift_down, sift_up
from petriflow.simulation.layout import HEAP, HUNGRY, NEVER, NOW, OPENED, SHIFT
from petriflow.simulation.queues import measure


def starve(s: Any, pool: int) -> None:
    """The pool has to be asked whom it can serve."""
    if not s.is_hungry[pool]:
        s.is_hungry[pool] = 1
        s.hungry[s.n[HUNGRY]] = pool
        s.n[HUNGRY] += 1


def change_shifts(m: Any, s: Any) -> None:
    """Pools whose size changes now, and when the next one does."""
    soonest = NEVER
    for pool in range(m.pools):
        first, count = int(m.shift_at[pool]), int(m.shift_at[pool + 1] - m.shift_at[pool])
        if count < 2:
            continue

        def due(k: int, first: int = first, count: int = count) -> float:
            return float(m.shift_time[first + k % count] + k // count * m.week)

        k = int(s.shift_pos[pool])
        if due(k) <= s.x[NOW]:
            measure(s.x, s, pool, 0)
            s.size[pool] = int(m.shift_size[first + k % count])
            s.shift_pos[pool] = k = k + 1
            if m.pauses[pool]:
                pause(m, s, pool)
            starve(s, pool)
        soonest = min(soonest, due(k))
    s.x[SHIFT] = soonest


def pause(m: Any, s: Any, pool: int) -> None:
    """At closing time the work begun last rests, until no more is under way than people are."""
    while s.used[pool] > s.size[pool]:
        busy = [t for t in s.heap[: s.n[HEAP]] if _holds(m, s, t, pool)]
        if not busy:
            return
        last = max(busy, key=lambda t: (s.t_begin[t], s.t_seq[t]))
        at, s.t_pos[last] = s.t_pos[last], -1
        s.n[HEAP] -= 1
        if at < s.n[HEAP]:
            sift_down(s, at, s.n[HEAP])
        s.t_time[last] -= s.x[NOW]  # what is left to do
        s.t_paused[last] = pool
        measure(s.x, s, pool, -1)
        s.paused[pool] += 1


def resume(s: Any, pool: int) -> None:
    """What was begun first of what rests goes on."""
    resting = [t for t in range(len(s.t_paused)) if s.t_paused[t] == pool]
    first = min(resting, key=lambda t: (s.t_begin[t], s.t_seq[t]))
    s.t_paused[first] = -1
    s.t_time[first] += s.x[NOW]
    measure(s.x, s, pool, 1)
    s.paused[pool] -= 1
    s.n[HEAP] += 1
    sift_up(s, first, s.n[HEAP] - 1)


def _holds(m: Any, s: Any, timer: int, pool: int) -> bool:
    j = m.ends[s.t_what[timer]]
    if j < 0:
        return False
    row = timer * m.most_needs
    held = s.t_pool[row : row + m.need_at_job[j + 1] - m.need_at_job[j]]
    return pool in held


def open_window(m: Any, s: Any) -> None:
    """What was measured until now belongs to the warm-up, and is forgotten."""
    now = s.x[NOW]
    s.x[OPENED] = now
    for pool in range(m.pools):
        s.busy[pool] = s.open[pool] = s.over[pool] = 0.0
        s.since[pool] = now
    for t in range(len(s.fired)):
        s.fired[t] = 0
    for p in range(len(s.area)):
        s.area[p] = 0.0
        s.changed[p] = now
