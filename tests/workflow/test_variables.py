"""Variables: what can be stored, what a model promises, and how concurrent writes are settled."""

from __future__ import annotations

import enum
import json
import math
import types
from collections import OrderedDict, namedtuple
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    computed_field,
    field_serializer,
    model_validator,
)

from petriflow.net.errors import (
    DefinitionError,
    GuardError,
    VariableConflict,
    VariableError,
)
from petriflow.workflow import collect, error_on_conflict, last_wins, reduce
from petriflow.workflow.variables import Policy, Schema, plain, settle

# -- plain data -----------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_what_is_json_stays_as_it_is_and_comes_back(variables: dict[str, Any]) -> None:
    found = plain(variables)
    assert found == variables
    assert json.loads(json.dumps(found)) == variables


def test_the_result_shares_nothing_that_can_be_changed() -> None:
    inner = {"items": [1, [2]]}
    found = plain({"order": inner})
    inner["items"][1].append(3)
    inner["more"] = 1
    assert found == {"order": {"items": [1, [2]]}}


class Colour(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2, "x")), [1, [2, "x"]]),
        (Point(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": (1,)}), {"a": [1]}),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        ({Colour.RED: Level.HIGH}, {"red": 3}),
        (2**70, 2**70),
        (-(2**64), -(2**64)),
        (True, True),
        (1.0, 1.0),
    ],
)
def test_relatives_of_plain_values_become_plain(value: Any, expected: Any) -> None:
    def types_of(value: Any) -> Any:
        if isinstance(value, list):
            return [types_of(item) for item in value]
        if isinstance(value, dict):
            return {(type(k), k): types_of(v) for k, v in value.items()}
        return type(value)

    (found,) = plain({"v": value}).values()
    assert found == expected
    assert types_of(found) == types_of(expected)
    assert json.loads(json.dumps(found)) == expected


circle: list[Any] = []
circle.append({"again": circle})
deep: list[Any] = []
for _ in range(5000):
    deep = [deep]


