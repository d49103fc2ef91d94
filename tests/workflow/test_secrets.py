"""Secret variables: which they are, how they are stored, and what is found of them in a text."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr, field_validator

from petriflow import Workflow, last_wins, reduce, secret
from petriflow.net.errors import DefinitionError, GuardError, VariableConflict, VariableError
from petriflow.workflow.secrets import covered, hidden
from petriflow.workflow.variables import Schema, error_on_conflict, settle


class Card(BaseModel):
    number: SecretStr
    year: int = 2030


class Person(BaseModel):
    name: str
    next: Person | None = None


class Account(BaseModel):
    user: str = "ada"
    password: Annotated[str, secret] = ""
    pin: Annotated[int, secret] = 0
    card: Card | None = None
    cards: list[Card] = []
    token: SecretBytes | None = None
    born: Secret[date] | None = None
    friend: Person | None = None


def test_secret_are_those_that_are_marked_and_those_that_hold_something_secret() -> None:
    names = {"password", "pin", "card", "cards", "token", "born"}
    assert Schema(Account).secret == names
    assert Schema(Account, hiding=frozenset({"user"})).secret == names | {"user"}
    assert Schema(None, hiding=frozenset({"user"})).secret == {"user"}
    assert Schema(Person).secret == frozenset()


def test_secrets_come_back_from_the_store_as_they_were() -> None:
    schema = Schema(Account)
    card = {"number": "4111-1111", "year": 2031}
    given = {"card": card, "cards": [card], "token": b"to ken", "born": date(2000, 1, 2)}
    data = schema.initial({"password": "swordfish", **given})
    assert data["card"] == card
    assert (data["token"], data["born"]) == ("to ken", "2000-01-02")
    view = schema.view(data)
    assert view.cards[0].number.get_secret_value() == "4111-1111"
    assert view.born.get_secret_value() == date(2000, 1, 2)
    updates = schema.updates(data, {"card": Card(number=SecretStr("5500"))})
    assert updates == {"card": {"number": "5500", "year": 2030}}


def test_the_definition_says_which_are_secret_and_only_where_some_are() -> None:
    def body(case: Any) -> None: ...

    assert "secret" not in Workflow("w", body).document()
    open_, closed = Workflow("w", body), Workflow("w", body, secret=["b", "a"])
    assert closed.document()["secret"] == ["a", "b"]
    assert open_.content_hash != closed.content_hash
    assert Workflow("w", body, variables=Account).document()["secret"][0] == "born"


def test_names_that_cannot_be_secret_are_refused() -> None:
    def body(case: Any) -> None: ...

    for given in ("password", [1], 7):
        with pytest.raises(DefinitionError, match=r"is no list of names, such as \['password'\]"):
            Workflow("w", body, secret=given)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="'pasword', which is not declared in Account"):
        Workflow("w", body, variables=Account, secret=["pasword"])


@pytest.mark.parametrize(
    "value",
    ["swordfish", 'o\'brien and "sons"', "back\\slash", "two\nlines", "schlüssel", 12345, 1.25e8],
)
def test_a_value_is_found_in_whichever_way_it_is_quoted(value: Any) -> None:
    import json

    quotes = [f"{value}", f"{value!r}", f"{ {'x': value} }", json.dumps({"x": value})]
    for text in quotes:
        found = covered(f"login failed for {text} here", [value])
        assert "***" in found
        assert str(value) not in found
        assert found.startswith("login failed for ")


def test_values_inside_lists_mappings_and_models_are_found() -> None:
    values = [{"a": ["sword"], "b": {"c": ("fish1", None, True)}}, Card(number=SecretStr("4111"))]
    assert (
        covered("sword, fish1, 4111, 2030, None, True", values) == "***, ***, ***, ***, None, True"
    )
    assert covered("the longer swordfish first", ["sword", "swordfish"]) == "the longer *** first"
    assert covered("a no b", ["no"]) == "a no b"  # too short to be told from other words


def test_what_stands_under_a_secret_name_is_hidden_however_deep() -> None:
    data = {"a": {"password": {"x": 1}, "b": [{"password": "y"}]}, "c": 1}
    assert hidden(data, {"password"}) == {
        "a": {"password": "***", "b": [{"password": "***"}]},
        "c": 1,
    }


def test_errors_about_variables_do_not_quote_secrets() -> None:
    class Strict(BaseModel):
        password: Annotated[str, secret] = ""

        @field_validator("password")
        @classmethod
        def long(cls, value: str) -> str:
            if len(value) > 9:
                raise ValueError(f"{value!r} is too long")
            return value

    schema = Schema(Strict)
    with pytest.raises(VariableError, match=r"'password' does not fit Strict: .* '\*\*\*' is too"):
        schema.initial({"password": "swordfish 2"})
    with pytest.raises(VariableError, match="'\\*\\*\\*' is too long"):
        schema.updates({"password": ""}, {"password": "swordfish 2"})
    with pytest.raises(VariableError, match="'\\*\\*\\*' is too long"):
        schema.view({"password": "swordfish 2"})
    loose = Schema(None, frozenset({"all"}), frozenset({"all"}))
    with pytest.raises(VariableError, match="begins as a list, not as '\\*\\*\\*'"):
        loose.initial({"all": "swordfish"})


def test_errors_about_conflicts_do_not_quote_secrets() -> None:
    def body(case: Any) -> None: ...

    assert Workflow("w", body).policy("a") == error_on_conflict
    flow = Workflow("w", body, merge={"b": reduce("old + new"), "c": last_wins}, secret=["a", "b"])
    with pytest.raises(VariableConflict, match=r"written as \*\*\* and, concurrently, as \*\*\*"):
        settle(flow.policy("a"), "a", "x", "y")
    with pytest.raises(GuardError) as failed:
        settle(flow.policy("b"), "b", "swordfish", 12345)
    assert "swordfish" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert settle(flow.policy("c"), "c", 1, 2) == 2
