"""What the operators of the guard language do to terms of which not everything is known.

Each follows Python to the letter, with the limits that petriflow/workflow/guard.py sets, or says
that it does not know.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from petriflow.analysis.guard_terms import (
    TOO_LARGE,
    Failure,
    Formula,
    Items,
    Known,
    Logic,
    Opaque,
    Row,
    Symbol,
    Term,
    Value,
    by_type,
    concrete,
)
from petriflow.workflow.guard import MOST_BITS, OPERATORS

#: A text that is put together may be this long (simpleeval's limit).
MOST_TEXT = 100_000
#: Powers up to here are written as products.
MOST_POWER = 8


@dataclass(frozen=True, slots=True)
class Operations:
    """The operators, on terms that do not fail.

    `key` names what is computed; a result that is not understood is the same wherever its key is.
    """

    logic: Logic

    def _unknown(self, key: str, function: Callable[..., Any], *terms: Term) -> Value:
        """The result of an operator that follows from the types alone, or anything."""
        match by_type(function, *terms):
            case Failure() | Known(bool()) as result:
                return self.logic.one(result)
        return self.unclear(key)

    def unclear(self, key: str) -> Value:
        """Anything, or a failure."""
        return self.logic.opaque(key, f"{key.partition(':')[2]!r} is not understood")

    def plain(self, term: Term) -> Symbol | None:
        """The term as a formula to compute with; the members of an Enum are only compared."""
        if isinstance(term, Known) and isinstance(term.value, Enum):
            return None
        return self.logic.symbol(term)

    def compare(self, key: str, op: type[ast.cmpop], left: Term, right: Term) -> Value:
        """`left op right`, on two terms that do not fail."""
        function = _function(op)
        if isinstance(left, Opaque) or isinstance(right, Opaque):
            why = left.why if isinstance(left, Opaque) else getattr(right, "why", "")
            return self.logic.opaque(key, why)
        if op in (ast.NotIn, ast.IsNot):
            opposite = ast.In if op is ast.NotIn else ast.Is
            return self.logic.opposite(self.compare(key, opposite, left, right))
        if op is ast.Is:
            return self._is(key, left, right)
        if isinstance(left, Known) and isinstance(right, Known):
            return self.logic.one(concrete(function, left.value, right.value))
        if op is ast.In:
            return self._in(key, left, right)
        a, b = self.logic.symbol(left), self.logic.symbol(right)
        if a and b and (a.kind == "str") == (b.kind == "str"):
            whole = {a.kind, b.kind} <= {"bool", "int"}
            measure = self.logic.whole if whole else self.logic.exact
            one, other = (a.expr, b.expr) if a.kind == "str" else (measure(a), measure(b))
            return self.logic.one(Symbol("bool", function(one, other)))
        if op in (ast.Eq, ast.NotEq):
            for items, empty in ((left, right), (right, left)):
                if isinstance(items, Items) and empty == Known([]):
                    return self.logic.one(Symbol("bool", function(items.length, 0)))
        return self._unknown(key, function, left, right)

    def _is(self, key: str, left: Term, right: Term) -> Value:
        """Of `None`, `True` and `False` there is one each; of other values nothing is promised."""
        for only, other in ((left, right), (right, left)):
            if isinstance(only, Known) and (only.value is None or isinstance(only.value, bool)):
                truth = self.logic.symbol(other) if only.value is not None else None
                if truth and truth.kind == "bool":
                    same = truth.expr if only.value else self.logic.negate(truth.expr)
                    return self.logic.one(Symbol("bool", same))
                return self.logic.one(Known(isinstance(other, Known) and only.value is other.value))
        return self.logic.opaque(
            key, f"{key.partition(':')[2]!r}: `is` is for None, True and False"
        )

    def _in(self, key: str, item: Term, holder: Term) -> Value:
        match holder:
            case Known(list() | tuple() as values):
                parts: tuple[Term, ...] = tuple(map(Known, values))
            case Row(_, parts):
                pass
            case _:
                text, part = self.logic.symbol(holder), self.logic.symbol(item)
                if text and part and text.kind == part.kind == "str":
                    found = self.logic.z3.Contains(text.expr, part.expr)
                    return self.logic.one(Symbol("bool", found))
                if isinstance(holder, Items):
                    return self.unclear(key)
                return self._unknown(key, _function(ast.In), item, holder)
        value: Value = self.logic.one(Known(False))
        for n, one in enumerate(reversed(parts)):
            equal = self.compare(f"{key}#{n}", ast.Eq, item, one)
            value = self.logic.branch(equal, self.logic.one(Known(True)), value)
        return value

    def sign(self, op: type[ast.unaryop], key: str, term: Term) -> Value:
        """`-term` or `+term`."""
        if isinstance(term, Known):
            return self.logic.one(concrete(_function(op), term.value))
        symbol = self.plain(term)
        if symbol is None or symbol.kind == "str":
            return self._unknown(key, _function(op), term)
        minus = op is ast.USub
        if symbol.kind in ("bool", "int"):
            whole = self.logic.whole(symbol)
            return self.logic.one(Symbol("int", -whole if minus else whole))
        if symbol.kind == "float":
            return self.logic.one(Symbol("float", -symbol.expr if minus else symbol.expr))
        return self.rounded(key, "decimal", -symbol.expr if minus else symbol.expr)

    def arithmetic(self, op: type[ast.operator], key: str, left: Term, right: Term) -> Value:
        """`left op right`, for the operators that compute."""
        function = _function(op)
        if isinstance(left, Known) and isinstance(right, Known):
            return self.logic.one(concrete(function, left.value, right.value))
        a, b = self.plain(left), self.plain(right)
        if not a or not b:
            return self._unknown(key, function, left, right)
        kinds = {a.kind, b.kind}
        if kinds <= {"bool", "int"}:
            return self._whole(op, key, self.logic.whole(a), self.logic.whole(b), right)
        if kinds == {"str"} and op is ast.Add:
            length = self.logic.z3.Length
            joined = Symbol("str", self.logic.z3.Concat(a.expr, b.expr))
            too_long = length(a.expr) + length(b.expr) > MOST_TEXT
            return self.logic.when(too_long, "the text is too long", self.logic.one(joined))
        if "str" in kinds:
            return self._unknown(key, function, left, right)
        if kinds == {"decimal", "float"}:
            return self.logic.one(Failure("TypeError: Decimal and float do not mix"))
        if "decimal" in kinds:
            return self._real(op, key, "decimal", self.logic.exact(a), self.logic.exact(b))

        def floats(one: Symbol, other: Symbol) -> Value:
            return self._real(op, key, "float", one.expr, other.expr)

        return self.logic.each(key, [self.as_float(key, a), self.as_float(key, b)], floats)

    def _real(self, op: type[ast.operator], key: str, kind: Any, a: Formula, b: Formula) -> Value:
        if op is ast.Add:
            return self.rounded(key, kind, a + b)
        if op is ast.Sub:
            return self.rounded(key, kind, a - b)
        if op is ast.Mult:
            return self.rounded(key, kind, a * b)
        if op is ast.Div:
            return self.logic.when(b == 0, "ZeroDivisionError", self.rounded(key, kind, a / b))
        return self.logic.opaque(key, f"{key.partition(':')[2]!r} is rounded in a way of its own")

    def rounded(self, key: str, kind: Any, exact: Formula) -> Value:
        """A result that is rounded to a float or a Decimal; if too large, what it becomes then."""
        logic, limit = self.logic, self.logic.real(TOO_LARGE)
        high, low = exact >= limit, exact <= -limit
        fits = logic.all(exact < limit, exact > -limit)
        near = (fits, logic.rounded(kind, exact))
        if kind == "float":
            return [near, (high, Known(float("inf"))), (low, Known(float("-inf")))]
        large = logic.opaque(key, "a Decimal may be too large")
        return [near, *((logic.all(logic.any(high, low), c), term) for c, term in large)]

    def as_float(self, key: str, number: Symbol) -> Value:
        """`float(number)`, of a whole number or a float."""
        logic = self.logic
        if number.kind == "float":
            return self.logic.one(number)
        whole, exact = logic.whole(number), logic.exact(number)
        near = logic.rounded("float", exact)
        safe = logic.all(whole <= 2**53, whole >= -(2**53))
        logic.facts.append(logic.z3.Implies(safe, near.expr == exact))
        limit = logic.real(TOO_LARGE)
        large = logic.any(exact >= limit, exact <= -limit)
        return self.logic.when(
            large, "OverflowError: int too large for a float", self.logic.one(near)
        )

    def _whole(
        self, op: type[ast.operator], key: str, a: Formula, b: Formula, right: Term
    ) -> Value:
        """Arithmetic on whole numbers, which are as long as the language lets them be."""
        logic = self.logic
        zero = partial(self.logic.when, b == 0, "ZeroDivisionError: division by zero")
        # z3 rounds so that the rest is never negative, Python so that it has the divisor's sign
        down = logic.choose(b > 0, a / b, (-a) / (-b))
        if op is ast.Add:
            return self.logic.one(Symbol("int", a + b))
        if op is ast.Sub:
            return self.logic.one(Symbol("int", a - b))
        if op is ast.Mult:
            return self._product(key, a, b)
        if op is ast.FloorDiv:
            return zero(self.logic.one(Symbol("int", down)))
        if op is ast.Mod:
            rest = logic.choose(b > 0, a % b, -((-a) % (-b)))
            return zero(self.logic.one(Symbol("int", rest)))
        if op is ast.Div:
            exact = logic.z3.ToReal(a) / logic.z3.ToReal(b)
            limit = logic.real(TOO_LARGE)
            large = logic.any(exact >= limit, exact <= -limit)
            near = self.logic.one(logic.rounded("float", exact))
            return zero(self.logic.when(large, "OverflowError: too large for a float", near))
        match right:
            case Known(int() as power) if op is ast.Pow and 0 < power <= MOST_POWER:
                result = a
                for _ in range(power - 1):
                    result = result * a
                large = self._longer_than(a, MOST_BITS // power)
                return self.logic.when(
                    large, "the number is too large", self.logic.one(Symbol("int", result))
                )
        return self.unclear(key)

    def _product(self, key: str, a: Formula, b: Formula) -> Value:
        """Two factors may have MOST_BITS bits together."""
        logic, half = self.logic, MOST_BITS // 2
        result = self.logic.one(Symbol("int", a * b))
        for one, other in ((a, b), (b, a)):
            if logic.z3.is_int_value(one):
                bits = MOST_BITS - abs(one.as_long()).bit_length()
                large = self._longer_than(other, bits)
                return self.logic.when(large, "ValueError: the number is too large", result)
        long = logic.any(self._longer_than(a, half), self._longer_than(b, half))
        short = [(logic.all(logic.negate(long), c), term) for c, term in result]
        unsure = logic.opaque(key, "the number may be too large")
        return [*short, *((logic.all(long, c), term) for c, term in unsure)]

    def _longer_than(self, number: Formula, bits: int) -> Formula:
        limit = self.logic.integer(2**bits)
        return self.logic.any(number >= limit, number <= -limit)


def _function(op: type[ast.AST]) -> Callable[..., Any]:
    """What the guard language does for an operator."""
    return OPERATORS[op]  # type: ignore[index]
