"""The loops of a large exploration, compiled by numba from this Python source.

A marking is a row of 64-bit words, with a lane of `width` bits for each place and a free bit at the
top of each lane, as in `state_space`: one subtraction compares all lanes of a word, and a token too
many shows in the free bit, so that a count is never wrong. The hash of a marking is a sum over its
words, and so changes by a constant when a transition fires. The arrays of the markings are as large
as the limit from the start; the system gives them memory only as they fill, so that they grow
without being copied. Tests hold this to the plain form, and so to net/firing.py.
"""

from __future__ import annotations

import numpy as np
from numba import njit

RUNNING, DONE, TABLE_FULL, EDGES_FULL, LIMIT, OVERFLOW = range(6)
MIX = np.uint64(0x9E3779B97F4A7C15)
SHIFT = np.uint64(32)
ZERO = np.uint64(0)
#: So many firings are looked up together: their cache misses then overlap.
TOGETHER = 512
#: Above every rank of a transition.
MOST_RANK = np.int64(1) << 62


@njit(cache=True, nogil=True)
def hash_of(words, row, coefficients):
    """The hash of a marking: the sum of its words, each times its coefficient."""
    total = ZERO
    for w in range(words.shape[1]):
        total += words[row, w] * coefficients[w]
    return total


@njit(cache=True, nogil=True)
def slot_of(hashed, mask):
    """Where to look first in the table."""
    mixed = hashed ^ (hashed >> SHIFT)
    mixed *= MIX
    return np.int64((mixed ^ (mixed >> SHIFT)) & np.uint64(mask))


@njit(cache=True, nogil=True)
def fill_table(table, words, count, coefficients):
    """Enter all markings into an empty table."""
    mask = table.shape[0] - 1
    for row in range(count):
        slot = slot_of(hash_of(words, row, coefficients), mask)
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = row


