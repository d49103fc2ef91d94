"""A complaint at a customer service, from its arrival to its end; the customer may call it off.

    petriflow verify models/customer_service.py
    petriflow run models/customer_service.py

A knowledge base and a reply are looked for side by side; the first good answer is sent. Then the
customer has the word: by the event `reply` (with `{"satisfied": true}` or `false`), by `withdraw`,
or by saying nothing for `PETRIFLOW_PATIENCE` (2 seconds, so that the example ends by itself). Who
is not satisfied is answered again, by a person the third time. Tickets are kept in `tickets/` (or
where PETRIFLOW_TICKETS says).
"""

import json
import os
import re
from pathlib import Path

from petriflow import Workflow, collect, task
from petriflow.patterns import (
    cancellable,
    deferred_choice,
    discriminator,
    event,
    exclusive_choice,
    multi_choice,
    sequence,
    skip,
    structured_loop,
    timer,
    when,
)

ARTICLES = {
    "refund": "You get your money back within 14 days of our receiving the goods.",
    "delivery": "A parcel takes two to four working days; your tracking code is in your mail.",
    "broken": "We replace what arrives broken. Please send us a picture of it.",
}
URGENT = ("lawyer", "danger", "fire")


async def open_ticket(case):
    """Write the ticket down."""
    note(case, "opened", case["text"])
    words = set(re.findall(r"[a-z]+", case["text"].lower()))
    return {"topics": sorted(words & set(ARTICLES)), "urgent": bool(words & set(URGENT))}


def alert_manager(case):
    note(case, "alert", "a manager was told")
    return {"notes": "manager alerted"}


def ask_for_picture(case):
    note(case, "picture", "a picture was asked for")
    return {"notes": "picture asked for"}


def search_articles(case):
    """The knowledge base: what it says about the topics."""
    return {"articles": [ARTICLES[topic] for topic in case["topics"]]}


def search_history(case):
    """What was answered to this customer before."""
    tickets = [json.loads(p.read_text("utf-8")) for p in sorted(folder().glob("*.json"))]
    mine = [t for t in tickets if t.get("customer") == case["customer"]]
    return {"earlier": len(mine)}


def ask_supplier(case):
    return {"supplier": "no recall is known"}


@task(retries=2, timeout="10s")
def answer(case):
    """Send what was found; from the third time on a person writes."""
    rounds = case["rounds"] + 1
    articles = case.get("articles") or ["We look into it, and come back to you."]
    text = " ".join(articles) if rounds < 3 else "A colleague will call you today."
    note(case, f"answer-{rounds}", text)
    return {"rounds": rounds, "answered": text, "satisfied": rounds >= 3}


def silence(case):
    """Nothing was heard: taken for consent."""
    return {"satisfied": True}


def close(case):
    note(case, "closed", f"after {case['rounds']} answers")
    return {"status": "closed"}


def thank(case):
    note(case, "withdrawn", "by the customer")
    return {"status": "withdrawn"}


customer_service = Workflow(
    "customer_service",
    sequence(
        open_ticket,
        cancellable(
            sequence(
                multi_choice(
                    when("urgent", alert_manager),
                    when("'broken' in topics", ask_for_picture),
                    otherwise=skip,
                    name="first_aid",
                ),
                discriminator(
                    search_articles, search_history, ask_supplier, required=2, name="research"
                ),
                structured_loop(
                    sequence(
                        answer,
                        deferred_choice(
                            event("reply"),
                            sequence(
                                timer(os.environ.get("PETRIFLOW_PATIENCE", "2s"), name="patience"),
                                silence,
                            ),
                            name="customer",
                        ),
                    ),
                    until="satisfied",
                    name="dialogue",
                ),
                name="work",
            ),
            by=event("withdraw"),
            then=thank,
            name="complaint",
        ),
        exclusive_choice(when("status == 'open'", close), otherwise=skip, name="end"),
    ),
    merge={"notes": collect},
    example={
        "customer": "ada",
        "text": "My lamp arrived broken. I want a refund!",
        "status": "open",
        "rounds": 0,
        "notes": [],
    },
)


def folder() -> Path:
    path = Path(os.environ.get("PETRIFLOW_TICKETS", "tickets"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def note(case, what, text):
    """A file for each thing that happened; writing it again changes nothing."""
    name = case.firing_id.replace("/", "_")
    entry = {"customer": case["customer"], "what": what, "text": text}
    (folder() / f"{name}.json").write_text(json.dumps(entry, indent=2), encoding="utf-8")
