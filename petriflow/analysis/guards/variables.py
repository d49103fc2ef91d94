"""The variables of a workflow as values that are not known, and example values for them.

What a variable can be is read from pydantic's core schema, which says what validation lets
through. A constraint that is not understood is left out, so that more values are thought possible
than are; an example is tried with the model itself before it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from fractions import Fraction
from functools import partial
from math import isfinite
from typing import Any
from uuid import UUID

from petriflow.analysis.guards.terms import (
    TOO_LARGE,
    Formula,
    Items,
    Kind,
    Known,
    Logic,
    Opaque,
    Record,
    Symbol,
    Value,
)
from petriflow.net.errors import PetriflowError
from petriflow.workflow.variables import MOST_BITS, Data, Schema

Core = Mapping[str, Any]
#: Reads a value, as JSON, from a model of z3.
Read = Callable[[Any], Any]

#: How deep types may hold each other before the rest is opaque.
DEEPEST = 8
#: What is tried for a variable of a type that is not understood.
SAMPLES: tuple[Any, ...] = (
    None, False, 0, "", "a", [], {}, "2024-01-31", "2024-01-31T12:00:00Z", "12:00:00", "PT1H",
    "00000000-0000-4000-8000-000000000000", "https://example.com", "a@example.com",
)  # fmt: skip
#: Types of which no more is understood than that their values are of them.
PLAIN = {
    "date": date, "datetime": datetime, "time": time, "timedelta": timedelta, "uuid": UUID,
    "dict": dict, "set": set, "frozenset": frozenset, "tuple": tuple, "bytes": bytes,
}  # fmt: skip
#: Limits within which an example is easy to read.
SIZE, LENGTH = 1000, 8


class NoExample(PetriflowError):
    """No example value could be made; the reason is the argument."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A variable: what it can be, and how an example of it is read from a model of z3."""

    value: Value
    read: Read


