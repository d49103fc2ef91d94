"""Guards proved: against brute force over finite domains, and against the guards themselves."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum, StrEnum
from itertools import product
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, field_validator, model_validator

from petriflow import Workflow
from petriflow.analysis.guards.prove import ChoiceFinding, GuardReport, prove_guards
from petriflow.net.errors import DefinitionError, GuardError
from petriflow.patterns import (
    exclusive_choice,
    exclusive_split,
    multi_choice,
    multi_split,
    simple_merge,
    structured_loop,
    synchronizing_merge,
    when,
)
from petriflow.workflow.guard import read_guard
from petriflow.workflow.variables import Schema


def step(name: str) -> Callable[..., None]:
    def body(case: object) -> None: ...

    body.__name__ = body.__qualname__ = name
    return body


def workflow(
    model: type[BaseModel] | None,
    *guards: Any,
    many: bool = False,
    otherwise: bool = False,
    exhaustive: bool = True,
) -> Workflow:
    pattern = multi_choice if many else exclusive_choice
    branches = [when(guard, step(f"t{n}")) for n, guard in enumerate(guards)]
    choice = pattern(
        *branches,
        otherwise=step("default") if otherwise else None,
        exhaustive=exhaustive and not otherwise,
    )
    return Workflow("w", choice, variables=model)


def judged(model: type[BaseModel] | None, *guards: Any, **more: bool) -> ChoiceFinding:
    (choice,) = prove_guards(workflow(model, *guards, **more)).choices
    return choice


def answers(choice: ChoiceFinding) -> list[str]:
    """All answers: exhaustive, fails, each branch taken, each overlap."""
    findings = [choice.exhaustive, choice.fails, *(b.taken for b in choice.branches)]
    return [f.answer for f in [*findings, *(o.both for o in choice.overlaps)]]


def can_be(model: type[BaseModel], guard: str) -> str:
    """Whether a guard can be true: yes, no or unknown."""
    return judged(model, guard).branches[0].taken.answer


# -- the guards themselves, asked one by one: what every answer must agree with ---------------


def asked(schema: Schema, guards: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """What each guard does on these values: true, false or fails."""
    seen = schema.mapping(schema.view(schema.initial(values)))
    found = []
    for guard in guards:
        try:
            found.append("true" if read_guard(guard, schema.names)(seen) else "false")
        except GuardError:
            found.append("fails")
    return found


def engine_takes(did: Sequence[str], many: bool) -> set[int] | None:
    """The branches that are taken by their guards; `None` if a guard that is asked fails."""
    taken: set[int] = set()
    for n, what in enumerate(did):
        if what == "fails":
            return None
        if what == "true":
            taken.add(n)
            if not many:
                break
    return taken


def facts(did: Sequence[str], many: bool, otherwise: bool) -> list[bool]:
    """For one set of values: is some guard true, does one fail, is each branch taken, do two
    guards overlap; in the order of `answers`.
    """
    taken = engine_takes(did, many)
    some = otherwise or "true" in did
    branches = [taken is not None and n in taken for n in range(len(did))]
    default = [taken == set()] if otherwise else []
    pairs = [(a, b) for a in range(len(did)) for b in range(a + 1, len(did))]
    both = [] if many else [did[a] == did[b] == "true" for a, b in pairs]
    return [some, taken is None, *branches, *default, *both]


def check_examples(choice: ChoiceFinding, schema: Schema, guards: Sequence[str]) -> None:
    """Every example does what it is said to do, when the guards are asked on it."""
    many = choice.many
    otherwise = choice.branches[-1].guard is None

    def on(example: Mapping[str, Any] | None) -> list[bool]:
        assert example is not None
        return facts(asked(schema, guards, example), many, otherwise)

    if choice.exhaustive.answer == "no":
        assert not on(choice.exhaustive.example)[0]
    if choice.fails.answer == "yes":
        assert on(choice.fails.example)[1]
    for n, branch in enumerate(choice.branches):
        if branch.taken.answer == "yes":
            assert on(branch.taken.example)[2 + n]
    for n, overlap in enumerate(choice.overlaps):
        if overlap.both.answer == "yes":
            assert on(overlap.both.example)[2 + len(choice.branches) + n]


# -- brute force ------------------------------------------------------------------------------


class Tone(StrEnum):
    LOW = "low"
    HIGH = "high"


class Plain(Enum):
    ONE = 1
    TWO = "two"


class Inner(BaseModel):
    n: int = Field(ge=0, le=3)


class Small(BaseModel):
    """Every variable has few values."""

    i: int = Field(0, ge=-5, le=5)
    j: int = Field(0, ge=-2, le=2)
    b: bool = False
    word: Literal["", "a", "low"] = "a"
    mixed: Literal[0, 2, "2"] = 0
    maybe: Optional[Annotated[int, Field(ge=-1, le=1)]] = None  # noqa: UP045 - how people write it
    tone: Tone = Tone.LOW
    plain: Plain = Plain.ONE
    inner: Inner = Inner(n=1)


VALUES: dict[str, list[Any]] = {
    "i": list(range(-5, 6)),
    "j": list(range(-2, 3)),
    "b": [False, True],
    "word": ["", "a", "low"],
    "mixed": [0, 2, "2"],
    "maybe": [None, -1, 0, 1],
    "tone": list(Tone),
    "plain": list(Plain),
    "inner": [Inner(n=n) for n in range(4)],
}

numbers = st.sampled_from(["i", "j", "b", "maybe", "mixed", "inner.n", "0", "1", "2", "-3", "True"])
texts = st.sampled_from(["word", "tone", "'a'", "'low'", "''", "plain.name", "tone.value"])
others = st.sampled_from(["None", "plain", "inner", "plain.value", "maybe", "mixed"])


def joined(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: form.format(*found))


def arithmetic(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "//", "%"])
    return st.one_of(
        joined("({} {} {})", inner, operators, inner),
        joined("-{}", inner),
        joined("abs({})", inner),
        joined("max({}, {})", inner, inner),
        joined("min([{}, {}])", inner, inner),
        joined("int({})", inner),
        joined("({} if {} else {})", inner, inner, inner),
        joined("({} or {})", inner, inner),
        joined("sum([{}, {}])", inner, inner),
        joined("({}) ** 2", inner),
        joined("round({})", inner),
    )


amounts = st.recursive(numbers, arithmetic, max_leaves=4)
things = st.one_of(amounts, amounts, texts, others)
orders = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
comparisons = st.one_of(
    joined("{} {} {}", amounts, orders, amounts),
    joined("{} {} {}", amounts, orders, amounts),
    joined("{} {} {} {} {}", amounts, orders, amounts, orders, amounts),
    joined("{} {} {}", texts, orders, texts),
    joined("{} {} {}", things, st.sampled_from(["==", "!=", "<"]), things),
    joined("{} in [{}, {}]", things, things, things),
    joined("{} not in ({}, {})", amounts, amounts, amounts),
    joined("{} is None", others),
    joined("{} is not {}", st.sampled_from(["b", "maybe"]), st.sampled_from(["True", "None"])),
    joined("len({}) > {}", texts, amounts),
    joined("{} + {} == {}", texts, texts, texts),
    joined("any([{}, {}])", things, things),
    joined("{}", things),
)
guards = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        joined("({} and {})", inner, inner),
        joined("({} or {})", inner, inner),
        joined("not ({})", inner),
        joined("all([{}, {}])", inner, inner),
    ),
    max_leaves=3,
)


def small_values(*texts: str) -> Iterator[dict[str, Any]]:
    names = sorted(frozenset().union(*(read_guard(text).names or () for text in texts)))
    for values in product(*(VALUES[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def by_brute_force(texts: Sequence[str], many: bool, otherwise: bool) -> list[str]:
    schema = Schema(Small)
    rows = [facts(asked(schema, texts, v), many, otherwise) for v in small_values(*texts)]
    always, *some = ([row[n] for row in rows] for n in range(len(rows[0])))
    return ["yes" if all(always) else "no", *("yes" if any(s) else "no" for s in some)]


#: beyond the fragment: the answer is right, or unknown
BEYOND = re.compile(r"\binner\b(?!\.)|\[0\]|\.real")


def agree(texts: Sequence[str], many: bool = False, otherwise: bool = False) -> None:
    choice = judged(Small, *texts, many=many, otherwise=otherwise)
    found, expected = answers(choice), by_brute_force(texts, many, otherwise)
    if BEYOND.search(str(texts)):
        expected = [f if f == "unknown" else e for f, e in zip(found, expected, strict=True)]
    assert found == expected, (texts, many, otherwise)
    check_examples(choice, Schema(Small), texts)


@pytest.mark.promise("GUARD-1")
@pytest.mark.parametrize(
    "texts",
    [
        ["i > 2", "i < 2"],
        ["i // j == 1", "j == 0"],
        ["i % -2 == -1", "i % 2 == 0"],
        ["i > 2 or maybe > 0", "maybe is None"],
        ["i and j", "not i", "not j"],
        ["(i or j) == 3", "i == 0 and j == 3"],
        ["-2 < i < j", "i >= j"],
        ["word in 'low tide'", "word < tone"],
        ["mixed == 2", "mixed == '2'", "mixed + 1 > 0"],
        ["plain.value == 'two'", "plain.name == 'ONE'", "plain == 1"],
        ["inner.n * i == 15", "inner.n > 3", "inner"],
        ["b + b == 2", "b is False", "b < 0.5"],
        ["'x' if b else i"],
        ["i == 1.0", "i > 4.5"],
        ["max(i, j) == j and i > j", "min(i, j) <= j"],
        ["i.real == 1 or True"],
        ["i ** 2 == 25 and j ** 3 == -8", "i[0] == 1", "word[0] == 'a'"],
        ["round(i) == abs(i)", "sum([i, j, b]) == 8", "len('abc') == 3"],
        ["True"],
        ["0", "False", "None", "''", "[]"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("many", [False, True])
def test_the_answers_are_those_of_brute_force(texts: list[str], many: bool) -> None:
    agree(texts, many)


@pytest.mark.promise("GUARD-1")
@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.lists(guards, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_random_guards_are_judged_as_brute_force_does(
    texts: list[str], many: bool, otherwise: bool
) -> None:
    assume(sum(1 for _ in small_values(*texts)) <= 2000)
    agree(texts, many, otherwise)


# -- points: what Python computes there is what is proved there ---------------------------------


class Numbers(BaseModel):
    x: int = 0
    y: int = 0
    f: float = 0.0
    g: float = 0.0
    d: Decimal = Decimal(0)
    s: str = ""
    t: str = ""


whole = st.integers(-9, 9) | st.integers(-(10**40), 10**40)
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.1, 0.5, -2.5, 3.0])
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**6))
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4)
FORMS = [
    "{x} + {y}", "{x} - {y}", "{x} * {y}", "{x} // {y}", "{x} % {y}", "{x} / {y}", "{x} ** 3",
    "{f} + {g}", "{f} * {g}", "{f} / {g}", "{x} * {f}", "{f} - {x}", "-{f}", "abs({f})", "int({f})",
    "round({f})", "round({f}, 2)", "max({x}, {f})", "{x} < {f}", "{f} == {g}", "{d} * {x}",
    "{d} / {x}", "{x} == {d}",
    "{d} < {f}", "{d} + {f}", "-{d}", "round({d})", "int({d})", "float({d})", "float({x})",
    "{s} + {t}", "{s} < {t}", "{s} in {t}", "len({s})", "{s} or {x}", "{x} and {f}", "str({x})",
    "{s} * {x}", "{s} > {x}", "{f} // {g}", "{f} % {g}", "{x} in [{y}, {f}]", "sum([{x}, {y}])",
]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FORMS), whole, whole, floats, floats, decimals, words, words)
def test_at_a_point_what_python_computes_is_never_proved_impossible(
    form: str, x: int, y: int, f: float, g: float, d: Decimal, s: str, t: str
) -> None:
    values = {"x": x, "y": y, "f": f, "g": g, "d": d, "s": s, "t": t}
    names = [name for name in values if f"{{{name}}}" in form]
    expression = form.format(**{name: name for name in values})
    # A Decimal cannot be written in a guard; what equals it exactly can.
    here = " and ".join(f"{n} == {values[n]!r}" for n in names if n != "d")
    schema = Schema(Numbers)
    if "d" in names:
        assume(Decimal(float(d)) == d)
        here = " and ".join(filter(None, [here, f"d == {float(d)!r}"]))
    seen = schema.mapping(schema.view(schema.initial(values)))
    try:
        result = read_guard(expression, schema.names).value(seen)
    except GuardError:
        assert judged(Numbers, f"({here}) and ({expression}) is None").fails.answer != "no"
        return
    assume(not isinstance(result, Decimal) and repr(result) not in ("inf", "-inf", "nan"))
    assert can_be(Numbers, f"({here}) and ({expression}) == {result!r}") != "no"
    assert can_be(Numbers, f"({here}) and ({expression}) != {result!r}") != "yes"


# -- large and unusual types --------------------------------------------------------------------


class Order(BaseModel):
    total: int = 0
    rate: float = 1.0
    price: Annotated[Decimal, Field(ge=0, max_digits=8, decimal_places=2)] = Decimal(0)
    country: str = Field("DE", min_length=2, max_length=2)
    items: list[Inner] = []
    due: date | None = None
    best: Inner | None = None
    few: int = Field(1, ge=1, le=100)


@pytest.mark.parametrize(
    ("texts", "exhaustive"),
    [
        (["total > 1000", "total <= 1000"], "yes"),
        (["total > 1000", "total < 1000"], "no"),
        (["few * few > 50", "few * few <= 50"], "yes"),
        (["few / 3 > 1", "few <= 3"], "yes"),
        (["rate * 2 > 5", "rate * 2 <= 5"], "yes"),
        (["few * rate > 5.5", "few * rate <= 5.5"], "yes"),
        (["rate + 0.1 > 0.3", "rate + 0.1 < 0.3"], "no"),
        (["price * few >= 10", "price * few < 10"], "yes"),
        (["price > 1.5", "price < 1.5"], "no"),
        (["country == 'DE'", "country != 'DE'"], "yes"),
        (["country < 'M'", "country > 'M'"], "yes"),  # two letters are never one
        (["len(country) == 2"], "yes"),
        (["country in ['DE', 'FR']", "not country in ('DE', 'FR')"], "yes"),
        (["items", "len(items) == 0"], "yes"),
        (["items == []", "len(items) > 1"], "no"),
        (["due is None", "due"], "yes"),
        (["best and best.n > 1", "not best or best.n <= 1"], "yes"),
        (["best.n > 1", "best.n <= 1"], "no"),  # best is None
        (["round(rate, 2) > 1", "round(rate, 2) <= 1"], "yes"),
        (["str(total) == '1'", "str(total) != '1'"], "unknown"),
    ],
)
def test_many_types_are_understood(texts: list[str], exhaustive: str) -> None:
    choice = judged(Order, *texts)
    assert choice.exhaustive.answer == exhaustive
    check_examples(choice, Schema(Order), texts)


class Validated(BaseModel):
    x: int = 0
    y: Annotated[int, AfterValidator(lambda n: n)] = 0
    z: int = 0

    @field_validator("z", mode="before")
    @classmethod
    def _never_four(cls, z: Any) -> Any:
        return 5 if z == 4 else z


class Whole(BaseModel):
    x: int = 0

    @model_validator(mode="after")
    def _moved(self) -> Whole:
        self.x = 1
        return self


def test_a_validator_may_change_a_value_so_that_nothing_is_proved_of_it() -> None:
    assert judged(Validated, "y > 0", "y <= 0").exhaustive.answer == "unknown"
    assert "validator may change 'y'" in str(judged(Validated, "y > 0", "y <= 0").exhaustive)
    assert judged(Whole, "x > 0", "x <= 0").exhaustive.answer == "unknown"
    assert judged(Validated, "x > 0", "x <= 0").exhaustive.answer == "yes"


def test_an_example_that_the_model_does_not_let_through_is_no_answer() -> None:
    choice = judged(Validated, "z > 3", "z < 3", "z == 4")
    assert choice.exhaustive.answer == "no"
    assert choice.exhaustive.example == {"z": 3}
    assert choice.overlaps[1].both.answer == "unknown"  # z3 offers 4, of which the model makes 5


def test_where_types_are_not_declared_or_guards_are_functions_the_answer_is_unknown() -> None:
    untyped = judged(None, "x > 0", "x <= 0")
    assert set(answers(untyped)) == {"unknown"}
    assert "declares no types" in str(untyped.exhaustive)
    asked_for: list[object] = []
    function = judged(Small, lambda case: asked_for.append(case), "i > 0")
    assert function.exhaustive.answer == function.overlaps[0].both.answer == "unknown"
    assert "is a function" in str(function.exhaustive)
    assert asked_for == []  # user code is not run to prove anything
    assert judged(Small, lambda case: True, "i > 7").branches[1].taken.answer == "no"


def test_whole_numbers_are_as_long_as_the_store_and_the_language_let_them_be() -> None:
    fine = judged(Order, "total + 1 > total")
    assert (fine.exhaustive.answer, fine.fails.answer) == ("yes", "no")
    choice = judged(Order, "total * 2 > 5", "total * 2 <= 5")
    assert choice.exhaustive.answer == "no"
    assert choice.exhaustive.example is not None
    assert abs(choice.exhaustive.example["total"]) >= 2**9998
    assert "digits" in str(choice.exhaustive)
    assert len(str(choice.exhaustive)) < 400


def test_a_guard_that_fails_is_neither_true_nor_false() -> None:
    choice = judged(Small, "maybe > 0", "maybe <= 0")
    assert choice.exhaustive.example == choice.fails.example == {"maybe": None}
    assert "TypeError" in str(choice.fails)


def test_the_first_true_guard_hides_later_failures_of_an_exclusive_choice() -> None:
    texts = ["j == 0", "i // j > 0", "i // j <= 0"]
    assert judged(Small, *texts).fails.answer == "no"
    assert judged(Small, *texts, many=True).fails.answer == "yes"
    assert judged(Small, "i > 0", "i > 2").branches[1].taken.answer == "no"
    assert judged(Small, "i > 0", "i > 2", many=True).branches[1].taken.answer == "yes"


def test_a_loop_and_a_patient_choice_are_judged_too() -> None:
    loop = structured_loop(step("a"), while_="i > 9", name="loop")
    (choice,) = prove_guards(Workflow("w", loop, variables=Small)).choices
    assert [b.taken.answer for b in choice.branches] == ["no", "yes"]
    assert choice.exhaustive.answer == "yes"


# -- leaving out otherwise= -------------------------------------------------------------------


@pytest.mark.promise("PAT-11")
@pytest.mark.parametrize("many", [False, True])
def test_otherwise_may_be_left_out_where_some_guard_is_always_true(many: bool) -> None:
    proved = workflow(Small, "i > 2", "i <= 2", many=many, exhaustive=False)
    promised = workflow(Small, "i > 2", "i <= 2", many=many)
    assert proved.content_hash == promised.content_hash
    assert proved.verify().verdict == "sound"


@pytest.mark.promise("PAT-11")
def test_the_open_splits_may_leave_it_out_as_well() -> None:
    branches = [when("i > 2", step("a")), when("i <= 2", step("b"))]
    either = simple_merge(exclusive_split(*branches))
    some = synchronizing_merge(multi_split(*branches))
    for body in (either, some):
        assert Workflow("w", body, variables=Small).choices[0].to_prove
    with pytest.raises(DefinitionError, match="no guard is true for i = 0"):
        Workflow("w", simple_merge(exclusive_split(when("i", step("a")))), variables=Small)


@pytest.mark.promise("PAT-11")
@pytest.mark.parametrize(
    ("model", "guards", "why"),
    [
        (Small, ["i > 2", "i < 2"], "no guard is true for i = 2$"),
        (Small, ["maybe > 0", "maybe <= 0"], "no guard is true for maybe = None; .*TypeError"),
        (Order, ["str(total) == '1'", "str(total) != '1'"], r"not proved: .*str\(total\)"),
        (None, ["x", "not x"], "not proved: the workflow declares no types"),
    ],
)
def test_without_a_proof_the_message_gives_the_remedy_and_the_values(
    model: type[BaseModel] | None, guards: list[str], why: str
) -> None:
    with pytest.raises(DefinitionError, match=why) as raised:
        workflow(model, *guards, exhaustive=False)
    assert "otherwise=skip does nothing" in str(raised.value)
    assert "exhaustive=True" in str(raised.value)


def test_without_z3_nothing_is_proved_and_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "z3", None)
    assert set(answers(judged(Small, "i > 2", "i <= 2"))) == {"unknown"}
    with pytest.raises(DefinitionError, match="pip install z3-solver"):
        workflow(Small, "i > 2", "i <= 2", exhaustive=False)


# -- how it shows itself --------------------------------------------------------------------------


def test_a_report_is_a_table_and_plain_data() -> None:
    report = prove_guards(workflow(Small, "i > 2", "i < 2"))
    assert isinstance(report, GuardReport)
    lines = str(report).splitlines()
    assert lines[0] == "guards of w, choices: 1"
    assert any("is always some guard true?" in x and " no " in x and "i = 2" in x for x in lines)
    assert "<td" in report._repr_html_()
    data = json.loads(json.dumps(report.to_json()))
    assert data["choices"][0]["exhaustive"] == {
        "answer": "no",
        "example": {"i": 2},
        "reason": None,
    }
