"""The event loop of the simulation: plain Python over flat arrays, which numba can compile.

The same source runs in two ways. With lists it is the plain path, which answers at once; with
arrays, `compiler.py` has it compiled. As all chance comes from outside (`blocks` of numbers drawn
beforehand, one row a stream), both take the same steps, firing for firing. Whatever needs more than
arrays (room, numbers, the answer of a guard, a change of shifts) makes `advance` return a code; the
caller sees to it and calls again, for all of the state lies in the arrays.

A case lies in a *slot*: a row of tokens, of timers and of requests. A bare net is one slot for all
time. Timers lie in a binary heap by time and, at the same time, by the order in which they were
set. Each helper is called from one place only, so that the compiler, which puts them all into one
function, has little to do. The firing rule is that of net/firing.py, to which property tests hold
the firings logged here.
"""

from __future__ import annotations

from petriflow.simulation.heaps import next_set, sift_down, sift_up, wake
from petriflow.simulation.layout import (
    AGE,
    AGENDA,
    ARRIVALS,
    ARRIVED,
    ASK,
    ASKED,
    ASKED_AT,
    AT_ONCE,
    BEGIN,
    BUDGET,
    CASE,
    CIRCLE,
    DEAD,
    DIRTY,
    DONE,
    DUE,
    ENDING,
    EVENTS,
    FINISHED,
    FIRE,
    FIRST,
    FREE_SLOT,
    FREE_TIMER,
    GATE,
    HEAP,
    HORIZON,
    HUNGRY,
    IN_PROGRESS,
    JOBS_LOGGED,
    LEFT,
    LIFO,
    LOG_ROOM,
    LOGGED,
    LOW,
    MANY,
    MOST,
    MOST_AT_A_TIME,
    MOST_AT_ONCE,
    NEVER,
    NOW,
    OPENED,
    PENDING,
    QUESTION,
    RANDOM,
    RESUME,
    ROOM,
    SEQ,
    SHIFT,
    SHIFTS,
    SHORTEST,
    SLOT,
    STUCK,
    TARGET,
    TASK,
    TOLD,
    TOO_MANY,
    TOUCHED,
    UNTIL,
    WINDOW,
    WORK,
)  # fmt: skip
from petriflow.simulation.queues import leave, measure, request, serve, take

# -- chance ------------------------------------------------------------------------------------


def draw(n, chance, stream):
    """The next number of a stream."""
    at = chance.block_pos[stream]
    chance.block_pos[stream] = at + 1
    if at + 4 > chance.block_end[stream]:
        n[LOW] = 1
    return chance.blocks[stream][at]


# -- timers ------------------------------------------------------------------------------------


def begin(n, x, net, laws, jobs, slots, timers, pools, t, work):
    """Set a timer in the current slot: a firing is under way from now on."""
    timer = n[FREE_TIMER]
    n[FREE_TIMER] = timers.t_next[timer]
    if n[FREE_TIMER] < 0:
        n[LOW] = 1
    slot, now = n[SLOT], x[NOW]
    own = slot * net.timed + laws.index[t]
    timers.t_time[timer] = now + work
    timers.t_seq[timer] = n[SEQ]
    n[SEQ] += 1
    timers.t_what[timer] = t
    timers.t_slot[timer] = slot
    timers.t_begin[timer] = now
    timers.t_work[timer] = work
    first = slots.head[own]
    timers.t_next[timer] = first
    timers.t_prev[timer] = -1
    if first >= 0:
        timers.t_prev[first] = timer
    slots.head[own] = timer
    slots.count[own] += 1
    slots.alive[slot] += 1
    j = laws.ends[t]
    if j >= 0:
        timers.t_asked[timer] = x[ASKED_AT]
        row = timer * jobs.most_needs
        for k in range(jobs.need_at_job[j + 1] - jobs.need_at_job[j]):
            timers.t_pool[row + k] = pools.got[k]
    n[HEAP] += 1
    sift_up(timers, timer, n[HEAP] - 1)


