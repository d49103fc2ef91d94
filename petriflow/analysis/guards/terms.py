"""The guard language over values that are not known: what an expression can be, case by case.

A value is a list of cases, each a condition and a term, of which just one holds. What z3 cannot say
exactly (a rounded product, a text made of a number) becomes a new unknown about which only true
things are said. So everything that can happen is among the cases, and what is proved impossible
here is impossible; whatever is found possible must still be tried with the real guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import product
from math import isfinite, prod
from typing import Any, Literal

Kind = Literal["bool", "int", "float", "decimal", "str"]
#: z3 ships no types: a formula, a number or a text of its.
Formula = Any

#: From here on a real number is no float any more: it rounds to infinity.
TOO_LARGE = Fraction(2**1024 - 2**970)
#: How far a rounded result may be off, more than it ever is: relative to it, and in all.
SLACK = {
    "float": (Fraction(1, 2**52), Fraction(1, 2**200)),
    "decimal": (Fraction(1, 10**27), Fraction(1, 10**200)),  # Python's default context
}
#: In how many cases an operation may fall before it is given up.
MOST_CASES = 400
#: z3 knows characters up to 0x2ffff only; below this there is room above every one in a guard.
MOST_CHARACTER = 0xFFFF


@dataclass(frozen=True, slots=True)
class Known:
    """A value of Python; all that is done with known values is done by Python itself."""

    value: Any


@dataclass(frozen=True, slots=True)
class Symbol:
    """A value of just this type (of Python's), as a formula: a real number also for floats.

    `size` is what a number never exceeds, in either direction; `None` if that is not known. Where
    it is, limits need not be asked for that are far away, which z3 is slow to see.
    """

    kind: Kind
    expr: Formula
    size: Fraction | int | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A list of which only the length is known."""

    length: Formula


@dataclass(frozen=True, slots=True)
class Record:
    """An instance of a pydantic model, whose fields are values; `key` tells it from others."""

    key: str
    cls: type
    attribute: Callable[[str], Value]


@dataclass(frozen=True, slots=True)
class Row:
    """A list or tuple written in the guard."""

    made: type
    parts: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """The evaluation raises."""

    why: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """Any value at all, the same wherever `key` is the same; `why` says what is not understood."""

    key: str
    why: str


Term = Known | Symbol | Items | Record | Row | Failure | Opaque
Case = tuple[Formula, Term]
Value = list[Case]

#: One value of each type, for questions whose answer is the same for all of them.
_ANY = {"bool": True, "int": 1, "float": 1.0, "decimal": Decimal(1), "str": "a"}


class Logic:
    """z3 in a context of its own, and the facts about the unknowns that were made.

    Raises:
        ImportError: z3 is not installed.
    """

    def __init__(self) -> None:
        import z3

        self.z3 = z3
        self.ctx = z3.Context()
        self.yes, self.no = z3.BoolVal(True, self.ctx), z3.BoolVal(False, self.ctx)
        #: what holds of the unknowns, whatever else is asked
        self.facts: list[Formula] = []
        #: what was met and is not understood
        self.unclear: dict[str, None] = {}
        self._rounded: dict[tuple[str, int, int | None], tuple[Formula, Formula]] = {}

    def all(self, *conditions: Formula) -> Formula:
        """All of them; kept small, since most conditions are trivial."""
        left = [c for c in conditions if not self.z3.is_true(c)]
        if any(map(self.z3.is_false, left)):
            return self.no
        return self.yes if not left else left[0] if len(left) == 1 else self.z3.And(left)

    def any(self, *conditions: Formula) -> Formula:
        """Some of them."""
        return self.negate(self.all(*map(self.negate, conditions)))

    def negate(self, condition: Formula) -> Formula:
        """Not this."""
        if self.z3.is_true(condition):
            return self.no
        if self.z3.is_false(condition):
            return self.yes
        return condition.arg(0) if self.z3.is_not(condition) else self.z3.Not(condition)

    def choose(self, condition: Formula, then: Formula, otherwise: Formula) -> Formula:
        """The one formula or the other."""
        return self.z3.If(condition, then, otherwise)

    def integer(self, number: int) -> Formula:
        """A whole number."""
        return self.z3.IntVal(number, self.ctx)

    def real(self, number: Fraction | int) -> Formula:
        """A real number."""
        return self.z3.RealVal(str(Fraction(number)), self.ctx)

    def text(self, text: str) -> Formula:
        r"""A text; z3 would take a written `\u{41}` for an A."""
        return self.z3.StringVal(text.replace("\\", "\\u{5c}"), self.ctx)

    def unknown(self, kind: Kind, name: str) -> Symbol:
        """An unknown of this type; of one name there is one."""
        z3 = self.z3
        make = {"bool": z3.Bool, "int": z3.Int, "float": z3.Real, "decimal": z3.Real}
        return Symbol(kind, make.get(kind, z3.String)(name, self.ctx))

    def rounded(
        self,
        kind: Literal["float", "decimal"],
        exact: Formula,
        size: Fraction | int | None,
        digits: int | None = None,
    ) -> Symbol:
        """What a result becomes when it is rounded (to so many digits, or as far as its type must):
        near, of the same sign, and always the same.
        """
        key = kind, exact.get_id(), digits
        if key not in self._rounded:
            near = self.unknown(kind, f"{kind}#{len(self._rounded)}")
            relative, absolute = map(self.real, SLACK[kind])
            length = self.choose(exact < 0, -exact, exact)
            off = length * relative + (
                absolute if digits is None else self.real(Fraction(1, 10**digits))
            )
            self.facts += [
                near.expr <= exact + off,
                near.expr >= exact - off,
                self.z3.Implies(exact >= 0, near.expr >= 0),
                self.z3.Implies(exact <= 0, near.expr <= 0),
            ]
            self._rounded[key] = exact, near.expr  # the number is the key only while it is kept
        return Symbol(kind, self._rounded[key][1], None if size is None else 2 * size + 1)

    # -- terms ------------------------------------------------------------------------------

    def symbol(self, term: Term) -> Symbol | None:
        """The term as a formula; `None` if it is no finite number and no plain text."""
        if isinstance(term, Symbol):
            return term
        value = term.value if isinstance(term, Known) else None
        match value:
            case bool():
                return Symbol("bool", self.yes if value else self.no)
            case int() if _behaves_like(value, int):
                return Symbol("int", self.integer(int(value)), abs(int(value)))
            case float() if isfinite(value) and _behaves_like(value, float):
                return Symbol("float", self.real(Fraction(value)), abs(Fraction(value)))
            case Decimal() if value.is_finite() and abs(value.adjusted()) < 1000:
                return Symbol("decimal", self.real(Fraction(value)), abs(Fraction(value)))
            case str() if _behaves_like(value, str) and all(
                ord(c) <= MOST_CHARACTER for c in value
            ):
                return Symbol("str", self.text(str.__str__(value)))
        return None

    def whole(self, symbol: Symbol) -> Symbol:
        """A number of type int or bool as a whole number."""
        if symbol.kind == "bool":
            return Symbol("int", self.choose(symbol.expr, self.integer(1), self.integer(0)), 1)
        return symbol

    def exact(self, symbol: Symbol) -> Formula:
        """A number as a real number."""
        if symbol.kind in ("bool", "int"):
            return self.z3.ToReal(self.whole(symbol).expr)
        return symbol.expr

    def truth(self, term: Term) -> Value:
        """`bool(term)`, as cases of true, false and failure."""
        match term:
            case Known(value):
                return [(self.yes, concrete(bool, value))]
            case Symbol("bool"):
                return [(self.yes, term)]
            case Symbol("str", expr):
                return [(self.yes, Symbol("bool", expr != self.text("")))]
            case Symbol(_, expr):
                return [(self.yes, Symbol("bool", expr != 0))]
            case Items(length):
                return [(self.yes, Symbol("bool", length > 0))]
            case Row(_, parts):
                return [(self.yes, Known(bool(parts)))]
            case Record(_, cls) if not (hasattr(cls, "__bool__") or hasattr(cls, "__len__")):
                return [(self.yes, Known(True))]
            case Record(key, cls):
                why = f"whether a {cls.__name__} counts as true is not known"
                return self.opaque_truth(key, why)
            case Opaque(key, why):
                return self.opaque_truth(key, why)
            case Failure():
                return [(self.yes, term)]

    def opaque(self, key: str, why: str) -> Value:
        """A result that is not understood: it may be anything, or fail."""
        self.unclear[why] = None
        fails = self.z3.Bool(f"fails#{key}", self.ctx)
        return [(fails, Failure(why)), (self.negate(fails), Opaque(key, why))]

    def opaque_truth(self, key: str, why: str) -> Value:
        """The truth of a value that is not understood."""
        (fails, failure), (works, _) = self.opaque(f"bool({key})", why)
        return [(fails, failure), (works, Symbol("bool", self.z3.Bool(f"true#{key}", self.ctx)))]

    # -- cases ------------------------------------------------------------------------------

    def merged(self, cases: Iterable[Case]) -> Value:
        """The same with as few cases as can be: one for all truth values, one for each type."""
        found: dict[object, Case] = {}
        for condition, term in cases:
            if self.z3.is_false(condition):
                continue
            key, small = self._alike(term)
            if key not in found:
                found[key] = condition, small
                continue
            before, other = found[key]
            if isinstance(small, Symbol) and isinstance(other, Symbol):
                expr = self.choose(condition, small.expr, other.expr)
                size = largest(small.size, other.size)
                other = other if small.expr.eq(other.expr) else Symbol(small.kind, expr, size)
            found[key] = self.any(before, condition), other
        return list(found.values())

    def _alike(self, term: Term) -> tuple[object, Term]:
        match term:
            case Known(bool()):
                return "bool", self.symbol(term) or term
            case Symbol(kind):
                return kind, term
            case Known(value) if isinstance(value, int | float | str | None):
                return (type(value), repr(value)), term
            case Failure():
                return Failure, term
            case Opaque(key):
                return (Opaque, key), term
            case _:
                return id(term), term

    def each(self, key: str, values: Iterable[Value], of: Callable[..., Value]) -> Value:
        """A function of terms, on values: in each case, unless a term fails in it already."""
        given = list(values)
        if prod(map(len, given)) > MOST_CASES:
            return self.opaque(key, f"there are too many cases in {key!r}")
        found: list[Case] = []
        for cases in product(*given):
            condition = self.all(*(c for c, _ in cases))
            failed = [term for _, term in cases if isinstance(term, Failure)]
            if self.z3.is_false(condition):
                continue
            results = [(self.yes, failed[0])] if failed else of(*(term for _, term in cases))
            found += [(self.all(condition, c), term) for c, term in results]
        return self.merged(found)

    def one(self, term: Term) -> Value:
        """A value that is just this."""
        return [(self.yes, term)]

    def when(self, condition: Formula, failure: str, otherwise: Value) -> Value:
        """A failure on a condition, else a value."""
        works = self.negate(condition)
        rest = [(self.all(works, c), term) for c, term in otherwise]
        return [(condition, Failure(failure)), *rest]

    def truths(self, value: Value) -> list[tuple[Formula, Formula | None, Term]]:
        """The cases of a value: the condition, its truth (`None` where asking fails), the term."""
        found: list[tuple[Formula, Formula | None, Term]] = []
        for condition, term in value:
            for under, truth in self.truth(term):
                symbol = self.symbol(truth)
                found.append(
                    (self.all(condition, under), symbol and symbol.expr,
                     term if symbol else truth)
                )  # fmt: skip
        return found

    def branch(self, test: Value, then: Value, otherwise: Value) -> Value:
        """The one value where the test is true, and the other where it is false."""
        found: list[Case] = []
        for condition, truth, term in self.truths(test):
            if truth is None:
                found.append((condition, term))
                continue
            for way, value in ((truth, then), (self.negate(truth), otherwise)):
                found += [(self.all(condition, way, c), t) for c, t in value]
        return self.merged(found)

    def opposite(self, value: Value) -> Value:
        """`not value`."""
        return self.merged(
            (condition, term if truth is None else Symbol("bool", self.negate(truth)))
            for condition, truth, term in self.truths(value)
        )


def largest(*sizes: Fraction | int | None) -> Fraction | int | None:
    """The largest of some sizes, if all are known."""
    return max((s for s in sizes if s is not None), default=None) if None not in sizes else None


def concrete(function: Callable[..., Any], *values: Any) -> Term:
    """What Python itself makes of known values."""
    try:
        return Known(function(*values))
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}")


