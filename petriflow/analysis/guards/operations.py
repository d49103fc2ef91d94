"""What the operators of the guard language do to terms of which not everything is known.

Each follows Python to the letter, with the limits that petriflow/workflow/guard.py sets, or says
that it does not know.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import Any, Literal

from petriflow.analysis.guards.terms import (
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

Rounded = Literal["float", "decimal"]
Size = Fraction | int | None

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
            if whole:
                a, b = self.logic.whole(a), self.logic.whole(b)
            exact = self.logic.exact
            one, other = (a.expr, b.expr) if whole or a.kind == "str" else (exact(a), exact(b))
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
        symbol = self.logic.whole(symbol)
        expr = -symbol.expr if op is ast.USub else symbol.expr
        if symbol.kind == "decimal":
            return self.rounded(key, "decimal", expr, symbol.size)
        return self.logic.one(replace(symbol, expr=expr))

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
            return self._real(op, key, "decimal", a, b)

        def floats(one: Symbol, other: Symbol) -> Value:
            return self._real(op, key, "float", one, other)

        return self.logic.each(key, [self.as_float(key, a), self.as_float(key, b)], floats)

    def _real(
        self, op: type[ast.operator], key: str, kind: Rounded, one: Symbol, other: Symbol
    ) -> Value:
        a, b = self.logic.exact(one), self.logic.exact(other)
        if op is ast.Add:
            return self.rounded(key, kind, a + b, _total(one, other))
        if op is ast.Sub:
            return self.rounded(key, kind, a - b, _total(one, other))
        if op is ast.Mult:
            return self.rounded(key, kind, a * b, _times(one, other))
        if op is ast.Div:
            quotient = self.rounded(key, kind, a / b, None)
            return self.logic.when(b == 0, "ZeroDivisionError", quotient)
        return self.logic.opaque(key, f"{key.partition(':')[2]!r} is rounded in a way of its own")

    def rounded(self, key: str, kind: Rounded, exact: Formula, size: Size) -> Value:
        """A result that is rounded to a float or a Decimal; if too large, what it becomes then."""
        logic, limit = self.logic, self.logic.real(TOO_LARGE)
        near = logic.rounded(kind, exact, size)
        if size is not None and size < TOO_LARGE:
            return logic.one(near)
        high, low = exact >= limit, exact <= -limit
        fits = logic.all(exact < limit, exact > -limit), near
        if kind == "float":
            return [fits, (high, Known(float("inf"))), (low, Known(float("-inf")))]
        large = logic.opaque(key, "a Decimal may be too large")
        return [fits, *((logic.all(logic.any(high, low), c), term) for c, term in large)]

    def as_float(self, key: str, number: Symbol) -> Value:
        """`float(number)`, of a whole number or a float."""
        logic, exact = self.logic, self.logic.exact(number)
        if number.kind == "float":
            return logic.one(number)
        whole = logic.whole(number)
        if whole.size is not None and whole.size <= 2**53:
            return logic.one(Symbol("float", exact, whole.size))
        near = logic.rounded("float", exact, whole.size)
        safe = logic.all(whole.expr <= 2**53, whole.expr >= -(2**53))
        logic.facts.append(logic.z3.Implies(safe, near.expr == exact))
        large = self._too_large(exact, whole.size)
        return logic.when(large, "OverflowError: int too large for a float", logic.one(near))

    def _too_large(self, exact: Formula, size: Size) -> Formula:
        if size is not None and size < TOO_LARGE:
            return self.logic.no
        limit = self.logic.real(TOO_LARGE)
        return self.logic.any(exact >= limit, exact <= -limit)

    def _whole(
        self, op: type[ast.operator], key: str, one: Symbol, other: Symbol, right: Term
    ) -> Value:
        """Arithmetic on whole numbers, which are as long as the language lets them be."""
        logic, a, b = self.logic, one.expr, other.expr
        zero = partial(logic.when, b == 0, "ZeroDivisionError: division by zero")
        if op is ast.Add:
            return logic.one(Symbol("int", a + b, _total(one, other)))
        if op is ast.Sub:
            return logic.one(Symbol("int", a - b, _total(one, other)))
        if op is ast.Mult:
            return self._product(key, one, other)
        # z3 rounds so that the rest is never negative, Python so that it has the divisor's sign
        if op is ast.FloorDiv:
            down = logic.choose(b > 0, a / b, (-a) / (-b))
            return zero(logic.one(Symbol("int", down, one.size)))
        if op is ast.Mod:
            rest = logic.choose(b > 0, a % b, -((-a) % (-b)))
            return zero(logic.one(Symbol("int", rest, other.size)))
        if op is ast.Div:
            exact = logic.exact(one) / logic.exact(other)
            near = logic.one(logic.rounded("float", exact, one.size))
            large = self._too_large(exact, one.size)
            return zero(logic.when(large, "OverflowError: too large for a float", near))
        match right:
            case Known(int() as power) if op is ast.Pow and 0 < power <= MOST_POWER:
                result = one
                for _ in range(power - 1):
                    result = Symbol("int", result.expr * a, _times(result, one))
                large = self._longer_than(one, MOST_BITS // power)
                return logic.when(large, "ValueError: the number is too large", logic.one(result))
        return self.unclear(key)

    def _product(self, key: str, one: Symbol, other: Symbol) -> Value:
        """Two factors may have MOST_BITS bits together."""
        logic, half = self.logic, MOST_BITS // 2
        result = logic.one(Symbol("int", one.expr * other.expr, _times(one, other)))
        for a, b in ((one, other), (other, one)):
            if logic.z3.is_int_value(a.expr):
                large = self._longer_than(b, MOST_BITS - abs(a.expr.as_long()).bit_length())
                return logic.when(large, "ValueError: the number is too large", result)
        long = logic.any(self._longer_than(one, half), self._longer_than(other, half))
        if logic.z3.is_false(long):
            return result
        short = [(logic.all(logic.negate(long), c), term) for c, term in result]
        unsure = logic.opaque(key, "the number may be too large")
        return [*short, *((logic.all(long, c), term) for c, term in unsure)]

    def _longer_than(self, number: Symbol, bits: int) -> Formula:
        if number.size is not None and number.size < 2**bits:
            return self.logic.no
        limit = self.logic.integer(2**bits)
        return self.logic.any(number.expr >= limit, number.expr <= -limit)


def _total(one: Symbol, other: Symbol) -> Size:
    return None if one.size is None or other.size is None else one.size + other.size


def _times(one: Symbol, other: Symbol) -> Size:
    return None if one.size is None or other.size is None else one.size * other.size


def _function(op: type[ast.AST]) -> Callable[..., Any]:
    """What the guard language does for an operator."""
    return OPERATORS[op]  # type: ignore[index]
