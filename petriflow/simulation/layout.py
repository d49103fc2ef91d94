"""What lies where in the flat arrays that the kernel works on.

`Model` is what does not change; rows of it are compressed: those of `t` lie from `at[t]` to
`at[t + 1]`. `State` is all that changes. Its numbers lie in `n` and `x`, at the places named here.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

# -- what `kernel.advance` returns -------------------------------------------------------------
BUDGET, ROOM, ASK, TOLD, CIRCLE, FINISHED, HORIZON, DEAD, SHIFTS, RESUME, WINDOW, TOO_MANY = range(
    12
)
# -- what a conflict set is, the order of a queue, and the memory of a timed transition --------
SINGLE, WEIGHTED, GATE, ASKED = range(4)
FIFO, LIFO, RANDOM, SHORTEST = range(4)
ENABLING, AGE, RESAMPLING = range(3)
#: More firings at one instant, and the model goes round in a circle.
MOST_AT_ONCE = 1_000_000
#: as many servers as there are tokens; a moment that never comes
MANY, NEVER = 1 << 30, 1e300

# -- the numbers of the state: n, whole, and x -------------------------------------------------
(
    #: what is under way: the slot, the firing, the timer to set, the one that ends, whether it is
    #: due, and what is to be asked, told, or looked at
    SLOT, FIRE, BEGIN, ENDING, DUE, QUESTION, TASK, TOUCHED, LOW,
    #: how much lies in each heap and stack, and where the free entries begin
    AGENDA, DIRTY, HUNGRY, HEAP, FREE_SLOT, FREE_TIMER, FREE_REQUEST,
    #: counters
    SEQ, AT_ONCE, CASE, LEFT, PENDING, ARRIVED, ARRIVALS, STUCK, IN_PROGRESS, DONE, EVENTS,
    MOST_AT_A_TIME, MOST,
    #: the cases from FIRST to before TARGET are counted
    FIRST, TARGET, LOGGED, LOG_ROOM, JOBS_LOGGED, NUMBERS,
) = range(35)  # fmt: skip
NOW, UNTIL, OPENED, SHIFT, ASKED_AT, WORK, TIMES = range(7)

Model = namedtuple(
    "Model",
    "places timed jobs pools sink cases closed week most_needs random_stream "
    "need_at need_p need_n inhibit_at inhibit_p inhibit_n change_at change_p change_n "
    "put_at put_p put_n or_at or_p wakes_at wakes stirs_at stirs kills_at kills "
    "set_at set_t set_kind set_stream weight job_of ends index law servers memory timed_t "
    "job_start job_end job_priority job_order job_cost job_told need_at_job alternative_at "
    "alternative user_at user pauses pool_cost shift_at shift_time shift_size "
    "initial_p initial_n initial_sets initial_timed",
)
State = namedtuple(
    "State",
    "n x "
    # by slot: tokens, first timer and number of timers by timed transition, age, requests by job
    "tokens head count left waiting case alive born free_slot "
    # the conflict sets and timed transitions of the current slot to look at, and those enabled
    "agenda queued dirty stirred able "
    # timers, the heap of them, and requests in the queues of tasks
    "heap t_time t_seq t_what t_slot t_next t_prev t_pos t_begin t_asked t_work t_pool t_paused "
    "q_head q_tail q_length q_slot q_key q_time q_work q_next q_tried "
    # pools
    "used size shift_pos paused hungry is_hungry since busy open over got "
    # numbers drawn beforehand, a row a stream, and the coming arrivals
    "blocks block_pos block_end arrivals "
    # figures of cases and tasks, firings, and of a net tokens over time
    "c_begin c_end c_wait c_work c_cost j_count j_wait j_most j_work fired area changed "
    # logs of firings and of tasks
    "f_time f_case f_what l_case l_job l_asked l_begin l_end l_pool",
)

# How the kernel takes them: in groups, so that a helper is given only what it works on. Numba makes
# one argument of each array, and the time of compiling grows with them.
Net = namedtuple(
    "Net",
    "places timed need_at need_p need_n inhibit_at inhibit_p inhibit_n change_at "
    "change_p change_n put_at put_p put_n or_at or_p wakes_at wakes stirs_at stirs "
    "kills_at kills",
)
Begins = namedtuple("Begins", "initial_p initial_n initial_sets initial_timed")
Sets = namedtuple("Sets", "set_at set_t set_kind set_stream weight")
Laws = namedtuple("Laws", "job_of ends index law servers memory timed_t")
Jobs = namedtuple(
    "Jobs",
    "jobs most_needs job_start job_end job_priority job_order job_cost job_told "
    "need_at_job alternative_at alternative pool_cost random_stream",
)
Mode = namedtuple("Mode", "sink cases closed")
Staff = namedtuple("Staff", "user_at user")
Slots = namedtuple("Slots", "tokens head count left waiting case alive born free_slot")
Agenda = namedtuple("Agenda", "agenda queued dirty stirred able")
Timers = namedtuple(
    "Timers",
    "heap t_time t_seq t_what t_slot t_next t_prev t_pos t_begin t_asked t_work t_pool t_paused",
)
Queue = namedtuple(
    "Queue",
    "q_head q_tail q_length q_slot q_key q_time q_work q_next q_tried",
)
Pools = namedtuple("Pools", "used size paused hungry is_hungry since busy open over got")
Chance = namedtuple("Chance", "blocks block_pos block_end arrivals")
Figures = namedtuple(
    "Figures",
    "c_begin c_end c_wait c_work c_cost j_count j_wait j_most j_work fired area changed",
)
Log = namedtuple("Log", "f_time f_case f_what l_case l_job l_asked l_begin l_end l_pool")
FIXED = (Net, Begins, Sets, Laws, Jobs, Mode, Staff)
CHANGING = (Slots, Agenda, Timers, Queue, Pools, Chance, Figures, Log)


def fixed(model: Any) -> tuple[Any, ...]:
    """The arguments of `kernel.advance` that are the model."""
    return tuple(kind._make([getattr(model, f) for f in kind._fields]) for kind in FIXED)


def changing(state: Any) -> tuple[Any, ...]:
    """The arguments that are the state, but for `n` and `x`."""
    return tuple(kind._make([getattr(state, f) for f in kind._fields]) for kind in CHANGING)