def by_type(function: Callable[..., Any], *terms: Term) -> Term | None:
    """The result where it depends on the types alone, as between a number and a text, or between
    any number and infinity; `None` where it may depend on more.
    """
    families = [_family(term) for term in terms]
    if "" in families or len(set(families)) < len(families):
        return None
    return concrete(function, *(_ANY.get(getattr(t, "kind", ""), _example(t)) for t in terms))


def _family(term: Term) -> str:
    match term:
        case Symbol("str"):
            return "text"
        case Symbol():
            return "number"
        case Items():
            return "list"
        case Row(made):
            return made.__name__
        case Known(value):
            if isinstance(value, float | Decimal) and not isfinite(value):
                return repr(value)
            if isinstance(value, str) and _behaves_like(value, str):
                return "text"
            if isinstance(value, Enum):
                return "enum" if type(value).__eq__ is object.__eq__ else ""
            kinds = {type(None): "none", list: "list", tuple: "tuple"}
            number = type(value) in (bool, int, float, Decimal)
            return "number" if number else kinds.get(type(value), "")
        case _:
            return ""


def _example(term: Term) -> Any:
    match term:
        case Known(value):
            return value
        case Row(made):
            return made([1])
        case _:
            return [1]


def _behaves_like(value: Any, kind: type) -> bool:
    """Whether it is compared as a plain value of this type: as the members of a StrEnum are."""
    same = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")
    return all(getattr(type(value), method) is getattr(kind, method) for method in same)
