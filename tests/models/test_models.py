"""The models of `models/`: proven, run on a real engine with their real shop and files."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, Outcome, TaskContext, Workflow
from petriflow.net import Marking, replay
from petriflow.workflow.target import load_target

MODELS = Path(__file__).parent.parent.parent / "models"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETRIFLOW_SHOP", str(tmp_path / "shop"))
    monkeypatch.setenv("PETRIFLOW_APPROVALS", str(tmp_path / "approvals"))


def workflow(name: str) -> Workflow:
    model = load_target(str(MODELS / f"{name}.py"))
    assert isinstance(model, Workflow)
    return model


def run(flow: Workflow, **variables: Any) -> tuple[Outcome, list[str]]:
    """The outcome of a case, and the tasks that completed; its history replays to the end."""

    async def main() -> tuple[Outcome, list[str]]:
        async with Engine("sqlite://", workflows=[flow]) as engine:
            case = await engine.start(flow, {**flow.example, **variables})
            outcome = await case.wait()
            history = await engine.history(case.id)
        fired = [t for record in history for t in record.fired]
        *_, last = replay(flow.expanded, fired)
        assert last == Marking(flow.expanded.sink.id)
        done = [t.rpartition(".")[0].rpartition("/")[2] for t in fired if t.endswith(".complete")]
        return outcome, done

    return asyncio.run(main())


def shop(tmp_path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(tmp_path / "shop" / "shop.db")) as db:
        return db.execute(query).fetchall()


@pytest.mark.parametrize("name", [p.stem for p in sorted(MODELS.glob("*.py"))])
def test_every_model_is_sound_in_both_forms_and_its_example_runs(name: str) -> None:
    flow = workflow(name)
    assert flow.verify().verdict == "sound"
    assert flow.verify(form="atomic").verdict == "sound"
    outcome, _ = run(flow)
    assert outcome.completed, outcome.error


# The way of an order: (its variables, the tasks between validation and confirmation).
VALIDATION = {"validate_inventory", "validate_payment", "validate_user"}
CONFIRMATION = {"confirm_stock", "confirm_courier", "confirm_invoice", "finalize"}
WAYS = [
    ({"items": {"lamp": 1}, "country": "DE", "method": "card"}, {"standard", "pay_by_card"}),
    ({"items": {"lamp": 1}, "country": "AT", "method": "paypal"}, {"ship_abroad", "pay_by_paypal"}),
    ({"items": {"desk": 2}, "country": "DE", "method": "bill"}, {"prioritise", "pay_by_invoice"}),
    (
        {"items": {"desk": 2}, "country": "FR", "method": "card"},
        {"prioritise", "ship_abroad", "pay_by_card"},
    ),
]


@pytest.mark.parametrize(("variables", "between"), WAYS)
def test_an_order_goes_the_way_that_its_variables_say(
    variables: dict[str, Any], between: set[str]
) -> None:
    outcome, done = run(workflow("order"), **variables)
    assert outcome.variables["status"] == "shipped"
    assert set(done) == VALIDATION | between | CONFIRMATION
    assert len(done) == len(set(done))


def test_an_order_is_on_the_books(tmp_path: Path) -> None:
    outcome, _ = run(workflow("order"), customer="ada", items={"lamp": 3}, method="paypal")
    paid = 3 * 89 * 1.03
    assert outcome.variables["paid"] == pytest.approx(paid)
    assert shop(tmp_path, "SELECT free, gone FROM stock WHERE item = 'lamp'") == [(497, 3)]
    ((credit,),) = shop(tmp_path, "SELECT credit FROM customers WHERE name = 'ada'")
    assert credit == pytest.approx(100_000 - paid)
    customs = Path(outcome.variables["papers"])
    assert json.loads(customs.read_text()) == {"customs": {"lamp": 3}, "to": "FR"}
    assert "3 × lamp à 89" in Path(outcome.variables["invoice"]).read_text()


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"items": {"lamp": 501}}, "out of stock"),
        ({"items": {"unicorn": 1}}, "out of stock"),
        ({"customer": "bob", "items": {"desk": 1}}, "no credit"),
        ({"customer": "nobody", "items": {"lamp": 1}}, "no credit"),
    ],
)
def test_a_rejected_order_leaves_the_stock_as_it_was(
    tmp_path: Path, variables: dict[str, Any], why: str
) -> None:
    outcome, done = run(workflow("order"), **variables)
    assert (outcome.variables["status"], outcome.variables["why"]) == ("rejected", why)
    assert set(done) == VALIDATION | {"reject"}
    assert shop(tmp_path, "SELECT sum(free), sum(gone) FROM stock") == [(1500, 0)]


def test_a_second_attempt_books_nothing_twice(tmp_path: Path) -> None:
    """What a crash between the booking and its commit in the store leads to."""
    flow = workflow("order")
    variables = {"customer": "ada", "items": {"desk": 1}, "country": "DE", "total": 640}
    for name in ("validate_inventory", "confirm_stock", "pay_by_card"):
        body = next(t.body for t in flow.tasks.values() if t.name == name)
        context = TaskContext("case-1", f"case-1/{name}/1", 1, variables, variables)
        assert body(context) == body(context)
    assert shop(tmp_path, "SELECT free, gone FROM stock WHERE item = 'desk'") == [(499, 1)]
    assert shop(tmp_path, "SELECT credit FROM customers WHERE name = 'ada'") == [(99_360,)]


def document(text: str) -> dict[str, Any]:
    return {"title": "A plan", "text": text, "received": "2026-11-24"}


WHOLE = "Purpose: p.\nScope: s.\nBudget: EUR "


@pytest.mark.parametrize(
    ("text", "more", "approved"),
    [
        (WHOLE + "10.00", {"regular_approval"}, True),
        (WHOLE + "10,000.01", {"executive_approval"}, True),
        (WHOLE + "5, a penalty of EUR 1", {"compliance_review"}, False),
        (WHOLE + "20,000, exclusive", {"executive_approval", "compliance_review"}, True),
        ("Purpose: p. EUR 7", {"regular_approval"}, False),
    ],
)
def test_a_document_goes_the_way_that_its_text_says(
    tmp_path: Path, text: str, more: set[str], approved: bool
) -> None:
    outcome, done = run(workflow("document_approval"), **document(text))
    assert outcome.completed, outcome.error
    assert outcome.variables["approved"] is approved
    always = {"prepare", "technical_review", "legal_review", "financial_review", "decide_by_rules"}
    release = {"wait_for_objections", "notify_author", "notify_archive", "finalize"}
    assert set(done) == always | more | release
    audit = (tmp_path / "approvals" / f"{outcome.case_id}.txt").read_text()
    for finding in outcome.variables["findings"]:
        assert finding in audit
    assert len(audit.splitlines()) == len(outcome.variables["findings"]) + 2


def test_a_hundred_orders_at_once_keep_the_books_straight(tmp_path: Path) -> None:
    flow = workflow("order")

    async def main() -> list[Outcome]:
        async with Engine("sqlite://", workflows=[flow]) as engine:
            given = {**flow.example, "items": {"chair": 6}}
            cases = [await engine.start(flow, given) for _ in range(100)]
            return list(await asyncio.gather(*(case.wait() for case in cases)))

    outcomes = asyncio.run(main())
    assert all(outcome.completed for outcome in outcomes)
    shipped = sum(outcome.variables["status"] == "shipped" for outcome in outcomes)
    # 500 chairs are 83 orders.
    assert 0 < shipped <= 83
    assert shop(tmp_path, "SELECT free, gone FROM stock WHERE item = 'chair'") == [
        (500 - 6 * shipped, 6 * shipped)
    ]
    ((credit,),) = shop(tmp_path, "SELECT credit FROM customers WHERE name = 'ada'")
    assert credit == 100_000 - 1260 * shipped