def finish(n, x, net, laws, jobs, slots, timers, pools, figures, log, timer):
    """Forget a timer, which is due or withdrawn, and free what its task holds."""
    t, slot = timers.t_what[timer], timers.t_slot[timer]
    own = slot * net.timed + laws.index[t]
    if n[DUE] == 0 and laws.memory[t] == AGE:
        slots.left[own] = timers.t_time[timer] - x[NOW]
    at = timers.t_pos[timer]
    if at >= 0:
        timers.t_pos[timer] = -1
        n[HEAP] -= 1
        if at < n[HEAP]:
            sift_down(timers, at, n[HEAP])
    before, after = timers.t_prev[timer], timers.t_next[timer]
    if before >= 0:
        timers.t_next[before] = after
    else:
        slots.head[own] = after
    if after >= 0:
        timers.t_prev[after] = before
    slots.count[own] -= 1
    slots.alive[slot] -= 1
    timers.t_next[timer] = n[FREE_TIMER]
    n[FREE_TIMER] = timer
    j = laws.ends[t]
    if j >= 0:
        if n[DUE]:
            record(n, x, jobs, slots, timers, figures, log, timer, j)
        row = timer * jobs.most_needs
        for k in range(jobs.need_at_job[j + 1] - jobs.need_at_job[j]):
            pool = timers.t_pool[row + k]
            if pool == timers.t_paused[timer]:
                pools.paused[pool] -= 1
            else:
                measure(x, pools, pool, -1)
            if not pools.is_hungry[pool]:
                pools.is_hungry[pool] = 1
                pools.hungry[n[HUNGRY]] = pool
                n[HUNGRY] += 1
        timers.t_paused[timer] = -1


def record(n, x, jobs, slots, timers, figures, log, timer, j):
    """The figures of a task that has been done."""
    case = slots.case[timers.t_slot[timer]]
    wait, work = timers.t_begin[timer] - timers.t_asked[timer], timers.t_work[timer]
    figures.c_wait[case] += wait
    figures.c_work[case] += work
    cost = jobs.job_cost[j]
    row = timer * jobs.most_needs
    needs = jobs.need_at_job[j + 1] - jobs.need_at_job[j]
    for k in range(needs):
        cost += work * jobs.pool_cost[timers.t_pool[row + k]]
    figures.c_cost[case] += cost
    if n[FIRST] <= case < n[TARGET]:
        figures.j_count[j] += 1
        figures.j_wait[j] += wait
        figures.j_work[j] += work
        if wait > figures.j_most[j]:
            figures.j_most[j] = wait
    if n[LOGGED] >= 0:
        at = n[JOBS_LOGGED]
        log.l_case[at] = case
        log.l_job[at] = j
        log.l_asked[at] = timers.t_asked[timer]
        log.l_begin[at] = timers.t_begin[timer]
        log.l_end[at] = x[NOW]
        log.l_pool[at] = timers.t_pool[row] if needs else -1
        n[JOBS_LOGGED] = at + 1
    if jobs.job_told[j]:
        n[TASK] = j


# -- the firing rule ---------------------------------------------------------------------------


def degree(n, net, slots, t, most):
    """How often the transition is enabled, `most` at most; of an OR-join the caller must tell."""
    tokens = slots.tokens
    base = n[SLOT] * net.places
    for k in range(net.inhibit_at[t], net.inhibit_at[t + 1]):
        if tokens[base + net.inhibit_p[k]] >= net.inhibit_n[k]:
            return 0
    for k in range(net.need_at[t], net.need_at[t + 1]):
        there, weight = tokens[base + net.need_p[k]], net.need_n[k]
        if there < weight:
            return 0
        if most > 1:
            times = there // weight
            if times < most:
                most = times
    return most


def fire(n, x, net, laws, mode, slots, agenda, figures, log, t):
    """One firing in the current slot, and what has to be looked at after it.

    First, one by one, what it resets is withdrawn while it is under way: returns false if there is
    more of that, before anything else has changed.
    """
    tokens = slots.tokens
    slot = n[SLOT]
    for k in range(net.kills_at[t], net.kills_at[t + 1]):
        timer = slots.head[slot * net.timed + laws.index[net.kills[k]]]
        if timer >= 0:
            n[ENDING] = timer
            return False
    base = slot * net.places
    figures.fired[t] += 1
    n[TOUCHED] = 1
    if n[LOGGED] >= 0:
        row = n[LOGGED]
        log.f_time[row] = x[NOW]
        log.f_case[row] = slots.case[slot]
        log.f_what[row] = t
        n[LOGGED] = row + 1
        if row + 2 > n[LOG_ROOM]:
            n[LOW] = 1
    for k in range(net.or_at[t], net.or_at[t + 1]):
        if tokens[base + net.or_p[k]] > 0:
            add(x, mode, slots, figures, net.or_p[k], base, -1)
    for k in range(net.change_at[t], net.change_at[t + 1]):
        add(x, mode, slots, figures, net.change_p[k], base, net.change_n[k])
    for k in range(net.put_at[t], net.put_at[t + 1]):
        add(x, mode, slots, figures, net.put_p[k], base, net.put_n[k] - tokens[base + net.put_p[k]])
    for k in range(net.wakes_at[t], net.wakes_at[t + 1]):
        if not agenda.queued[net.wakes[k]]:
            wake(n, agenda, net.wakes[k])
    for k in range(net.stirs_at[t], net.stirs_at[t + 1]):
        u = net.stirs[k]
        if not agenda.stirred[u]:
            agenda.stirred[u] = 1
            agenda.dirty[n[DIRTY]] = u
            n[DIRTY] += 1
    return True


