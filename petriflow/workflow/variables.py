"""Variables of a case: what may be stored, and what happens when concurrent steps disagree."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from petriflow.net.errors import DefinitionError, GuardError, VariableConflict, VariableError
from petriflow.workflow.guard import Expression
from petriflow.workflow.secrets import MASK, covered, hidden, marked, revealed

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens when a step writes a variable that changed since the step began.

    `error` refuses (unless the values are equal), `last` keeps the later write, `reduce`
    combines `old` and `new` by an expression, and `collect` makes the variable a list to which
    every write is appended, in order of completion. Made by `last_wins`, `reduce`, `collect`.
    The values of a `secret` variable are not told in errors.
    """

    kind: Literal["error", "last", "reduce", "collect"]
    text: str | None = None
    secret: bool = field(default=False, repr=False)

    def __str__(self) -> str:
        return self.kind if self.text is None else f"{self.kind}({self.text!r})"


error_on_conflict = Policy("error")
last_wins = Policy("last")
collect = Policy("collect")


def reduce(expression: str) -> Policy:
    """Combine two concurrent writes by an expression over `old` and `new`.

    It is a text, not a function, since it is part of the stored definition: a case that began
    under one rule ends under it.

    Raises:
        GuardError: the expression cannot be read.
        DefinitionError: it is no text, or speaks of other names.

    >>> reduce("max(old, new)")
    Policy(kind='reduce', text='max(old, new)')
    """
    if not isinstance(expression, str):
        raise DefinitionError(f"reduce({expression!r}) takes a text, such as 'max(old, new)'")
    extra = Expression(expression).names - {"old", "new"}
    if extra:
        raise DefinitionError(
            f"reduce({expression!r}) speaks of {sorted(extra)[0]!r}; it may use `old` and `new`"
        )
    return Policy("reduce", expression)


def settle(policy: Policy, name: str, old: Any, new: Any) -> Any:
    """The value after a write that met another.

    Raises:
        VariableConflict: the policy is `error` and the values differ.
        GuardError: the expression of `reduce` fails for these values.
        VariableError: what it gives cannot be stored.
    """
    match policy.kind:
        case "last":
            return new
        case "reduce":
            try:
                value = Expression(policy.text or "")({"old": old, "new": new})
                return plain({name: value})[name]
            except (GuardError, VariableError) as error:
                if not policy.secret:
                    raise
                raise type(error)(covered(str(error), [old, new])) from None
        case _:
            if old == new:
                return old
            one, other = (MASK, MASK) if policy.secret else (repr(old), repr(new))
            raise VariableConflict(
                f"variable {name!r} was written as {one} and, concurrently, as {other}; let the "
                f"branches write different names, or give the workflow a policy: "
                f"merge={{{name!r}: last_wins}}, collect, or reduce('…')"
            )