@pytest.mark.promise("STORE-6")
@pytest.mark.parametrize(
    ("value", "why"),
    [
        (math.nan, "nan is not a number in JSON"),
        (math.inf, "inf is not a number"),
        ([1, {"a": -math.inf}], "inf is not a number"),
        ({1, 2}, "it is not JSON"),
        (b"bytes", "it is not JSON"),
        (object(), "it is not JSON"),
        (date(2024, 1, 1), "it is not JSON"),
        (Decimal(1), "it is not JSON"),
        (UUID(int=1), "it is not JSON"),
        ([1, {"a": {1}}], "the set in it is not JSON"),
        (1j, "it is not JSON"),
        (print, "it is not JSON"),
        (iter([1]), "it is not JSON"),
        ({1: "a"}, "the key 1 in it is not a text"),
        ({1: "a", "1": "b"}, "the key 1 in it is not a text"),
        ([{None: 1}], "the key None in it"),
        (circle, "in a circle"),
        (deep, "nested too deeply"),
        ("\ud800", "surrogates"),
        ({"\ud800": 1}, "surrogates"),
        pytest.param(10**5000, "the number is too long", id="long"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_its_name(value: Any, why: str) -> None:
    with pytest.raises(VariableError, match=r"variable 'v' is an? ") as caught:
        plain({"fine": 1, "v": value})
    assert why in str(caught.value)


@pytest.mark.parametrize("name", [1, None, b"a", ("a",)])
def test_a_variables_name_is_a_text(name: Any) -> None:
    with pytest.raises(VariableError, match="a name must be a text"):
        plain({name: 1})


@pytest.mark.parametrize("variables", [None, [1], "text", 3])
def test_variables_are_a_mapping(variables: Any) -> None:
    with pytest.raises(VariableError, match="is not a mapping of variables by name"):
        plain(variables)


# -- without a model ------------------------------------------------------------------------


def test_without_a_model_anything_that_is_json_goes() -> None:
    schema = Schema()
    assert schema.names is None
    assert schema.document() is None
    assert schema.initial({"a": (1,)}) == {"a": [1]}
    assert schema.updates({"a": 1}, {"b": {"c": 2}}) == {"b": {"c": 2}}
    with pytest.raises(VariableError, match="variable 'b' is a set"):
        schema.updates({}, {"b": set()})


@pytest.mark.promise("FLOW-5")
def test_a_view_cannot_be_written_and_shares_nothing() -> None:
    data = {"n": 1, "items": [1], "order": {"lines": [2]}}
    view = Schema().view(data)
    with pytest.raises(TypeError):
        view["n"] = 2
    view["items"].append(9)
    view["order"]["lines"].append(9)
    assert data == {"n": 1, "items": [1], "order": {"lines": [2]}}


def test_a_collected_variable_begins_as_a_list() -> None:
    schema = Schema(None, frozenset(["notes"]))
    assert schema.initial({"notes": ["a"], "n": 1}) == {"notes": ["a"], "n": 1}
    assert schema.initial({}) == {}
    assert schema.updates({}, {"notes": "b"}) == {"notes": "b"}
    for value in ("abc", {"a": 1}, 3, None):
        with pytest.raises(VariableError, match="variable 'notes' is collected, so that it begins"):
            schema.initial({"notes": value})


# -- with a model ---------------------------------------------------------------------------


class Line(BaseModel):
    """One line of an order."""

    article: str
    number: int = Field(1, ge=1)
    price: Decimal = Decimal("0.00")


class Order(BaseModel):
    """An order."""

    total: float = 0.0
    placed: datetime | None = None
    due: date = date(2024, 1, 1)
    id: UUID = UUID(int=0)
    amount: Decimal = Decimal("0.10")
    patience: timedelta = timedelta(hours=1)
    colour: Colour = Colour.RED
    method: Literal["card", "cash"] = "card"
    tags: set[str] = {"a", "b"}
    path: PurePosixPath = PurePosixPath("a/b")
    data: bytes = b""
    size: tuple[int, str] = (1, "m")
    counts: dict[int, int] = {}
    lines: list[Line] = []


@pytest.mark.promise("FLOW-9", "STORE-6")
@given(
    st.builds(
        Order,
        total=st.floats(allow_nan=False, allow_infinity=False),
        placed=st.none() | st.datetimes(),
        due=st.dates(),
        id=st.uuids(),
        amount=st.decimals(allow_nan=False, allow_infinity=False),
        patience=st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000)),
        tags=st.sets(st.text(max_size=3), max_size=3),
        data=st.text(max_size=5).map(str.encode),
        size=st.tuples(st.integers(), st.text(max_size=3)),
        counts=st.dictionaries(st.integers(), st.integers(), max_size=3),
        lines=st.lists(
            st.builds(
                Line,
                article=st.text(max_size=3),
                number=st.integers(1, 99),
                price=st.decimals(0, 99, places=2),
            ),
            max_size=2,
        ),
    )
)
def test_the_values_of_a_model_come_back_equal_and_of_their_types(order: Order) -> None:
    schema = Schema(Order)
    given_values = {name: getattr(order, name) for name in Order.model_fields}
    stored = json.loads(json.dumps(schema.initial(given_values)))
    back = schema.view(stored)
    assert back == order
    for name in Order.model_fields:
        assert type(getattr(back, name)) is type(getattr(order, name))
    assert plain(stored) == stored


@pytest.mark.promise("FLOW-9")
def test_defaults_are_filled_in_and_texts_are_read_as_their_types() -> None:
    schema = Schema(Order)
    assert schema.view(schema.initial({})) == Order()
    view = schema.view(schema.initial({"due": "2025-05-01", "amount": "3.50", "total": "7"}))
    assert (view.due, view.amount, view.total) == (date(2025, 5, 1), Decimal("3.50"), 7.0)
    assert schema.mapping(view)["due"] == date(2025, 5, 1)
    assert schema.names == set(Order.model_fields)


@pytest.mark.promise("FLOW-9")
def test_updates_are_checked_and_only_they_are_returned() -> None:
    schema = Schema(Order)
    now = schema.initial({"total": 5})
    assert schema.updates(now, {"due": date(2025, 5, 1)}) == {"due": "2025-05-01"}
    assert schema.updates(now, {"lines": [Line(article="desk")]}) == {
        "lines": [{"article": "desk", "number": 1, "price": "0.00"}]
    }
    assert schema.updates(now, {}) == {}


@pytest.mark.promise("FLOW-9")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"total": "much"}, r"variable 'total' does not fit Order: Input should be a valid number"),
        ({"method": "gold"}, r"variable 'method' does not fit Order: Input should be 'card' or"),
        ({"lines": [{"article": "a", "number": 0}]}, r"variable 'lines\.0\.number' does not fit"),
        ({"due": "tomorrow"}, r"variable 'due' does not fit Order"),
        ({"zebra": 1}, r"variable 'zebra' is not declared in Order; declared are: total, placed"),
        ({"total": math.nan}, r"variable 'total' does not fit Order"),
        ({"total": math.inf}, r"variable 'total' does not fit Order"),
        ({"data": b"\xff"}, r"variable 'data' of Order has no form in JSON"),
        ({"size": (10**3500, "m")}, r"variable 'size' is a list and cannot be stored"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_its_name(
    values: dict[str, Any], message: str
) -> None:
    schema = Schema(Order)
    with pytest.raises(VariableError, match=message):
        schema.initial(values)
    with pytest.raises(VariableError, match=message):
        schema.updates(schema.initial({}), values)


def test_a_required_variable_must_be_given() -> None:
    class Needs(BaseModel):
        total: int

    with pytest.raises(VariableError, match="variable 'total' does not fit Needs: Field required"):
        Schema(Needs).initial({})


def test_a_rule_over_several_variables_names_the_model() -> None:
    class Range(BaseModel):
        low: int = 0
        high: int = 9

        @model_validator(mode="after")
        def ordered(self) -> Range:
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    schema = Schema(Range)
    with pytest.raises(VariableError, match=r"'Range' does not fit Range: .*low is above high"):
        schema.updates(schema.initial({}), {"low": 10})
    assert schema.updates(schema.initial({}), {"low": 10, "high": 11}) == {"low": 10, "high": 11}


@pytest.mark.promise("STORE-6")
def test_a_value_that_the_store_would_change_is_refused() -> None:
    class Rounded(BaseModel):
        price: float = 0.0

        @field_serializer("price")
        def short(self, price: float) -> str:
            return f"{price:.1f}"

    assert Schema(Rounded).initial({"price": 0.5}) == {"price": "0.5"}
    with pytest.raises(VariableError, match="variable 'price' of Rounded would come back"):
        Schema(Rounded).initial({"price": 0.55})


def test_strict_models_and_computed_fields_can_be_stored() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True, extra="forbid")
        due: date
        id: UUID
        tags: frozenset[int] = frozenset()

        @computed_field
        def year(self) -> int:
            return self.due.year

    schema = Schema(Strict)
    start = schema.initial({"due": date(2024, 1, 1), "id": UUID(int=1)})
    assert set(start) == {"due", "id", "tags"}
    assert schema.view(start).year == 2024
    assert schema.updates(start, {"tags": frozenset([1])}) == {"tags": [1]}
    with pytest.raises(VariableError, match="variable 'due' does not fit Strict"):
        schema.initial({"due": "2024-01-01", "id": UUID(int=1)})