def add(x, mode, slots, figures, p, base, tokens):
    """Change the tokens of a place; of a net, add up how long those before were there."""
    if not mode.cases:
        now = x[NOW]
        figures.area[p] += slots.tokens[p] * (now - figures.changed[p])
        figures.changed[p] = now
    slots.tokens[base + p] += tokens


# -- the steps ---------------------------------------------------------------------------------


def look(n, x, net, sets, laws, jobs, slots, agenda, queue, pools, chance, k):
    """Look at a conflict set in the current slot: what fires next, who asks for a resource?"""
    kind = sets.set_kind[k]
    most = MANY if kind == GATE else 1
    total, found, there = 0.0, 0, 0
    for i in range(sets.set_at[k], sets.set_at[k + 1]):
        t = sets.set_t[i]
        there = degree(n, net, slots, t, most)
        if there and sets.weight[t] > 0:
            agenda.able[found] = t
            found += 1
            total += sets.weight[t]
    if kind == GATE:
        j = laws.job_of[sets.set_t[sets.set_at[k]]]
        asked = slots.waiting[n[SLOT] * jobs.jobs + j]
        if there < asked:
            leave(n, jobs, slots, queue, j, n[SLOT])
            wake(n, agenda, k)
        elif there > asked:
            key, work = float(n[SEQ]), -1.0
            n[SEQ] += 1
            order = jobs.job_order[j]
            if order == LIFO:
                key = -key
            elif order >= RANDOM:
                stream = jobs.random_stream if order == RANDOM else laws.law[jobs.job_end[j]]
                key = draw(n, chance, stream)
                if order == SHORTEST:
                    work = key
            request(n, x, jobs, slots, queue, pools, j, key, work)
            if there > asked + 1:
                wake(n, agenda, k)
    elif found:
        if kind == ASKED:
            n[QUESTION] = k
            return
        t = agenda.able[0]
        if found > 1:
            rest = draw(n, chance, sets.set_stream[k]) * total
            for i in range(found):
                t = agenda.able[i]
                rest -= sets.weight[t]
                if rest < 0:
                    break
        n[FIRE] = t
        n[AT_ONCE] += 1
        x[ASKED_AT] = x[NOW]
        x[WORK] = -1.0


def sync(n, x, net, laws, slots, agenda):
    """Bring the timers of one transition to what its tokens say, one timer at a time."""
    u = agenda.dirty[n[DIRTY] - 1]
    t = laws.timed_t[u]
    own = n[SLOT] * net.timed + u
    wanted, there = degree(n, net, slots, t, laws.servers[t]), slots.count[own]
    if there < wanted:
        n[BEGIN] = t
        x[WORK] = -1.0
        if laws.memory[t] == AGE:
            x[WORK] = slots.left[own]
            slots.left[own] = -1.0
    elif there > wanted:
        n[ENDING] = slots.head[own]
    else:
        n[DIRTY] -= 1
        agenda.stirred[u] = 0


def arrive(n, x, net, begins, slots, agenda, figures):
    """A case begins."""
    n[FREE_SLOT] -= 1
    slot = slots.free_slot[n[FREE_SLOT]]
    case = n[CASE]
    n[CASE] = case + 1
    slots.case[slot] = case
    slots.born[slot] = x[NOW]
    figures.c_begin[case] = x[NOW]
    n[IN_PROGRESS] += 1
    if n[IN_PROGRESS] > n[MOST_AT_A_TIME]:
        n[MOST_AT_A_TIME] = n[IN_PROGRESS]
    if n[FREE_SLOT] == 0 or case + 2 > len(figures.c_begin):
        n[LOW] = 1
    settle(n, net, begins, slots, agenda, slot)


def settle(n, net, begins, slots, agenda, slot):
    """Put the first tokens into a slot."""
    n[SLOT] = slot
    n[TOUCHED] = 1
    base = slot * net.places
    for k in range(len(begins.initial_p)):
        slots.tokens[base + begins.initial_p[k]] = begins.initial_n[k]
    for k in begins.initial_sets:
        wake(n, agenda, k)
    for u in begins.initial_timed:
        agenda.stirred[u] = 1
        agenda.dirty[n[DIRTY]] = u
        n[DIRTY] += 1


def check_end(n, x, net, mode, slots, figures):
    """Whether the case in the current slot has come to its end, or can do nothing more."""
    slot = n[SLOT]
    base = slot * net.places
    well = slots.tokens[base + mode.sink] == 1
    if well:
        for p in range(net.places):
            if p != mode.sink and slots.tokens[base + p] > 0:
                well = False
                break
    if not well and slots.alive[slot] > 0:
        return
    case = slots.case[slot]
    for p in range(net.places):
        slots.tokens[base + p] = 0
    if well:
        figures.c_end[case] = x[NOW]
        n[DONE] += 1
    else:
        n[STUCK] += 1
    if mode.closed:
        n[PENDING] += 1
    slots.case[slot] = -1
    slots.free_slot[n[FREE_SLOT]] = slot
    n[FREE_SLOT] += 1
    n[IN_PROGRESS] -= 1
    if case < n[TARGET]:
        n[LEFT] -= 1


