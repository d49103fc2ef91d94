"""An order, from its validation to its delivery, in a small shop that really keeps books.

    petriflow verify models/order.py
    petriflow simulate models/order.py --cases 10000 --replications 20
    petriflow run models/order.py
    petriflow run models/order.py --input '{"customer": "bob", "items": {"lamp": 1}, …}'

The shop lives in `shop_data/` (or where PETRIFLOW_SHOP says): `shop.db` with stock, customers and
bookings, made on first use, and the letters that are written. A task's body runs at least once, so
whatever it books, it books under its `firing_id`: a second attempt finds the booking and adds none.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from petriflow import Workflow, task
from petriflow.patterns import (
    discriminator,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    when,
)
from petriflow.simulation import Pool, Timing, exponential, lognormal, poisson, triangular

PRICES = {"lamp": 89, "desk": 640, "chair": 210}


# -- validation: three checks at once ------------------------------------------------------------


@task(retries=3, timeout="30s")
def validate_inventory(case):
    """Reserve the items, if all of them are there."""
    with shop() as db, booking(db, case, "reserve") as first:
        for item, count in case["items"].items() if first else ():
            db.execute("UPDATE stock SET free = free - ? WHERE item = ?", (count, item))
        known = dict(db.execute("SELECT item, free FROM stock"))
        short = [item for item in case["items"] if known.get(item, -1) < 0]
        if short and first:
            db.rollback()
    return {"in_stock": not short}


@task(retries=3, timeout="30s")
async def validate_payment(case):
    """Add up what the order costs."""
    return {"total": sum(PRICES.get(item, 0) * n for item, n in case["items"].items())}


@task(retries=3, timeout="30s")
def validate_user(case):
    """Look the customer up."""
    with shop() as db:
        row = db.execute("SELECT credit FROM customers WHERE name = ?", (case["customer"],))
        found = row.fetchone()
    return {"credit": found[0] if found else 0}


# -- handling, payment, confirmation -------------------------------------------------------------


async def prioritise(case):
    return {"priority": "today"}


def ship_abroad(case):
    papers = {"customs": case["items"], "to": case["country"]}
    return {"papers": letter(case, "customs.json", json.dumps(papers, indent=2))}


async def standard(case):
    return {"priority": "this week"}


def pay_by_card(case):
    return pay(case, fee=0)


def pay_by_paypal(case):
    return pay(case, fee=round(case["total"] * 0.03, 2))


def pay_by_invoice(case):
    return pay(case, fee=0) | {"due_in_days": 30}


def confirm_stock(case):
    with shop() as db, booking(db, case, "take") as first:
        for item, count in case["items"].items() if first else ():
            db.execute("UPDATE stock SET gone = gone + ? WHERE item = ?", (count, item))
    return {"taken": True}


def confirm_courier(case):
    return {"label": letter(case, "label.txt", f"{case['customer']}, {case['country']}\n")}


def confirm_invoice(case):
    lines = [f"{n} × {item} à {PRICES[item]}" for item, n in case["items"].items()]
    return {"invoice": letter(case, "invoice.txt", "\n".join([*lines, f"= {case['paid']}\n"]))}


async def finalize(case):
    return {"status": "shipped"}


def reject(case):
    """Say no, and free what was reserved."""
    why = "no credit" if case["in_stock"] else "out of stock"
    with shop() as db, booking(db, case, "release") as first:
        for item, count in case["items"].items() if first and case["in_stock"] else ():
            db.execute("UPDATE stock SET free = free + ? WHERE item = ?", (count, item))
    return {"status": "rejected", "why": why, "reply": letter(case, "sorry.txt", f"Sorry: {why}\n")}


def acceptable(order):
    """A guard may be a function, too."""
    return order["in_stock"] and order["credit"] >= order["total"]


order = Workflow(
    "order",
    sequence(
        parallel(validate_inventory, validate_payment, validate_user, name="validate"),
        exclusive_choice(
            when(
                acceptable,
                sequence(
                    multi_choice(
                        when("total > 1000", prioritise),
                        when("country != 'DE'", ship_abroad),
                        otherwise=standard,
                        name="handling",
                    ),
                    exclusive_choice(
                        when("method == 'card'", pay_by_card),
                        when("method == 'paypal'", pay_by_paypal),
                        otherwise=pay_by_invoice,
                        name="payment",
                    ),
                    discriminator(
                        confirm_stock,
                        confirm_courier,
                        confirm_invoice,
                        required=2,
                        then=finalize,
                        name="confirm",
                    ),
                    name="accepted",
                ),
            ),
            otherwise=reject,
            name="decision",
        ),
    ),
    example={"customer": "ada", "items": {"desk": 2}, "country": "FR", "method": "card"},
    # How long it all takes, for `petriflow simulate`: what-if, on the net that runs.
    timing=Timing(
        unit="min",
        arrivals=poisson({"mon-fri 8-20": 7, "sat 9-14": 3}, per="1h"),
        durations={
            "validate_inventory": lognormal(4, 3),
            "validate_payment": exponential("30s"),
            "validate_user": exponential("30s"),
            "prioritise": "1m",
            "ship_abroad": triangular(5, 8, 20),
            "standard": triangular(1, 2, 5),
            "pay_by_card": exponential(1),
            "pay_by_paypal": exponential(2),
            "pay_by_invoice": exponential("1d"),
            "confirm_stock": lognormal(3, 2),
            "confirm_courier": exponential("1h"),
            "confirm_invoice": exponential("20m"),
            "finalize": triangular(4, 6, 12),
            "reject": "3m",
        },
        choices={
            "decision": {"accepted": 0.92},
            "handling": {"prioritise": 0.15, "ship_abroad": 0.3},
            "payment": {"pay_by_card": 0.6, "pay_by_paypal": 0.25},
        },
        resources={
            "clerk": Pool(1, hours="mon-fri 8-18, sat 9-14", cost=0.5),
            "packer": Pool({"mon-fri 8-18": 2, "sat 9-14": 1}, cost=0.4),
        },
        needs={
            "validate_inventory": "clerk",
            "reject": "clerk",
            "ship_abroad": "packer",
            "standard": "packer",
            "confirm_stock": "packer",
            "finalize": "packer",
        },
    ),
)


# -- the shop's books ----------------------------------------------------------------------------


def folder() -> Path:
    path = Path(os.environ.get("PETRIFLOW_SHOP", "shop_data"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def shop() -> Iterator[sqlite3.Connection]:
    """The shop's database, in a transaction of its own."""
    db = sqlite3.connect(folder() / "shop.db", timeout=20)
    try:
        db.executescript(
            """
            CREATE TABLE IF NOT EXISTS stock (item PRIMARY KEY, free INT, gone INT DEFAULT 0);
            CREATE TABLE IF NOT EXISTS customers (name PRIMARY KEY, credit INT);
            CREATE TABLE IF NOT EXISTS bookings (firing PRIMARY KEY, what, amount);
            INSERT OR IGNORE INTO stock (item, free) VALUES ('lamp', 500), ('desk', 500),
                ('chair', 500);
            INSERT OR IGNORE INTO customers VALUES ('ada', 100000), ('bob', 500);
            """
        )
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.commit()
    finally:
        db.close()


@contextmanager
def booking(db, case, what, amount=0) -> Iterator[bool]:
    """Whether this firing books for the first time; if so, it is on the books from now on."""
    row = (case.firing_id, what, amount)
    yield db.execute("INSERT OR IGNORE INTO bookings VALUES (?, ?, ?)", row).rowcount == 1


def pay(case, fee):
    amount = case["total"] + fee
    with shop() as db, booking(db, case, "pay", amount) as first:
        if first:
            take = "UPDATE customers SET credit = credit - ? WHERE name = ?"
            db.execute(take, (amount, case["customer"]))
    return {"paid": amount}


def letter(case, name, text):
    """Write a file of the case; writing it again changes nothing."""
    path = folder() / case.case_id / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)