@njit(cache=True, nogil=True)
def expand(
    words, parent, parent_via, table, coefficients, high,
    need_start, need_word, need, need_high,
    inhibit_start, inhibit_word, inhibit, inhibit_high,
    add_start, add_word, add, add_hash,
    resets, consume, keep, produce, rank,
    row_start, target, via, keep_edges, state, budget,
):  # fmt: skip
    """Give the next `budget` markings their successors.

    `state` holds the numbers that go on from call to call: markings found, markings expanded,
    edges in the buffer, edges in all, markings without successors. Of the enabled transitions only
    those of the lowest rank fire. Returns why it stopped.
    """
    count, current, buffered = state[0], state[1], state[2]
    transitions = need_start.shape[0] - 1
    width = words.shape[1]
    mask = table.shape[0] - 1
    most = words.shape[0]
    room = TOGETHER + transitions
    after = np.empty((room, width), np.uint64)
    slots = np.empty(room, np.int64)
    known = np.empty(room, np.int32)
    equal = np.empty(room, np.bool_)
    by = np.empty(room, np.int32)
    origin = np.empty(room, np.int32)
    stop = current + budget
    why = RUNNING
    while why == RUNNING and current < count:
        # First: what some markings lead to.
        pending = 0
        begun = current
        while current < count and pending < TOGETHER:
            if current == stop or 4 * (count + pending + transitions) > 3 * table.shape[0]:
                break
            if count + pending + transitions > most:
                break
            if keep_edges and buffered + pending + transitions > target.shape[0]:
                break
            hashed = hash_of(words, current, coefficients)
            fired = pending
            lowest = MOST_RANK
            for t in range(transitions):
                if rank[t] > lowest:
                    continue
                able = True
                for k in range(need_start[t], need_start[t + 1]):
                    w = need_word[k]
                    if ((words[current, w] | high[w]) - need[k]) & need_high[k] != need_high[k]:
                        able = False
                        break
                if not able:
                    continue
                for k in range(inhibit_start[t], inhibit_start[t + 1]):
                    w = inhibit_word[k]
                    if ((words[current, w] | high[w]) - inhibit[k]) & inhibit_high[k] != ZERO:
                        able = False
                        break
                if not able:
                    continue
                if rank[t] < lowest:
                    lowest = rank[t]
                    pending = fired
                r = resets[t]
                if r >= 0:
                    here = ZERO
                    for w in range(width):
                        left = (words[current, w] - consume[r, w]) & keep[r, w]
                        after[pending, w] = left + produce[r, w]
                        here += after[pending, w] * coefficients[w]
                else:
                    for w in range(width):
                        after[pending, w] = words[current, w]
                    for k in range(add_start[t], add_start[t + 1]):
                        after[pending, add_word[k]] += add[k]
                    here = hashed + add_hash[t]
                for w in range(width):
                    if after[pending, w] & high[w] != ZERO:
                        return OVERFLOW
                slots[pending] = slot_of(here, mask)
                by[pending] = t
                origin[pending] = current
                pending += 1
            if fired == pending:
                state[4] += 1
            current += 1
            if keep_edges:
                row_start[current] = state[3] + pending
        if current == begun:
            if current == stop:
                break
            if count + transitions > most:
                why = LIMIT
            elif 4 * (count + transitions) > 3 * table.shape[0]:
                why = TABLE_FULL
            else:
                why = EDGES_FULL
            break
        # Then: which of these were seen before. The loads of a loop do not wait for one another.
        for n in range(pending):
            known[n] = table[slots[n]]
        for n in range(pending):
            row = max(known[n], 0)
            same = words[row, 0] == after[n, 0]
            for w in range(1, width):
                same &= words[row, w] == after[n, w]
            equal[n] = same and known[n] >= 0
        for n in range(pending):
            found = known[n]
            if not equal[n]:
                slot = slots[n]
                while True:
                    found = table[slot]
                    if found < 0:
                        found = count
                        table[slot] = count
                        for w in range(width):
                            words[count, w] = after[n, w]
                        parent[count] = origin[n]
                        parent_via[count] = by[n]
                        count += 1
                        break
                    same = True
                    for w in range(width):
                        if words[found, w] != after[n, w]:
                            same = False
                            break
                    if same:
                        break
                    slot = (slot + 1) & mask
            if keep_edges:
                target[buffered] = found
                via[buffered] = by[n]
                buffered += 1
        state[3] += pending
    if why == RUNNING and current == count:
        why = DONE
    state[0], state[1], state[2] = count, current, buffered
    return why


@njit(cache=True, nogil=True)
def covering(words, parent, high, frontier, count, seen):
    """A marking on the way to the frontier that covers an earlier one on the same way, and that
    one; (-1, -1) if there is none.
    """
    width = words.shape[1]
    for leaf in range(frontier, count):
        here = leaf
        while here >= 0 and not seen[here]:
            seen[here] = True
            before = parent[here]
            while before >= 0:
                covers = True
                for w in range(width):
                    if ((words[here, w] | high[w]) - words[before, w]) & high[w] != high[w]:
                        covers = False
                        break
                if covers:
                    return here, before
                before = parent[before]
            here = parent[here]
    return -1, -1


@njit(cache=True, nogil=True)
def reach_back(row_start, target, goals, count, expanded):
    """Which markings can reach a goal: 1 for each that can, by a search backwards."""
    degree = np.zeros(count + 1, np.int64)
    for e in range(row_start[expanded]):
        degree[target[e] + 1] += 1
    for n in range(count):
        degree[n + 1] += degree[n]
    sources = np.empty(row_start[expanded], np.int32)
    fill = degree.copy()
    for n in range(expanded):
        for e in range(row_start[n], row_start[n + 1]):
            sources[fill[target[e]]] = n
            fill[target[e]] += 1
    reached = np.zeros(count, np.uint8)
    waiting = np.empty(count, np.int32)
    size = 0
    for n in goals:
        if not reached[n]:
            reached[n] = 1
            waiting[size] = n
            size += 1
    while size:
        size -= 1
        here = waiting[size]
        for e in range(degree[here], degree[here + 1]):
            if not reached[sources[e]]:
                reached[sources[e]] = 1
                waiting[size] = sources[e]
                size += 1
    return reached
