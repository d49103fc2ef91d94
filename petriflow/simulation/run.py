"""`Run`: one replication. It gives the kernel what it asks for: room, numbers, answers."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from petriflow.net.errors import SimulationError
from petriflow.simulation import compiler, kernel, queues, shifts
from petriflow.simulation import layout as k
from petriflow.simulation.arrivals import Moments
from petriflow.simulation.load import loads, overload
from petriflow.simulation.plan import Plan
from petriflow.simulation.questions import Answers
from petriflow.simulation.tables import Tables, tables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: events between two looks at limits, progress and Ctrl-C: in plain Python, compiled
PLAIN, COMPILED = 5_000, 2_000_000
#: seconds in plain Python after which the compiled loop is thought of
PATIENCE = 0.3
#: the fields of the state that grow, by what they go by: field -> (entries for each, filling)
SLOTS = {
    "tokens": ("places", 0), "head": ("timed", -1), "count": ("timed", 0), "left": ("aged", -1.0),
    "waiting": ("jobs", 0), "case": ("one", -1), "alive": ("one", 0), "born": ("one", 0.0),
    "free_slot": ("one", 0),
}  # fmt: skip
TIMERS = {
    "heap": ("one", 0), "t_time": ("one", 0.0), "t_seq": ("one", 0), "t_what": ("one", 0),
    "t_slot": ("one", 0), "t_next": ("one", 0), "t_prev": ("one", -1), "t_pos": ("one", -1),
    "t_begin": ("one", 0.0), "t_asked": ("one", 0.0), "t_work": ("one", 0.0),
    "t_pool": ("most_needs", -1), "t_paused": ("one", -1),
}  # fmt: skip
REQUESTS = {
    "q_slot": ("one", 0), "q_key": ("one", 0.0), "q_time": ("one", 0.0), "q_work": ("one", 0.0),
    "q_next": ("one", 0),
}  # fmt: skip
CASES = {
    "c_begin": ("one", 0.0), "c_end": ("one", -1.0), "c_wait": ("one", 0.0),
    "c_work": ("one", 0.0), "c_cost": ("one", 0.0),
}  # fmt: skip
LOGS = {
    "f_time": ("one", 0.0), "f_case": ("one", 0), "f_what": ("one", 0), "l_case": ("one", 0),
    "l_job": ("one", 0), "l_asked": ("one", 0.0), "l_begin": ("one", 0.0), "l_end": ("one", 0.0),
    "l_pool": ("one", 0),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Figures:
    """What one replication measured; times in the timing's unit.

    Of cases that were counted: when each began and ended, and its time of waiting for resources,
    of work, and its cost. By task: how often, total waiting, longest waiting, total work. By pool:
    time at work, open time, time at work beyond the hours. By place, of a net: tokens times time.
    The window is the time after the warm-up, in which pools, firings and places were measured.
    """

    window: tuple[float, float]
    case: NDArray[np.int64]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    wait: NDArray[np.float64]
    work: NDArray[np.float64]
    cost: NDArray[np.float64]
    task_count: NDArray[np.int64]
    task_wait: NDArray[np.float64]
    task_longest: NDArray[np.float64]
    task_work: NDArray[np.float64]
    busy: NDArray[np.float64]
    open: NDArray[np.float64]
    over: NDArray[np.float64]
    queue: NDArray[np.int64]
    fired: NDArray[np.int64]
    area: NDArray[np.float64]
    firings: int
    events: int
    stuck: int
    most_in_progress: int
    compiled: bool
    ended: str
    firing_log: dict[str, NDArray[Any]]
    task_log: dict[str, NDArray[Any]]

    @property
    def length(self) -> float:
        """The length of the window."""
        return self.window[1] - self.window[0]


class Run:
    """One replication under way.

    Args:
        plan: the model.
        seed: a whole number, or a SeedSequence, from which each stream gets a generator.
        cases: how many cases are run to their ends; the first `warmup` of them are not counted.
        until: the time at which to stop, instead of or besides. Of a net without cases `warmup` is
            the time before it that is not counted.
        log: whether to keep each firing and each task.
        most_in_progress: more cases than that at once are taken for growth without bound.
    """

    def __init__(
        self,
        plan: Plan,
        seed: Any,
        *,
        cases: int | None = None,
        until: float | None = None,
        warmup: float = 0,
        log: bool = False,
        most_in_progress: int = 100_000,
        made: Tables | None = None,
    ) -> None:
        import numpy as np

        self.plan, self.log, self.most = plan, log, most_in_progress
        self.tables = made or tables(plan)
        self.model = self.tables.model
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        self._root = root
        self.streams = [self.generator(s.name) for s in self.tables.streams]
        self.moments = Moments(plan.timing, self.generator("arrivals"))
        self.answers = Answers(plan, self.generator)
        self.until = until
        if self.moments.trace is not None:
            coming = len(self.moments.trace)
            cases = coming if cases is None and until is None else cases
            cases = cases if cases is None else min(cases, coming)
        self.warmup = int(warmup) if plan.cases else 0
        self.warm_time = 0.0 if plan.cases else float(warmup)
        self.compiled = False
        self._most_block = max(64, min(8192, (1 << 20) // max(1, len(self.streams))))
        self.logs: dict[str, list[Any]] = {name: [] for name in LOGS}
        self.firings = 0
        self.state = self._state(cases)
        self.advance: Callable[..., int] = kernel.advance

    def generator(self, name: str) -> np.random.Generator:
        """The generator of what is named: the same whatever else the model holds."""
        import numpy as np

        key = (*self._root.spawn_key, zlib.crc32(name.encode()))
        own = np.random.SeedSequence(self._root.entropy, spawn_key=key)
        return np.random.Generator(np.random.PCG64DXSM(own))

    # -- the state ----------------------------------------------------------------------------

    def _state(self, cases: int | None) -> Any:
        m, plan = self.model, self.plan
        n = [0] * k.NUMBERS
        for number in (
            k.FIRE, k.BEGIN, k.ENDING, k.QUESTION, k.TASK, k.FREE_TIMER, k.FREE_REQUEST, k.LOGGED
        ):  # fmt: skip
            n[number] = -1
        n[k.MOST] = self.most
        n[k.LEFT] = n[k.TARGET] = cases if cases is not None else -1
        if cases is None:
            n[k.TARGET] = 1 << 60
        n[k.FIRST] = self.warmup
        n[k.PENDING] = self.moments.given.number if m.closed else 0
        shifting = any(b - a > 1 for a, b in zip(m.shift_at, m.shift_at[1:], strict=False))
        fields: dict[str, Any] = {name: [] for name in k.State._fields}
        pools = range(m.pools)
        fields |= {
            "n": n,
            "x": [
                0.0, self.warm_time or (math.inf if self.until is None else float(self.until)),
                -1.0 if self.warmup or self.warm_time else 0.0,
                0.0 if shifting else k.NEVER, 0.0, 0.0,
            ],
            "agenda": [0] * len(plan.sets), "queued": [0] * len(plan.sets),
            "dirty": [0] * m.timed, "stirred": [0] * m.timed, "able": [0] * len(plan.laws),
            "q_head": [-1] * m.jobs, "q_tail": [-1] * m.jobs, "q_length": [0] * m.jobs,
            "q_tried": [0] * m.jobs,
            "used": [0] * m.pools, "paused": [0] * m.pools, "is_hungry": [0] * m.pools,
            "size": [m.shift_size[m.shift_at[p]] for p in pools],
            "shift_pos": [0] * m.pools, "hungry": [0] * m.pools, "got": [0] * (m.most_needs + 1),
            "since": [0.0] * m.pools, "busy": [0.0] * m.pools, "open": [0.0] * m.pools,
            "over": [0.0] * m.pools,
            "blocks": [[] for _ in self.streams], "block_pos": [0] * len(self.streams),
            "block_end": [0] * len(self.streams), "arrivals": [0.0],
            "j_count": [0] * m.jobs, "j_wait": [0.0] * m.jobs, "j_most": [0.0] * m.jobs,
            "j_work": [0.0] * m.jobs, "fired": [0] * len(plan.laws),
            "area": [0.0] * m.places, "changed": [0.0] * m.places,
        }  # fmt: skip
        self._sizes = [32] * len(self.streams)
        self.state = k.State(**fields)
        self.room = {"slots": 0, "timers": 0, "requests": 0, "cases": 0, "logs": 0}
        self._grow("slots", SLOTS, 1 if not m.cases else 16)
        self._grow("timers", TIMERS, 64)
        self._grow("requests", REQUESTS, 64)
        self._grow("cases", CASES, 64 if cases is None else cases + 16)
        self._grow("logs", LOGS, 4096 if self.log else 1)
        if self.log:
            self.state.n[k.LOGGED] = 0
            self.state.n[k.LOG_ROOM] = 4096
        self._refill()
        if not m.cases:
            self.state.n[k.FREE_SLOT] = 0
            s = self.state
            kernel.settle(s.n, m, m, s, s, 0)
        return self.state

    def _grow(self, what: str, fields: Mapping[str, tuple[str, Any]], by: int) -> None:
        """Room for more, filled as if it had never been used."""
        m, changed = self.model, {}
        aged = m.timed if k.AGE in self.plan_memory else 0
        widths = {
            "places": m.places, "timed": m.timed, "jobs": m.jobs, "most_needs": m.most_needs,
            "aged": aged, "one": 1,
        }  # fmt: skip
        for name, (width, filling) in fields.items():
            more = [filling] * (by * widths[width])
            now = getattr(self.state, name)
            if isinstance(now, list):
                now.extend(more)
            else:
                import numpy as np

                changed[name] = np.concatenate([now, np.array(more, now.dtype)])
        self.state = s = self.state._replace(**changed)
        first = self.room[what]
        self.room[what] = last = first + by
        match what:
            case "slots":
                for slot in reversed(range(first, last)):
                    s.free_slot[s.n[k.FREE_SLOT]] = slot
                    s.n[k.FREE_SLOT] += 1
            case "timers" | "requests":
                chain, free = (
                    (s.t_next, k.FREE_TIMER) if what == "timers" else (s.q_next, k.FREE_REQUEST)
                )
                for entry in range(first, last):
                    chain[entry] = entry + 1
                chain[last - 1] = s.n[free]
                s.n[free] = first

    @property
    def plan_memory(self) -> set[int]:
        """The kinds of memory that occur."""
        return {k.AGE} if "age" in self.plan.memory else set()

    def _see_to_room(self) -> None:
        """Whatever is short."""
        s = self.state
        if s.n[k.FREE_SLOT] == 0 and self.model.cases:
            self._grow("slots", SLOTS, self.room["slots"])
        if s.n[k.FREE_TIMER] < 0:
            self._grow("timers", TIMERS, self.room["timers"])
        if s.n[k.FREE_REQUEST] < 0:
            self._grow("requests", REQUESTS, self.room["requests"])
        if s.n[k.CASE] + 1 >= self.room["cases"]:
            self._grow("cases", CASES, self.room["cases"])
        if s.n[k.LOGGED] + 1 >= s.n[k.LOG_ROOM] > 0:
            self._empty_logs()
        self._refill()

    def _refill(self) -> None:
        """Streams and arrivals that run out."""
        import numpy as np

        s = self.state
        s.n[k.LOW] = 0
        short = np.flatnonzero(np.asarray(s.block_pos) + 3 > np.asarray(s.block_end))
        rows: dict[int, NDArray[np.float64]] = {}
        for d in map(int, short):
            left = np.asarray(s.blocks[d][s.block_pos[d] : s.block_end[d]], float)
            law = self.tables.streams[d].law
            rng, size = self.streams[d], self._sizes[d]
            fresh = rng.random(size) if law is None else law.sample(rng, size)
            rows[d] = np.concatenate([left, fresh])
            self._sizes[d] = min(2 * size, self._most_block)
            s.block_pos[d], s.block_end[d] = 0, len(rows[d])
        if isinstance(s.blocks, list):
            for d, row in rows.items():
                s.blocks[d] = row.tolist()
        elif rows:
            width = max(map(len, rows.values()))
            blocks = s.blocks
            if width > blocks.shape[1]:
                blocks = np.zeros((len(self.streams), width + self._most_block))
                blocks[:, : s.blocks.shape[1]] = s.blocks
            for d, row in rows.items():
                blocks[d, : len(row)] = row
            self.state = s = s._replace(blocks=blocks)
        if s.n[k.ARRIVED] == s.n[k.ARRIVALS]:
            coming = self.moments.more()
            if len(coming):
                self.state = s = s._replace(
                    arrivals=coming.tolist() if isinstance(s.arrivals, list) else coming
                )
                s.n[k.ARRIVED], s.n[k.ARRIVALS] = 0, len(coming)

    def _empty_logs(self) -> None:
        s = self.state
        import numpy as np

        for name in LOGS:
            rows = s.n[k.JOBS_LOGGED] if name.startswith("l_") else s.n[k.LOGGED]
            self.logs[name].append(np.array(getattr(s, name)[:rows]))
        s.n[k.LOGGED] = s.n[k.JOBS_LOGGED] = 0

    def compile(self) -> None:
        """Go on with the compiled loop; what was done stays done."""
        self.advance = compiler.advance()
        self._to_arrays()
        self.compiled = True

    def _to_arrays(self) -> None:
        self.model = self.tables.arrays
        floats = {
            name
            for fields in (SLOTS, TIMERS, REQUESTS, CASES, LOGS)
            for name, (_, filling) in fields.items()
            if isinstance(filling, float)
        } | {"x", "since", "busy", "open", "over", "arrivals", "j_wait", "j_most", "j_work"}
        self.state = k.State(*(
            compiler.as_array(value, float if name in floats | {"area", "changed"} else None)
            for name, value in zip(k.State._fields, self.state, strict=True)
        ))  # fmt: skip

    # -- going on -------------------------------------------------------------------------------

    def go(self, progress: Callable[[int], object] | None = None) -> Figures:
        """To the end.

        Raises:
            SimulationError: it cannot come to its end: cases grow without bound, or time does not
                go on.
        """
        began, ended = time.perf_counter(), ""
        n, model, state = self.state.n, (), ()
        seen: tuple[Any, Any] = (None, None)
        while not ended:
            if seen[0] is not self.model:
                model = k.fixed(self.model)
            if seen[1] is not self.state:
                state = k.changing(self.state)
            seen, n = (self.model, self.state), self.state.n
            code = self.advance(n, self.state.x, *model, *state, self._budget)
            match code:
                case k.ROOM:
                    self._see_to_room()
                case k.ASK:
                    self._ask(int(n[k.QUESTION]))
                case k.TOLD:
                    slot, job = int(n[k.SLOT]), int(n[k.TASK])
                    self.answers.told(int(self.state.case[slot]), slot, self.plan.jobs[job].task)
                    n[k.TASK] = -1
                case k.BUDGET:
                    self._watch(progress, time.perf_counter() - began)
                case k.SHIFTS:
                    shifts.change_shifts(self.model, self.state)
                case k.RESUME:
                    shifts.resume(self.state, int(self.state.hungry[n[k.HUNGRY] - 1]))
                case k.WINDOW:
                    shifts.open_window(self.model, self.state)
                case k.TOO_MANY:
                    raise SimulationError(self._growth())
                case k.CIRCLE:
                    raise SimulationError(self._circle())
                case k.FINISHED:
                    ended = "cases"
                case k.HORIZON if self.state.x[k.OPENED] < 0 and not self.plan.cases:
                    shifts.open_window(self.model, self.state)
                    assert self.until is not None
                    self.state.x[k.UNTIL] = self.until
                case k.HORIZON:
                    ended = "until"
                case k.DEAD:
                    ended = "dead"
                    if self.until is not None:  # nothing happens until then
                        self.state.x[k.NOW] = self.until
        if progress:
            progress(int(n[k.DONE]))
        return self._figures(ended)

    @property
    def _budget(self) -> int:
        return COMPILED if self.compiled else PLAIN

    def _watch(self, progress: Callable[[int], object] | None, seconds: float) -> None:
        n = self.state.n
        if progress:
            progress(int(n[k.DONE] if self.model.cases else n[k.EVENTS]))
        if not self.model.cases and max(self.state.tokens[: self.model.places]) > MOST_TOKENS:
            raise SimulationError(self._growth())
        if self.compiled or self.plan.asks:  # guards are Python, and to cross over costs too much
            return
        if compiler.loaded() or (seconds > PATIENCE and compiler.ready()):
            self.compile()

    def _ask(self, question: int) -> None:
        """A guard, a number or an OR-join: which transition goes, if any."""
        s, n = self.state, self.state.n
        asked = self.plan.sets[question]
        slot = int(n[k.SLOT])
        places = self.model.places
        tokens = [int(c) for c in s.tokens[slot * places : (slot + 1) * places]]
        able = self.plan.compiled.enabled(tokens, asked.members)
        n[k.QUESTION] = -1
        if not able:
            return
        if asked.choice is None:
            chosen = self.answers.by_weight(able)
        else:
            chosen = self.answers.ask(asked.choice, int(s.case[slot]), slot, able)
        n[k.FIRE] = chosen
        s.x[k.ASKED_AT], s.x[k.WORK] = s.x[k.NOW], -1.0

    # -- what came of it --------------------------------------------------------------------------

    def _figures(self, ended: str) -> Figures:
        import numpy as np

        s, n, m = self.state, self.state.n, self.model
        for pool in range(m.pools):
            queues.measure(s.x, s, pool, 0)
        if not m.cases:
            for p in range(m.places):
                kernel.add(s.x, m, s, s, p, 0, 0)
        logs = {}
        if self.log:
            self._empty_logs()
            logs = {name: np.concatenate(parts) for name, parts in self.logs.items()}
        last = min(int(n[k.CASE]), int(n[k.TARGET]))
        ends = np.asarray(s.c_end[self.warmup : last], float)
        done = np.flatnonzero(ends >= 0)

        def of(values: Any) -> Any:
            return np.asarray(values[self.warmup : last], float)[done]

        return Figures(
            (max(0.0, float(s.x[k.OPENED])), float(s.x[k.NOW])), done + self.warmup,
            of(s.c_begin), of(s.c_end), of(s.c_wait), of(s.c_work), of(s.c_cost),
            np.array(s.j_count, np.int64), np.array(s.j_wait, float), np.array(s.j_most, float),
            np.array(s.j_work, float), np.array(s.busy, float), np.array(s.open, float),
            np.array(s.over, float), np.array(s.q_length, np.int64),
            np.array(s.fired, np.int64), np.array(s.area, float),
            int(sum(s.fired)), int(n[k.EVENTS]), int(n[k.STUCK]), int(n[k.MOST_AT_A_TIME]),
            self.compiled, ended,
            {name[2:]: v for name, v in logs.items() if name.startswith("f_")},
            {name[2:]: v for name, v in logs.items() if name.startswith("l_")},
        )  # fmt: skip

    def _growth(self) -> str:
        n, name = self.state.n, self.plan.name
        now = float(self.state.x[k.NOW])
        if self.model.cases:
            s = self.state
            for pool in range(self.model.pools):
                queues.measure(s.x, s, pool, 0)
            queue = list(map(int, s.q_length))
            found = loads(self.plan, s.busy, s.open, s.over, queue)
            why = overload(self.plan, found, queue) or "they come faster than they end"
            return (
                f"{name!r}: {int(n[k.IN_PROGRESS]):,} cases are in progress at time {now:g}, and "
                f"ever more: {why}; most_in_progress= sets the limit"
            )
        tokens = list(self.state.tokens[: self.model.places])
        place = self.plan.compiled.place_ids[tokens.index(max(tokens))]
        return (
            f"{name!r}: place {place!r} holds {max(tokens):,} tokens at time {now:g}, and ever "
            "more; slow down what fills it, or give it a capacity"
        )

    def _circle(self) -> str:
        s = self.state
        slot, places = int(s.n[k.SLOT]), self.model.places
        net = self.plan.compiled
        tokens = [int(c) for c in s.tokens[slot * places : (slot + 1) * places]]
        able = [net.transition_ids[t] for t in net.enabled(tokens)]
        return (
            f"{self.plan.name!r}: {k.MOST_AT_ONCE:,} firings at one instant, time {s.x[k.NOW]:g}, "
            f"the last in {net.marking(tokens)} with {', '.join(able) or 'nothing'} enabled; give "
            "some step of the circle a duration"
        )


#: More tokens on one place of a net, and it is taken for growth without bound.
MOST_TOKENS = 10_000_000
