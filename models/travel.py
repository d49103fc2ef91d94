"""A journey as a saga: flight, hotel, car and payment, or nothing at all.

    petriflow verify models/travel.py
    petriflow run models/travel.py
    petriflow run models/travel.py --input '{"customer": "bob", "days": 7}'

The three are booked side by side, then paid, and every step says how it is undone. If one is sold
out, the bank declines (as it does with bob), or the customer says `withdraw` or has not all by the
deadline (`PETRIFLOW_DEADLINE`, 30 seconds), the case fails, and what was done is undone: the last
first, one after another, also if the machine is killed in the midst of it. The same is done for
`petriflow cases cancel`. If the papers cannot be written when all is paid, nothing is undone: a
person looks at it (`petriflow cases incidents`).

A body that is cut off in its midst has not completed, and is not undone; and a plain function or a
thread runs on all the same. So the first step of all opens the trip in the books, and to undo that,
which is the last thing to be done, is to close it: nothing more is booked on a trip that is closed,
and what was left half done is taken away.

The books are `travel/bookings.db` (or PETRIFLOW_TRAVEL). Whatever is written there is written under
the idempotency key of its step, once, however often a body runs.
"""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from petriflow import Workflow, task
from petriflow.patterns import cancellable, deferred_choice, event, parallel, sequence, timer

CAPACITY = {"flight": 8, "hotel": 5, "car": 3}
PRICES = {"flight": 240, "hotel": 90, "car": 40}  # hotel and car by the day
LIMITS = {"ada": 5_000, "bob": 500}


class SoldOutError(Exception):
    """There is no place left; another attempt would not help."""


class DeclinedError(Exception):
    """The bank does not pay."""


class WithdrawnError(Exception):
    """The journey is not wanted any more."""


# -- the steps, each after what undoes it ---------------------------------------------------------


@task(retries=5)
def close_trip(case):
    with books() as db:
        db.execute("UPDATE trip SET open = 0 WHERE id = ?", (case.case_id,))
        db.execute("DELETE FROM booking WHERE trip = ?", (case.case_id,))
        db.execute("DELETE FROM payment WHERE trip = ?", (case.case_id,))


@task(compensate=close_trip)
def open_trip(case):
    with books() as db:
        db.execute("INSERT OR IGNORE INTO trip VALUES (?, 1)", (case.case_id,))


@task(retries=5)
def give_back(case):
    """One undo for all three: the key says which booking it is."""
    with books() as db:
        db.execute("DELETE FROM booking WHERE key = ?", (case.undoes,))


def booking(kind):
    @task(
        name=f"book_{kind}", retries=3, timeout="10s", give_up_on=SoldOutError, compensate=give_back
    )
    async def book(case):
        return {kind: await asyncio.to_thread(reserve, case.case_id, case.firing_id, kind)}

    return book


@task(retries=5)
def refund(case):
    with books() as db:
        db.execute("DELETE FROM payment WHERE key = ?", (case.undoes,))


@task(retries=3, give_up_on=DeclinedError, compensate=refund)
def pay(case):
    price = PRICES["flight"] + case["days"] * (PRICES["hotel"] + PRICES["car"])
    if price > LIMITS.get(case["customer"], 0):
        raise DeclinedError(f"the bank does not pay {price} for {case['customer']}")
    with books() as db:
        if is_open(db, case.case_id):
            row = (case.firing_id, case.case_id, price)
            db.execute("INSERT OR IGNORE INTO payment VALUES (?, ?, ?)", row)
    return {"price": price}


@task(on_failure="incident")
def send_papers(case):
    places = ", ".join(f"{kind} {case[kind]}" for kind in CAPACITY)
    paper = folder() / f"{case.case_id}.txt"
    paper.write_text(f"{case['customer']}: {places}; paid {case['price']}\n")
    return {"papers": str(paper)}


def withdraw(case):
    raise WithdrawnError("the customer has withdrawn, or not all was there by the deadline")


travel = Workflow(
    "travel",
    sequence(
        open_trip,
        cancellable(
            sequence(
                parallel(booking("flight"), booking("hotel"), booking("car"), name="bookings"), pay
            ),
            by=deferred_choice(
                event("withdraw"),
                timer(os.environ.get("PETRIFLOW_DEADLINE", "30s"), name="deadline"),
                name="end",
            ),
            then=withdraw,
            name="trip",
        ),
        send_papers,
    ),
    example={"customer": "ada", "days": 7},
)


# -- the books ------------------------------------------------------------------------------------


def folder():
    path = Path(os.environ.get("PETRIFLOW_TRAVEL", "travel"))
    path.mkdir(parents=True, exist_ok=True)
    return path


class books:
    """One transaction on the books; nobody else writes meanwhile."""

    def __enter__(self):
        self.db = sqlite3.connect(folder() / "bookings.db", timeout=20, isolation_level=None)
        self.db.execute("CREATE TABLE IF NOT EXISTS trip (id PRIMARY KEY, open)")
        self.db.execute("CREATE TABLE IF NOT EXISTS booking (key PRIMARY KEY, trip, kind, place)")
        self.db.execute("CREATE TABLE IF NOT EXISTS payment (key PRIMARY KEY, trip, price)")
        self.db.execute("BEGIN IMMEDIATE")
        return self.db

    def __exit__(self, kind, error, trace):
        with closing(self.db):
            self.db.execute("COMMIT" if kind is None else "ROLLBACK")


def is_open(db, trip):
    return db.execute("SELECT 1 FROM trip WHERE id = ? AND open", (trip,)).fetchone() is not None


def reserve(trip, key, kind):
    """A place of this kind; the same one when the body runs again."""
    with books() as db:
        mine = db.execute("SELECT place FROM booking WHERE key = ?", (key,)).fetchone()
        if mine or not is_open(db, trip):
            return mine and mine[0]
        taken = {p for (p,) in db.execute("SELECT place FROM booking WHERE kind = ?", (kind,))}
        free = set(range(1, CAPACITY[kind] + 1)) - taken
        if not free:
            raise SoldOutError(f"there is no {kind} left")
        db.execute("INSERT INTO booking VALUES (?, ?, ?, ?)", (key, trip, kind, min(free)))
        return min(free)