def test_aliases_inside_a_value_are_its_own_affair() -> None:
    class Address(BaseModel):
        post_code: str = Field(alias="postCode")

    class Customer(BaseModel):
        address: Address

    schema = Schema(Customer)
    start = schema.initial({"address": {"postCode": "10115"}})
    assert schema.view(start).address.post_code == "10115"
    assert schema.updates(start, {"address": Address(postCode="20095")}) == {
        "address": {"postCode": "20095"}
    }


@pytest.mark.parametrize(
    "field",
    [
        Field(1, alias="orderTotal"),
        Field(1, validation_alias="orderTotal"),
        Field(1, serialization_alias="orderTotal"),
        Field(1, exclude=True),
    ],
)
def test_a_variable_goes_by_its_own_name(field: Any) -> None:
    model = type("Odd", (BaseModel,), {"__annotations__": {"total": int}, "total": field})
    with pytest.raises(DefinitionError, match="variable 'total' of Odd has an alias or is excl"):
        Schema(model)


@pytest.mark.parametrize("model", [dict, int, Order(), "Order", object])
def test_a_model_is_a_class_of_pydantic(model: Any) -> None:
    with pytest.raises(DefinitionError, match="is not a pydantic model class"):
        Schema(model)


def test_a_model_without_a_form_in_json_is_refused() -> None:
    class Socket:
        pass

    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        socket: Socket

    with pytest.raises(DefinitionError, match="the variables of Odd have no form in JSON"):
        Schema(Odd)


