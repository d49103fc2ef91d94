"""The two heaps of the kernel: timers by time and order, and conflict sets by number."""

from __future__ import annotations

from petriflow.simulation.layout import AGENDA


def sift_up(timers, timer, at):
    """Let a timer rise in the heap from a hole at `at`."""
    heap, t_time, t_seq, t_pos = timers.heap, timers.t_time, timers.t_seq, timers.t_pos
    time, seq = t_time[timer], t_seq[timer]
    while at > 0:
        up = (at - 1) >> 1
        other = heap[up]
        if t_time[other] < time or (t_time[other] == time and t_seq[other] < seq):
            break
        heap[at] = other
        t_pos[other] = at
        at = up
    heap[at] = timer
    t_pos[timer] = at


def sift_down(timers, at, size):
    """Fill the hole at `at`, and the last place, which is beyond the new size."""
    heap, t_time, t_seq, t_pos = timers.heap, timers.t_time, timers.t_seq, timers.t_pos
    last = heap[size]
    time, seq = t_time[last], t_seq[last]
    while True:  # down to a leaf by the sooner child
        down = 2 * at + 1
        if down >= size:
            break
        other = heap[down]
        if down + 1 < size:
            right = heap[down + 1]
            if t_time[right] < t_time[other] or (
                t_time[right] == t_time[other] and t_seq[right] < t_seq[other]
            ):
                down += 1
                other = right
        if t_time[other] > time or (t_time[other] == time and t_seq[other] > seq):
            break
        heap[at] = other
        t_pos[other] = at
        at = down
    while at > 0:  # where the hole was in another branch than the last one
        up = (at - 1) >> 1
        other = heap[up]
        if t_time[other] < time or (t_time[other] == time and t_seq[other] < seq):
            break
        heap[at] = other
        t_pos[other] = at
        at = up
    heap[at] = last
    t_pos[last] = at


def wake(n, agenda, k):
    """Put a conflict set on the agenda, a heap by its number."""
    heap = agenda.agenda
    agenda.queued[k] = 1
    at = n[AGENDA]
    n[AGENDA] = at + 1
    while at > 0:
        up = (at - 1) >> 1
        if heap[up] < k:
            break
        heap[at] = heap[up]
        at = up
    heap[at] = k


def next_set(n, agenda):
    """Take the first conflict set from the agenda."""
    heap = agenda.agenda
    first = heap[0]
    agenda.queued[first] = 0
    size = n[AGENDA] - 1
    n[AGENDA] = size
    if size > 0:
        last = heap[size]
        at = 0
        while True:
            down = 2 * at + 1
            if down >= size:
                break
            if down + 1 < size and heap[down + 1] < heap[down]:
                down += 1
            if heap[down] > last:
                break
            heap[at] = heap[down]
            at = down
        heap[at] = last
    return first