@dataclass
class Variables:
    """The variables at one moment, which `name` tells from other moments."""

    logic: Logic
    schema: Schema
    name: str
    #: what is easy to read in an example
    nice: list[Formula] = field(default_factory=list)
    #: the unknowns that an example gives values to
    unknowns: list[Formula] = field(default_factory=list)
    _types: dict[str, Core] = field(default_factory=dict)
    _shapes: dict[str, Shape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._fields: Mapping[str, Core] = {}
        self._fault = "the workflow declares no types"
        if self.schema.model is not None:
            try:
                core = self._inner(self.schema.model.__pydantic_core_schema__)
                self._fields, self._fault = self._fields_of(core)
            except (AttributeError, KeyError) as error:  # a model that is not complete
                self._fault = f"the model's types are not known: {error}"
        for name, core in self._fields.items():  # an example needs them all
            if core["schema"]["type"] != "default":
                self._shape(name)

    def __call__(self, name: str) -> Value:
        """What the variable can be."""
        if self._fault:
            return self._opaque(name, self._fault).value
        return self._shape(name).value

    def example(self, model: Any) -> Data:
        """The variables as a case would store them, for a model of z3.

        Raises:
            NoExample: a variable must be given, and no value was found for it.
        """
        return {name: shape.read(model) for name, shape in self._shapes.items()}

    def _shape(self, name: str) -> Shape:
        if name not in self._shapes:
            known = self._fields[name]
            self._shapes[name] = self._field(known, f"{self.name}{name}", self.logic.yes, 0)
        return self._shapes[name]

    # -- types ------------------------------------------------------------------------------

    def _inner(self, core: Core) -> Core:
        """The type itself, where others are defined beside it or it is defined elsewhere."""
        while core["type"] in ("definitions", "definition-ref", "default", "function-before"):
            if core["type"] == "definitions":
                self._types |= {c["ref"]: c for c in core["definitions"]}
            elif core.get("on_error", "raise") != "raise":
                break  # then the default is taken as it is, whatever it is
            reference = core["type"] == "definition-ref"
            core = self._types[core["schema_ref"]] if reference else core["schema"]
        return core

    def _fields_of(self, core: Core) -> tuple[Mapping[str, Core], str]:
        """The fields of a model, and why nothing is known of them (nothing, if it is known)."""
        if core["type"].startswith("function-"):
            return {}, "a validator of the whole model may change the values"
        if core["type"] != "model" or core["schema"]["type"] != "model-fields":
            return {}, "the variables are no plain model"
        name = core["cls"].__name__
        if core.get("post_init") or core.get("custom_init") or core.get("root_model"):
            return {}, f"{name} makes its values itself"
        if core["cls"].model_config.get("ser_json_inf_nan") == "strings":
            return {}, f"{name} may hold infinite numbers"
        return core["schema"]["fields"], ""

    def _field(self, known: Core, path: str, given: Formula, depth: int) -> Shape:
        if known.get("serialization_exclude"):  # it is not stored, and so always its default
            return self._opaque(path, f"{path!r} is not stored")
        return self._of(known["schema"], path, given, depth)

    def _of(self, core: Core, path: str, given: Formula, depth: int) -> Shape:
        """A value of this type; what is said of it holds where `given` does."""
        core, whole = self._inner(core), core
        here = _said(path)
        if depth > DEEPEST:
            return self._opaque(path, f"the type of {here} goes too deep", whole)
        match core["type"]:
            case "bool":
                return self._symbol(self.logic.unknown("bool", path), [], bool)
            case "int":
                return self._number("int", core, path, given)
            case "float":
                return self._number("float", core, path, given)
            case "decimal" if not core.get("allow_inf_nan"):
                return self._number("decimal", core, path, given)
            case "str":
                return self._text(core, path, given)
            case "none":
                return self._among([None], path, given)
            case "literal":
                return self._among(core["expected"], path, given)
            case "enum" if not (core.get("missing") or issubclass(core["cls"], Flag)):
                return self._among(core["members"], path, given)
            case "nullable":
                return self._one_of([{"type": "none"}, core["schema"]], path, given, depth)
            case "union":
                ways = [c[0] if isinstance(c, tuple) else c for c in core["choices"]]
                return self._one_of(ways, path, given, depth)
            case "tagged-union":
                ways = [c for c in core["choices"].values() if not isinstance(c, str)]
                return self._one_of(ways, path, given, depth)
            case "list":
                return self._list(core, path, given, depth)
            case "model":
                fields, fault = self._fields_of(core)
                if not fault:
                    return self._record(core["cls"], fields, path, given, depth)
                return self._opaque(path, fault, whole)
            case "function-after" | "function-wrap" | "function-plain":
                return self._opaque(path, f"a validator may change {here}", whole)
            case kind if kind in PLAIN:
                return self._plain(PLAIN[kind], path, whole)
            case kind:
                return self._opaque(
                    path, f"{here} has a type that is not understood ({kind})", whole
                )

    def _say(self, given: Formula, *facts: Formula) -> None:
        self.logic.facts += [self.logic.z3.Implies(given, fact) for fact in facts]

    def _symbol(self, symbol: Symbol, nice: list[Formula], read: Read) -> Shape:
        self.unknowns.append(symbol.expr)
        self.nice += nice
        return Shape(self.logic.one(symbol), lambda m: read(python(m, symbol.expr)))

    def _number(self, kind: Kind, core: Core, path: str, given: Formula) -> Shape:
        expr, real = self.logic.unknown(kind, path).expr, self.logic.real
        bounds: dict[str, Fraction] = {}
        for name in ("gt", "ge", "lt", "le"):
            bound = core.get(name)
            if isinstance(bound, int) or (bound is not None and isfinite(bound)):
                bounds[name] = Fraction(bound)
        within: dict[str, Callable[[Formula], Formula]] = {
            "gt": lambda least: expr > least,
            "ge": lambda least: expr >= least,
            "lt": lambda most: expr < most,
            "le": lambda most: expr <= most,
        }
        self._say(given, *(within[name](real(bound)) for name, bound in bounds.items()))
        nice = [expr >= -SIZE, expr <= SIZE]
        limit: Fraction | int | None = {"int": 2**MOST_BITS, "float": TOO_LARGE}.get(kind)
        if kind == "decimal":
            places, digits = core.get("decimal_places"), core.get("max_digits")
            if places is not None:
                self._say(given, self.logic.z3.IsInt(expr * 10**places))
            if digits is not None:
                limit = 10 ** (digits - (places or 0))
            nice.append(self.logic.z3.IsInt(expr * 10 ** (2 if places is None else places)))
        if kind == "float":
            nice.append(self.logic.z3.IsInt(expr * 4))
        size: Fraction | int | None = limit
        if bounds.keys() & {"gt", "ge"} and bounds.keys() & {"lt", "le"}:
            size = max(map(abs, bounds.values()))
        elif limit is not None:
            self._say(given, expr < real(limit), expr > real(-limit))
        reads: dict[Kind, Read] = {"int": int, "float": _float, "decimal": _decimal}
        return self._symbol(Symbol(kind, expr, size), nice, reads[kind])

    def _text(self, core: Core, path: str, given: Formula) -> Shape:
        z3, expr = self.logic.z3, self.logic.unknown("str", path).expr
        if not (core.get("to_lower") or core.get("to_upper")):  # they may change the length
            if (least := core.get("min_length")) is not None:
                self._say(given, z3.Length(expr) >= least)
            if (most := core.get("max_length")) is not None:
                self._say(given, z3.Length(expr) <= most)
        letter = z3.Union(
            *(z3.Range(self.logic.text(a), self.logic.text(b)) for a, b in ("az", "AZ"))
        )
        nice = [z3.Length(expr) <= LENGTH, z3.InRe(expr, z3.Star(letter))]
        return self._symbol(Symbol("str", expr), nice, str)

    def _among(self, values: list[Any], path: str, given: Formula) -> Shape:
        """One of some values of Python, each a case."""
        ways = [Shape(self.logic.one(Known(v)), partial(_stored, v)) for v in values]
        return self._either(ways, self._tags(path, given, len(values)))

    def _one_of(self, cores: list[Core], path: str, given: Formula, depth: int) -> Shape:
        """A value of one of some types."""
        tags = self._tags(path, given, len(cores))
        ways = [
            self._of(core, f"{path}|{n}" if n else path, self.logic.all(given, tag), depth + 1)
            for n, (core, tag) in enumerate(zip(cores, tags, strict=True))
        ]
        return self._either(ways, tags)

    def _tags(self, path: str, given: Formula, number: int) -> list[Formula]:
        """Conditions of which just one holds."""
        if number == 1:
            return [self.logic.yes]
        tag = self.logic.unknown("int", f"{path}?").expr
        self.unknowns.append(tag)
        self.logic.facts += [tag >= 0, tag < number]
        return [tag == n for n in range(number)]

    def _either(self, ways: list[Shape], tags: list[Formula]) -> Shape:
        cases = [
            (self.logic.all(tag, c), term)
            for tag, way in zip(tags, ways, strict=True)
            for c, term in way.value
        ]

        def read(model: Any) -> Any:
            return next(w.read(model) for t, w in zip(tags, ways, strict=True) if python(model, t))

        return Shape(self.logic.merged(cases), read)

    def _list(self, core: Core, path: str, given: Formula, depth: int) -> Shape:
        length = self.logic.unknown("int", f"{path}.len").expr
        self.unknowns.append(length)
        self._say(given, length >= (core.get("min_length") or 0))
        if (most := core.get("max_length")) is not None:
            self._say(given, length <= most)
        self.nice.append(length <= LENGTH)
        some = self.logic.all(given, length > 0)
        item = self._of(core.get("items_schema") or {"type": "any"}, f"{path}[]", some, depth + 1)

        def read(model: Any) -> list[Any]:
            number = python(model, length)
            if number > SIZE:
                raise NoExample("a list would have to be very long")
            return [item.read(model) for _ in range(number)]

        return Shape([(self.logic.yes, Items(length))], read)

    def _record(
        self, cls: type, fields: Mapping[str, Core], path: str, given: Formula, depth: int
    ) -> Shape:
        made: dict[str, Shape] = {}

        def attribute(name: str) -> Value:
            if name not in fields:
                where = _said(f"{path}.{name}")
                return self.logic.opaque(f"{path}.{name}", f"{where} is no field of {cls.__name__}")
            if name not in made:
                made[name] = self._field(fields[name], f"{path}.{name}", given, depth + 1)
            return made[name].value

        for name, known in fields.items():
            if known["schema"]["type"] != "default":
                attribute(name)
        return Shape(
            [(self.logic.yes, Record(path, cls, attribute))],
            lambda model: {name: shape.read(model) for name, shape in made.items()},
        )

    def _plain(self, cls: type, path: str, core: Core) -> Shape:
        """A value of which only the type is understood."""

        def attribute(name: str) -> Value:
            return self.logic.opaque(f"{path}.{name}", f"{_said(path)} is a {cls.__name__}")

        record = Record(path, cls, attribute)
        return Shape(self.logic.one(record), self._opaque(path, "", core).read)

    def _opaque(self, path: str, why: str, core: Core | None = None) -> Shape:
        """A value that is not understood; its example is the first sample that fits the type."""

        def read(model: Any) -> Any:
            for sample in SAMPLES if core else ():
                try:
                    self._validator(core or {}).validate_json(json.dumps(sample))
                except Exception:  # a validator may raise anything
                    continue
                return sample
            raise NoExample(f"no example value is known for {_said(path)}")

        return Shape([(self.logic.yes, Opaque(path, why))], read)

    def _validator(self, core: Core) -> Any:
        from pydantic import TypeAdapter

        whole = {"type": "definitions", "schema": core, "definitions": list(self._types.values())}

        class Sample:
            @classmethod
            def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
                return whole

        return TypeAdapter(Sample)


def _said(path: str) -> str:
    """A variable as a person would write it."""
    return repr(path.partition(":")[2].partition("|")[0])


def python(model: Any, expr: Formula) -> Any:
    """The value of a formula in a model of z3, as Python has it: a real number is a fraction."""
    import z3

    value = model.eval(expr, model_completion=True)
    if z3.is_int_value(value):
        return value.as_long()
    if z3.is_rational_value(value):
        return value.as_fraction()
    if z3.is_algebraic_value(value):
        return value.approx(30).as_fraction()
    if z3.is_string_value(value):
        return _unescaped(value.as_string())
    return bool(z3.is_true(value))


def _unescaped(text: str) -> str:
    r"""A text of z3, which writes `\u{41}` for what it does not write plainly."""
    start, *parts = text.split("\\u{")
    pieces = [start]
    for part in parts:
        code, _, rest = part.partition("}")
        pieces += [chr(int(code, 16)), rest]
    return "".join(pieces)


def _float(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        raise NoExample("a number would have to be too large for a float") from None


def _decimal(number: Fraction) -> str:
    return str(Decimal(number.numerator) / Decimal(number.denominator))


def _stored(value: Any, model: Any) -> Any:
    """A value of a Literal or an Enum, as JSON."""
    plain = value.value if isinstance(value, Enum) else value
    return str(plain) if isinstance(plain, Decimal) else plain