def test_stored_data_that_do_not_fit_are_a_variable_error() -> None:
    with pytest.raises(VariableError, match="as stored, variable 'total' does not fit Order"):
        Schema(Order).view({"total": "much"})


def test_collected_variables_of_a_model_are_lists_written_item_by_item() -> None:
    schema = Schema(Order, frozenset(["lines"]))
    start = schema.initial({})
    assert start["lines"] == []
    written = schema.updates(start, {"lines": Line(article="desk"), "total": 3})
    assert written == {
        "lines": {"article": "desk", "number": 1, "price": "0.00"},
        "total": 3.0,
    }
    with pytest.raises(VariableError, match=r"variable 'lines\.0\.number' does not fit"):
        schema.updates(start, {"lines": {"article": "desk", "number": 0}})


# -- what of a model belongs to the definition ----------------------------------------------


def test_words_for_readers_are_not_part_of_the_definition() -> None:
    class One(BaseModel):
        """An order."""

        title: str = Field("x", description="what is on the cover")
        default: int = 0

    plainly = type(
        "Two",
        (BaseModel,),
        {"__annotations__": {"title": str, "default": int}, "title": "x", "default": 0},
    )
    assert Schema(One).document() == Schema(plainly).document()
    properties = Schema(One).document()["properties"]
    assert set(properties) == {"title", "default"}
    assert properties["title"]["default"] == "x"


def test_types_defaults_and_limits_are_part_of_the_definition() -> None:
    def model(annotation: Any, default: Any) -> type[BaseModel]:
        parts = {"__annotations__": {"n": annotation}, "n": default}
        return type("M", (BaseModel,), parts)

    documents = [
        json.dumps(Schema(model(annotation, default)).document(), sort_keys=True)
        for annotation, default in [
            (int, 1), (int, 2), (float, 1.0), (int | None, 1), (int, Field(1, ge=0)),
            (list[int], [1, 2]), (list[int], [2, 1]), (set[int], {1, 2}), (set[int], {1}),
        ]
    ]  # fmt: skip
    assert len(set(documents)) == len(documents)


# -- concurrent writes ----------------------------------------------------------------------


@pytest.mark.promise("FLOW-7")
def test_different_values_are_a_conflict_that_names_the_variable() -> None:
    with pytest.raises(VariableConflict, match="variable 'total' was written as 1 and, concurr"):
        settle(error_on_conflict, "total", 1, 2)
    assert settle(error_on_conflict, "total", [1], [1]) == [1]


@pytest.mark.promise("FLOW-7")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (last_wins, 2),
        (reduce("max(old, new)"), 5),
        (reduce("min(old, new)"), 2),
        (reduce("old + new"), 7),
        (reduce("[old, new]"), [5, 2]),
        (reduce("(old, new)"), [5, 2]),
        (reduce("old if old > 3 else new"), 5),
        (reduce("0"), 0),
    ],
)
def test_a_policy_settles_them(policy: Policy, expected: object) -> None:
    found = settle(policy, "n", 5, 2)
    assert found == expected
    assert type(found) is type(expected)


def test_a_reduction_that_fails_says_so() -> None:
    with pytest.raises(GuardError, match="'old / new' failed: ZeroDivisionError"):
        settle(reduce("old / new"), "n", 1, 0)
    with pytest.raises(VariableError, match="variable 'n' is a float and cannot be stored"):
        settle(reduce("old * new"), "n", 1e200, 1e200)


def test_a_reduction_speaks_of_old_and_new_only() -> None:
    with pytest.raises(DefinitionError, match="speaks of 'total'; it may use `old` and `new`"):
        reduce("old + total")
    with pytest.raises(GuardError, match="cannot be read"):
        reduce("old +")
    with pytest.raises(GuardError, match="only these functions"):
        reduce("open(old)")
    with pytest.raises(DefinitionError, match="takes a text, such as 'max"):
        reduce(max)


def test_policies_say_what_they_are() -> None:
    assert [str(p) for p in (error_on_conflict, last_wins, collect, reduce("old"))] == [
        "error", "last", "collect", "reduce('old')",
    ]  # fmt: skip
