"""A travel booking as a saga: flight, hotel and car, or nothing at all.

    petriflow verify models/travel.py
    petriflow run models/travel.py

The three are booked side by side. If one is sold out, or not all are there by the deadline
(`PETRIFLOW_DEADLINE`, 30 seconds) or when the customer says `withdraw`, what is already booked is
given back. Bookings are rows of `travel/bookings.db` (or PETRIFLOW_TRAVEL), one for each case and
kind however often a body runs.
"""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from petriflow import Workflow, collect, task
from petriflow.patterns import (
    cancellable,
    deferred_choice,
    event,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    skip,
    timer,
    when,
)

CAPACITY = {"flight": 8, "hotel": 5, "car": 3}


@task(retries=3, timeout="10s")
async def book_flight(case):
    return {"flight": await book(case, "flight")}


@task(retries=3, timeout="10s")
async def book_hotel(case):
    return {"hotel": await book(case, "hotel")}


@task(retries=3, timeout="10s")
async def book_car(case):
    return {"car": await book(case, "car")}


def cancel_flight(case):
    return {"given_back": give_back(case, "flight")}


def cancel_hotel(case):
    return {"given_back": give_back(case, "hotel")}


def cancel_car(case):
    return {"given_back": give_back(case, "car")}


def give_all_back(case):
    """After a withdrawal in the midst nobody knows how far it had come: the books do.

    A booking that is on its way still is refused by the mark that is left there.
    """
    with ledger() as db, db:
        db.execute("INSERT OR IGNORE INTO booking VALUES (?, 'withdrawn')", (case.case_id,))
    found = [kind for kind in CAPACITY if booked(case, kind)]
    return {"given_back": [give_back(case, kind) for kind in found], "status": "withdrawn"}


def send_documents(case):
    return {"status": "booked"}


def apologise(case):
    return {"status": "sold out"}


travel = Workflow(
    "travel",
    cancellable(
        sequence(
            parallel(book_flight, book_hotel, book_car, name="bookings"),
            exclusive_choice(
                when("flight and hotel and car", send_documents),
                otherwise=sequence(
                    multi_choice(
                        when("car", cancel_car),
                        when("hotel", cancel_hotel),
                        when("flight", cancel_flight),
                        otherwise=skip,
                        name="compensation",
                    ),
                    apologise,
                ),
                name="complete",
            ),
            name="saga",
        ),
        by=deferred_choice(
            event("withdraw"),
            timer(os.environ.get("PETRIFLOW_DEADLINE", "30s"), name="deadline"),
            name="end",
        ),
        then=give_all_back,
        name="trip",
    ),
    merge={"given_back": collect},
    example={"customer": "ada", "days": 7, "given_back": []},
)


def ledger():
    folder = Path(os.environ.get("PETRIFLOW_TRAVEL", "travel"))
    folder.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(folder / "bookings.db", timeout=20)
    db.execute("CREATE TABLE IF NOT EXISTS booking (case_id, kind, PRIMARY KEY (case_id, kind))")
    return closing(db)


async def book(case, kind):
    """Whether a place is ours; the same answer when the body runs again."""

    id = case.case_id

    def work():
        with ledger() as db, db:
            db.execute("BEGIN IMMEDIATE")
            mine = {k for (k,) in db.execute("SELECT kind FROM booking WHERE case_id = ?", (id,))}
            if kind in mine or "withdrawn" in mine:
                return kind in mine
            (taken,) = db.execute("SELECT count(*) FROM booking WHERE kind = ?", (kind,)).fetchone()
            if taken >= CAPACITY[kind]:
                return False
            db.execute("INSERT INTO booking VALUES (?, ?)", (id, kind))
            return True

    return await asyncio.to_thread(work)


def booked(case, kind):
    with ledger() as db:
        where = "WHERE case_id = ? AND kind = ?"
        row = db.execute(f"SELECT 1 FROM booking {where}", (case.case_id, kind)).fetchone()
    return row is not None


def give_back(case, kind):
    with ledger() as db, db:
        db.execute("DELETE FROM booking WHERE case_id = ? AND kind = ?", (case.case_id, kind))
    return kind
