"""An insurance claim: papers are read one by one, experts look at it, fraud stops everything.

    petriflow verify models/insurance_claim.py
    petriflow run models/insurance_claim.py

Every paper of the claim is a case of its own (`paper`). Experts are people: with two opinions the
offer is made, the third is heard all the same, and an expert who has not claimed the item within
`PETRIFLOW_PATIENCE` (2 seconds, so that the example ends by itself) has none. The payment waits for
the customer's event `accept` or `refuse`, or as long again. At any time the customer can call the
claim off by the event `withdraw`. What was paid is on the books of `claims/ledger.db` (or where
PETRIFLOW_CLAIMS says), once for each firing however often a body runs.
"""

import os
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, Field

from petriflow import Workflow, call, collect, human, task
from petriflow.patterns import (
    cancellable,
    critical_section,
    deferred_choice,
    discriminator,
    event,
    exclusive_choice,
    multiple_instances,
    parallel,
    sequence,
    timer,
    when,
)

PATIENCE = os.environ.get("PETRIFLOW_PATIENCE", "2s")


class Paper(BaseModel):
    """One paper of a claim."""

    instance: int
    papers: list[str]
    sums: list[float] = Field(default_factory=list)
    odd: list[str] = Field(default_factory=list)


async def read(case):
    """What a paper says: a line such as `repair: 120.50`."""
    text = case.variables.papers[case.variables.instance]
    _, _, amount = text.partition(":")
    return {"sums": float(amount)}


async def check(case):
    text = case.variables.papers[case.variables.instance]
    return {"odd": text} if "copy" in text else {}


paper = Workflow(
    "paper",
    sequence(read, check),
    variables=Paper,
    merge={"sums": collect, "odd": collect},
    example={"instance": 0, "papers": ["repair: 120.50"]},
)


class Claim(BaseModel):
    """The variables of a claim."""

    customer: str
    papers: list[str]
    limit: Decimal = Decimal(5_000)
    sums: list[list[float]] = Field(default_factory=list)
    odd: list[list[str]] = Field(default_factory=list)
    opinions: list[str] = Field(default_factory=list)
    total: Decimal = Decimal(0)
    paid: Decimal | None = None
    status: str = "open"


def is_suspicious(claim):
    """A copy where the original is asked for."""
    return any(claim.odd)


def add_up(case):
    claim = case.variables
    return {"total": sum((Decimal(str(x)) for one in claim.sums for x in one), Decimal(0))}


def expert(role):
    """A person of this role says what they think, unless nobody comes in time."""
    opinion = human("opinion", role=role, asks=["opinions"], shows=["customer", "papers", "total"])
    return deferred_choice(
        opinion,
        sequence(timer(PATIENCE, name="patience"), do_without, name="late"),
        name=role,
    )


async def do_without(case):
    return {"opinions": "no opinion"}


def book_reserve(case):
    """Two things are booked, in any order, but never at once: the ledger has one writer."""
    book(case, "reserve", case.variables.total)


def book_fee(case):
    book(case, "fee", Decimal(25))


@task(retries=3, timeout="30s")
def pay(case):
    amount = min(case.variables.total, case.variables.limit)
    book(case, "payment", amount)
    return {"paid": amount, "status": "paid"}


def pay_after_silence(case):
    return pay(case) | {"status": "paid without an answer"}


def reopen(case):
    return {"status": "refused by the customer"}


def close_file(case):
    book(case, "withdrawn", Decimal(0))
    return {"status": "withdrawn by the customer"}


def investigate(case):
    book(case, "investigation", Decimal(0))
    return {"status": "under investigation"}


insurance_claim = Workflow(
    "insurance_claim",
    cancellable(
        sequence(
            multiple_instances(call(paper), "len(papers)", most=6, name="papers"),
            add_up,
            exclusive_choice(
                when(is_suspicious, investigate),
                otherwise=sequence(
                    parallel(
                        discriminator(
                            expert("engineer"),
                            expert("lawyer"),
                            expert("physician"),
                            required=2,
                            name="experts",
                        ),
                        critical_section(book_reserve, book_fee, name="ledger"),
                        name="assessment",
                    ),
                    deferred_choice(
                        sequence(event("accept"), pay),
                        sequence(event("refuse"), reopen),
                        sequence(timer(PATIENCE, name="patience"), pay_after_silence),
                        name="offer",
                    ),
                    name="regular",
                ),
                name="fraud",
            ),
            name="work",
        ),
        by=event("withdraw"),
        then=close_file,
        name="claim",
    ),
    variables=Claim,
    merge={"sums": collect, "odd": collect, "opinions": collect},
    example={"customer": "ada", "papers": ["repair: 1200.50", "tow truck: 180", "hotel: 95"]},
)


def book(case, what, amount):
    """A line in the ledger, once for each firing."""
    folder = Path(os.environ.get("PETRIFLOW_CLAIMS", "claims"))
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "ledger.db", timeout=20)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS ledger (firing PRIMARY KEY, what, amount)")
        row = (case.firing_id, what, str(amount))
        db.execute("INSERT OR IGNORE INTO ledger VALUES (?, ?, ?)", row)