def advance(
    n,
    x,
    net,
    begins,
    sets,
    laws,
    jobs,
    mode,
    staff,
    slots,
    agenda,
    timers,
    queue,
    pools,
    chance,
    figures,
    log,
    budget,
):
    """Go on until something is needed from outside, an end is reached, or `budget` events."""
    stop = n[EVENTS] + budget
    while True:
        if n[LOW]:
            return ROOM
        if n[ENDING] >= 0:
            finish(n, x, net, laws, jobs, slots, timers, pools, figures, log, n[ENDING])
            n[ENDING] = -1
            n[DUE] = 0
            if n[TASK] >= 0:
                return TOLD
        elif n[BEGIN] >= 0:
            work = x[WORK]
            if work < 0:
                work = draw(n, chance, laws.law[n[BEGIN]])
            begin(n, x, net, laws, jobs, slots, timers, pools, n[BEGIN], work)
            n[BEGIN] = -1
        elif n[FIRE] >= 0:
            if fire(n, x, net, laws, mode, slots, agenda, figures, log, n[FIRE]):
                j = laws.job_of[n[FIRE]]
                n[FIRE] = -1
                if j >= 0:
                    n[BEGIN] = jobs.job_end[j]
        elif n[AGENDA]:
            look(
                n,
                x,
                net,
                sets,
                laws,
                jobs,
                slots,
                agenda,
                queue,
                pools,
                chance,
                next_set(n, agenda),
            )
            if n[QUESTION] >= 0:
                return ASK
            if n[AT_ONCE] > MOST_AT_ONCE:
                return CIRCLE
        elif n[DIRTY]:
            sync(n, x, net, laws, slots, agenda)
        elif n[TOUCHED]:
            n[TOUCHED] = 0
            if mode.cases:
                check_end(n, x, net, mode, slots, figures)
        elif n[HUNGRY]:
            pool = pools.hungry[n[HUNGRY] - 1]
            if pools.paused[pool] and pools.used[pool] < pools.size[pool]:
                return RESUME
            j = serve(x, jobs, staff, queue, pools, pool)
            if j < 0:
                n[HUNGRY] -= 1
                pools.is_hungry[pool] = 0
            else:
                q = queue.q_head[j]
                n[SLOT] = queue.q_slot[q]
                x[ASKED_AT] = queue.q_time[q]
                x[WORK] = queue.q_work[q]
                leave(n, jobs, slots, queue, j, -1)
                n[FIRE] = jobs.job_start[j]
        elif n[LEFT] == 0:
            return FINISHED
        elif n[IN_PROGRESS] > n[MOST]:
            return TOO_MANY
        elif n[PENDING] or n[EVENTS] >= stop:
            if n[PENDING] == 0:
                return BUDGET
            if n[CASE] == n[FIRST] and x[OPENED] < 0:
                return WINDOW
            n[PENDING] -= 1
            arrive(n, x, net, begins, slots, agenda, figures)
        else:
            timer, due, coming = -1, NEVER, NEVER
            if n[HEAP]:
                timer = timers.heap[0]
                due = timers.t_time[timer]
            if n[ARRIVED] < n[ARRIVALS]:
                coming = chance.arrivals[n[ARRIVED]]
            first = min(due, coming, x[SHIFT])
            if first >= NEVER:
                return DEAD
            # At the very end, what is due is still done, and nothing new begins.
            if first > x[UNTIL] or (first == x[UNTIL] and due > first):
                x[NOW] = x[UNTIL]
                return HORIZON
            n[EVENTS] += 1
            n[AT_ONCE] = 0 if first > x[NOW] else n[AT_ONCE] + 1
            x[NOW] = first
            if due == first:
                n[SLOT] = timers.t_slot[timer]
                n[FIRE] = timers.t_what[timer]
                n[ENDING] = timer
                n[DUE] = 1
            elif x[SHIFT] == first:
                return SHIFTS
            else:
                n[ARRIVED] += 1
                if n[ARRIVED] == n[ARRIVALS]:
                    n[LOW] = 1
                n[PENDING] += 1


#: what is compiled, callees before callers
FUNCTIONS = (
    sift_up, sift_down, draw, begin, record, measure, finish, degree, add, wake, fire, next_set,
    request, leave, take, serve, look, sync, settle, arrive, check_end, advance,
)  # fmt: skip