@dataclass(frozen=True)
class Schema:
    """The variables that a workflow declares: a pydantic model, or anything that is JSON.

    `collected` are the names whose policy is `collect`: declared as lists, written item by item;
    `hiding` are those that are secret without being marked so in the model.

    Raises:
        DefinitionError: the model is no pydantic model, or one that cannot be stored by its names.
    """

    model: type[BaseModel] | None = None
    collected: frozenset[str] = frozenset()
    hiding: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.model is None:
            return
        from pydantic import BaseModel

        if not (isinstance(self.model, type) and issubclass(self.model, BaseModel)):
            raise DefinitionError(f"variables={self.model!r} is not a pydantic model class")
        for name, f in self.model.model_fields.items():
            if f.alias or f.validation_alias or f.serialization_alias or f.exclude:
                raise DefinitionError(
                    f"variable {name!r} of {self.model.__name__} has an alias or is excluded; "
                    "variables are stored under their own names: take that out of the model"
                )
        self.document()

    @property
    def names(self) -> frozenset[str] | None:
        """The declared names; `None` where the workflow declares none."""
        return None if self.model is None else frozenset(self.model.model_fields)

    @cached_property
    def secret(self) -> frozenset[str]:
        """The names of the variables whose values nobody is shown."""
        return self.hiding if self.model is None else self.hiding | _marked(self.model)

    def covered(self, text: str, *data: Any) -> str:
        """A text without the values that the secret variables have in these data."""
        if not self.secret:
            return text
        named = [d for d in data if isinstance(d, Mapping)]
        return covered(text, [d[name] for d in named for name in self.secret & d.keys()])

    def shown(self, data: Mapping[str, Any]) -> Data:
        """The variables, or other data about them, as they may be shown."""
        return hidden(data, self.secret) if self.secret else dict(data)

    def initial(self, variables: Mapping[str, Any]) -> Data:
        """The variables of a new case as plain JSON data, checked and with defaults filled in.

        Raises:
            VariableError: they do not fit the model, or are not JSON.
        """
        try:
            return self._initial(variables)
        except VariableError as error:
            raise VariableError(self.covered(str(error), variables)) from None

    def _initial(self, variables: Mapping[str, Any]) -> Data:
        data = plain(variables) if self.model is None else self._stored(variables)
        for name in sorted(self.collected & data.keys()):
            if not isinstance(data[name], list):
                raise VariableError(
                    f"variable {name!r} is collected, so that it begins as a list, not as "
                    f"{data[name]!r}"
                )
        return data

    def updates(self, now: Data, updates: Mapping[str, Any]) -> Data:
        """A task's updates as plain JSON data, checked against the model.

        Raises:
            VariableError: they do not fit the model, or are not JSON.
        """
        try:
            return self._updates(now, updates)
        except VariableError as error:
            raise VariableError(self.covered(str(error), now, updates)) from None

    def _updates(self, now: Data, updates: Mapping[str, Any]) -> Data:
        if self.model is None:
            return plain(updates)
        lists = {name: [updates[name]] for name in self.collected & updates.keys()}
        whole = self._stored({**self.mapping(self.view(now)), **updates, **lists})
        return {name: whole[name][0] if name in lists else whole[name] for name in updates}

    def told(self, now: Data, updates: Mapping[str, Any]) -> Data:
        """Updates that came as JSON, from a person, as plain data, checked against the model.

        Raises:
            VariableError: they do not fit the model, or are not JSON.
        """
        try:
            return self._told(now, updates)
        except VariableError as error:
            raise VariableError(self.covered(str(error), now, updates)) from None

    def _told(self, now: Data, updates: Mapping[str, Any]) -> Data:
        data = plain(updates)
        if self.model is None:
            return data
        self._refuse_unknown(data)
        lists = {name: [data[name]] for name in self.collected & data.keys()}
        whole = self._stored(self.mapping(self._read({**now, **data, **lists})))
        return {name: whole[name][0] if name in lists else whole[name] for name in data}

    def form(self, names: Sequence[str]) -> Data:
        """The JSON Schema of an object of these variables, all of them; of none, for any.

        Of a variable that is collected one item is asked for.
        """
        if self.model is None:
            found: Data = {"type": "object", "properties": {name: {} for name in names}}
        else:
            whole = self.model.model_json_schema()
            found = {key: whole[key] for key in ("type", "$defs") if key in whole}
            properties = whole["properties"]
            found["properties"] = {
                name: properties[name].get("items", {})
                if name in self.collected
                else properties[name]
                for name in names or properties
            }
        if names:
            found["required"] = list(names)
        if names or self.model is not None:
            found["additionalProperties"] = False
        return found

    def view(self, data: Data) -> Any:
        """What tasks and guards see: an instance of the model, or a read-only mapping.

        It shares no list or mapping with the data: whoever changes one inside changes a copy.

        Raises:
            VariableError: the data do not fit the model.
        """
        if self.model is None:
            return MappingProxyType(
                {n: deepcopy(v) if isinstance(v, list | dict) else v for n, v in data.items()}
            )
        return self._read(data, "as stored, ")

    def _read(self, data: Data, how: str = "") -> Any:
        from pydantic import ValidationError

        assert self.model is not None
        try:
            # As JSON, since only then a strict model takes a text for the date it stands for.
            return self.model.model_validate_json(json.dumps(data))
        except ValidationError as error:
            misfit = _misfit(self.model, error, how)
            raise VariableError(self.covered(str(misfit), data)) from None

    def _refuse_unknown(self, variables: Mapping[str, Any]) -> None:
        assert self.model is not None
        fields = self.model.model_fields
        unknown = [str(n) for n in variables if n not in fields]
        if unknown:
            raise VariableError(
                f"variable {unknown[0]!r} is not declared in {self.model.__name__}; "
                f"declared are: {', '.join(fields)}"
            )

    def mapping(self, view: Any) -> Mapping[str, Any]:
        """The same by name, as texts in the guard language use it."""
        if self.model is None:
            found: Mapping[str, Any] = view
            return found
        return {name: getattr(view, name) for name in self.model.model_fields}

    def document(self) -> Any:
        """What of it belongs to the definition, as JSON data."""
        if self.model is None:
            return None
        from pydantic.errors import PydanticUserError
        from pydantic.json_schema import GenerateJsonSchema

        class InOrder(GenerateJsonSchema):
            def encode_default(self, dft: Any) -> Any:
                return super().encode_default(_in_order(dft))

        try:
            return _meaning(self.model.model_json_schema(schema_generator=InOrder))
        except PydanticUserError as error:
            raise DefinitionError(
                f"the variables of {self.model.__name__} have no form in JSON: {error.message}"
            ) from None

    def _stored(self, variables: Mapping[str, Any]) -> Data:
        """The variables as they are stored, once it is sure that they come back from there."""
        from pydantic import ValidationError

        assert self.model is not None
        self._refuse_unknown(variables)
        model, fields = self.model, self.model.model_fields
        try:
            given = model.model_validate(dict(variables))
        except ValidationError as error:
            raise _misfit(model, error) from None
        try:
            text = given.model_dump_json(by_alias=True, include=set(fields))
            data = plain(json.loads(text))
            if self.secret:  # pydantic has masked its own
                data = revealed(given.model_dump(by_alias=True, include=set(fields)), data)
        except ValueError as error:
            raise VariableError(
                f"variable {_unstorable(given)!r} of {model.__name__} has no form in JSON: {error}"
            ) from None
        back = self.view(data)
        for name in fields:
            if not _same(getattr(given, name), getattr(back, name)):
                raise VariableError(
                    f"variable {name!r} of {model.__name__} would come back from the store as "
                    f"another value than {getattr(given, name)!r}; give it a type that JSON keeps"
                )
        return data


