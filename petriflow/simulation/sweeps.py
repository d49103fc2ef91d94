"""The loops of the Markov solver, compiled by numba from this Python source."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sweep(x, b, start, source, rate, leave, omega):
    """One sweep of successive over-relaxation over `x (-Q) = b`, in place.

    The rates into state `j` lie at `start[j]:start[j + 1]`; `leave` are the rates out of each
    state. Returns by how much `x` changed, its size, and its least entry.
    """
    change, size, least = 0.0, 0.0, np.inf
    for j in range(leave.shape[0]):
        total = b[j]
        for e in range(start[j], start[j + 1]):
            total += x[source[e]] * rate[e]
        now = total / leave[j]
        now = x[j] + omega * (now - x[j])
        change += abs(now - x[j])
        size += abs(now)
        least = min(least, now)
        x[j] = now
    return change, size, least


@njit(cache=True, nogil=True)
def reaching(start, source, reached):
    """Enter all states that can come to those in `reached`, by a search backwards."""
    waiting = np.empty(reached.shape[0], np.int64)
    size = 0
    for n in range(reached.shape[0]):
        if reached[n]:
            waiting[size] = n
            size += 1
    while size:
        size -= 1
        here = waiting[size]
        for e in range(start[here], start[here + 1]):
            before = source[e]
            if not reached[before]:
                reached[before] = True
                waiting[size] = before
                size += 1
