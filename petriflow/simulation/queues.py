"""Pools and the queues of the tasks that need them: part of the kernel."""

from __future__ import annotations

from petriflow.simulation.layout import FREE_REQUEST, HUNGRY, LOW, NOW, SLOT


def measure(x, pools, pool, change):
    """Add up how busy a pool was, before so many more are."""
    now = x[NOW]
    dt = now - pools.since[pool]
    pools.since[pool] = now
    used, size = pools.used[pool], pools.size[pool]
    pools.open[pool] += size * dt
    if used > size:
        pools.busy[pool] += size * dt
        pools.over[pool] += (used - size) * dt
    else:
        pools.busy[pool] += used * dt
    pools.used[pool] = used + change


def request(n, x, jobs, slots, queue, pools, j, key, work):
    """Join the queue of a task, before whoever has a higher key."""
    slot = n[SLOT]
    q = n[FREE_REQUEST]
    n[FREE_REQUEST] = queue.q_next[q]
    if n[FREE_REQUEST] < 0:
        n[LOW] = 1
    queue.q_slot[q] = slot
    queue.q_key[q] = key
    queue.q_time[q] = x[NOW]
    queue.q_work[q] = work
    slots.waiting[slot * jobs.jobs + j] += 1
    slots.alive[slot] += 1
    queue.q_length[j] += 1
    first, last = queue.q_head[j], queue.q_tail[j]
    queue.q_next[q] = -1
    if first < 0:
        queue.q_head[j] = q
        queue.q_tail[j] = q
    elif queue.q_key[last] <= key:
        queue.q_next[last] = q
        queue.q_tail[j] = q
    elif key < queue.q_key[first]:
        queue.q_next[q] = first
        queue.q_head[j] = q
    else:
        before = first
        while queue.q_key[queue.q_next[before]] <= key:
            before = queue.q_next[before]
        queue.q_next[q] = queue.q_next[before]
        queue.q_next[before] = q
    # Only where something of the first thing it needs is free can it be served at once.
    k = jobs.need_at_job[j]
    for a in range(jobs.alternative_at[k], jobs.alternative_at[k + 1]):
        pool = jobs.alternative[a]
        if pools.used[pool] < pools.size[pool] and not pools.is_hungry[pool]:
            pools.is_hungry[pool] = 1
            pools.hungry[n[HUNGRY]] = pool
            n[HUNGRY] += 1


def leave(n, jobs, slots, queue, j, slot):
    """Take a request out of the queue of a task: the latest of a slot, or the first of all."""
    before, found, found_before = -1, queue.q_head[j], -1
    if slot >= 0:
        q = found
        found = -1
        while q >= 0:
            if queue.q_slot[q] == slot and (found < 0 or queue.q_time[q] >= queue.q_time[found]):
                found = q
                found_before = before
            before = q
            q = queue.q_next[q]
    if found_before < 0:
        queue.q_head[j] = queue.q_next[found]
    else:
        queue.q_next[found_before] = queue.q_next[found]
    if queue.q_tail[j] == found:
        queue.q_tail[j] = found_before
    queue.q_next[found] = n[FREE_REQUEST]
    n[FREE_REQUEST] = found
    slots.waiting[queue.q_slot[found] * jobs.jobs + j] -= 1
    slots.alive[queue.q_slot[found]] -= 1
    queue.q_length[j] -= 1


def take(x, jobs, pools, j):
    """Take one of each thing that a task needs, into `got`, or nothing at all."""
    first = jobs.need_at_job[j]
    for k in range(first, jobs.need_at_job[j + 1]):
        found = -1
        for a in range(jobs.alternative_at[k], jobs.alternative_at[k + 1]):
            pool = jobs.alternative[a]
            if pools.used[pool] < pools.size[pool] and pools.paused[pool] == 0:
                found = pool
                break
        if found < 0:
            for i in range(k - first):
                pools.used[pools.got[i]] -= 1  # no time has passed, so nothing is measured
            return False
        measure(x, pools, found, 1)
        pools.got[k - first] = found
    return True


def serve(x, jobs, staff, queue, pools, pool):
    """Let whoever is next at a pool begin; returns the task, or -1 if there is nobody.

    The highest priority goes first, and then the lowest key; a task that lacks something else lets
    others go before it.
    """
    first, last = staff.user_at[pool], staff.user_at[pool + 1]
    for a in range(first, last):
        queue.q_tried[staff.user[a]] = 0
    while pools.used[pool] < pools.size[pool]:
        best = -1
        for a in range(first, last):
            j = staff.user[a]
            if queue.q_length[j] == 0 or queue.q_tried[j]:
                continue
            if best >= 0:
                if jobs.job_priority[j] < jobs.job_priority[best]:
                    continue
                if (
                    jobs.job_priority[j] == jobs.job_priority[best]
                    and queue.q_key[queue.q_head[j]] >= queue.q_key[queue.q_head[best]]
                ):
                    continue
            best = j
        if best < 0 or take(x, jobs, pools, best):
            return best
        queue.q_tried[best] = 1
    return -1