@lru_cache(maxsize=256)
def _marked(model: type[BaseModel]) -> frozenset[str]:
    return marked(model)


def _misfit(model: type[BaseModel], error: ValidationError, how: str = "") -> VariableError:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"])) or model.__name__
    return VariableError(f"{how}variable {name!r} does not fit {model.__name__}: {first['msg']}")


def _unstorable(given: BaseModel) -> str:
    """The first field that cannot be written as JSON."""
    for name in type(given).model_fields:
        try:
            given.model_dump_json(include={name})
        except ValueError:
            return name
    return type(given).__name__


def _same(value: Any, back: Any) -> bool:
    try:
        return bool(value == back)
    except Exception:  # an array of numbers, say, which has no single answer
        return False


def _meaning(schema: Any) -> Any:
    """A JSON schema without what is there for readers: a better docstring is no new definition."""
    if isinstance(schema, list):
        return [_meaning(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Data = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            kept[key] = {name: _meaning(part) for name, part in value.items()}
        elif key in ("default", "const", "enum", "discriminator"):
            kept[key] = value
        elif key not in ("title", "description", "examples"):
            kept[key] = _meaning(value)
    return kept


def _in_order(default: Any) -> Any:
    """A default value with its sets in the same order in every process."""
    from pydantic import BaseModel

    if isinstance(default, BaseModel):
        return {name: _in_order(getattr(default, name)) for name in type(default).model_fields}
    if isinstance(default, dict):
        return {key: _in_order(value) for key, value in default.items()}
    if isinstance(default, list | tuple):
        return [_in_order(item) for item in default]
    if isinstance(default, set | frozenset):
        return sorted(map(_in_order, default), key=repr)
    return default


#: How deep a value may be nested, and how long a whole number may be, in bits: far below where
#: Python's own limits would stop the store in the midst of its work.
MOST_NESTED, MOST_BITS = 100, 10_000


def _a(word: str) -> str:
    """The word with its article."""
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


def plain(variables: Mapping[str, Any]) -> Data:
    """The variables as they will be read back from the store: tuples become lists.

    Raises:
        VariableError: a name is not a text, or a value is not JSON; the message names it.
    """
    if not isinstance(variables, Mapping):
        raise VariableError(f"{variables!r} is not a mapping of variables by name")
    data: Data = {}
    for name, value in variables.items():
        if not isinstance(name, str):
            raise VariableError(f"variable {name!r}: a name must be a text")
        try:
            name.encode()
            data[name] = _json(value, 0)
        except (TypeError, ValueError) as error:
            raise VariableError(
                f"variable {name!r} is {_a(type(value).__name__)} and cannot be stored as JSON "
                f"({error}); return plain values, or declare its type in the workflow's "
                "variables= model"
            ) from None
    return data


def canonical(value: Any) -> str:
    """A plain value as JSON text, the same for equal values.

    >>> canonical({"b": 1, "a": "ä"})
    '{"a":"ä","b":1}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _json(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        value.encode()  # half a character, from a broken text, has no UTF-8 form
        return str.__str__(value)
    if isinstance(value, int):
        if value.bit_length() > MOST_BITS:
            raise ValueError("the number is too long")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number in JSON")
        return float(value)
    if depth > MOST_NESTED:
        raise ValueError("it is nested too deeply, or in a circle")
    if isinstance(value, list | tuple):
        return [_json(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} in it is not a text")
        return {_json(key, 0): _json(item, depth + 1) for key, item in value.items()}
    raise TypeError(f"the {type(value).__name__} in it is not JSON" if depth else "it is not JSON")
