"""Secret variables: bodies, guards and the store have their values, and nobody is shown them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel

#: What is shown in place of a secret value.
MASK = "***"
#: From how many characters on a secret value is also found inside a text, such as an error's: a
#: shorter one would be found in many words that have nothing to do with it.
SHORTEST = 4


class Secret:
    """The mark of a secret variable in a variables' model: `password: Annotated[str, secret]`.

    In the model's JSON schema it says `writeOnly`, as the field of a `pydantic.SecretStr` does.
    """

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> Any:
        return {**handler(core), "writeOnly": True}

    def __repr__(self) -> str:
        return "secret"


secret = Secret()


def marked(model: type[BaseModel]) -> frozenset[str]:
    """The fields of a model that are secret, or hold something that is."""
    schema = model.model_json_schema()
    shared = schema.get("$defs", {})

    def holds(part: Any, seen: frozenset[str]) -> bool:
        if isinstance(part, list):
            return any(holds(inner, seen) for inner in part)
        if not isinstance(part, Mapping):
            return False
        name = str(part.get("$ref", "")).rpartition("/")[2]
        if name in shared and name not in seen and holds(shared[name], seen | {name}):
            return True
        return part.get("writeOnly") is True or any(holds(inner, seen) for inner in part.values())

    properties = schema.get("properties", {})
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if holds(properties.get(name), frozenset()) or _wraps(field.annotation, frozenset())
    )


def _wraps(kind: Any, seen: frozenset[Any]) -> bool:
    """Whether a type is one of pydantic's for secrets, or has one inside: of `Secret[date]` the
    JSON schema says nothing.
    """
    if hasattr(kind, "get_secret_value"):
        return True
    inner = [*get_args(kind), *(f.annotation for f in getattr(kind, "model_fields", {}).values())]
    return any(_wraps(part, seen | {kind}) for part in inner if part not in seen)


def revealed(given: Any, masked: Any) -> Any:
    """JSON data in which pydantic has masked its secrets, with their values.

    Args:
        given: what was written as JSON, as Python's own mappings and lists.
        masked: what came of it.
    """
    if hasattr(given, "get_secret_value"):
        from pydantic import TypeAdapter

        return TypeAdapter(Any).dump_python(given.get_secret_value(), mode="json")
    if isinstance(given, Mapping) and isinstance(masked, dict) and len(given) == len(masked):
        pairs = zip(given.values(), masked.items(), strict=True)
        return {name: revealed(value, part) for value, (name, part) in pairs}
    is_list = isinstance(given, list | tuple | set | frozenset) and isinstance(masked, list)
    if is_list and len(given) == len(masked):
        return [revealed(value, part) for value, part in zip(given, masked, strict=True)]
    return masked


def plainly(value: Any) -> Any:
    """The value itself of what pydantic wraps to hide it."""
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def hidden(data: Any, names: Collection[str]) -> Any:
    """Data as they are shown: all that stands under a secret name, however deep, is masked."""
    if isinstance(data, Mapping):
        return {n: MASK if n in names else hidden(value, names) for n, value in data.items()}
    if isinstance(data, list | tuple):
        return [hidden(value, names) for value in data]
    return data


def covered(text: str, values: Iterable[Any]) -> str:
    """The text with these values masked, in whichever way they are quoted in it.

    >>> covered("login failed: 'henry'", ["henry"]), covered("no way", ["no"])
    ("login failed: '***'", 'no way')
    """
    found = {form for value in values for leaf in _leaves(value) for form in _forms(leaf)}
    for form in sorted(found, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers that a value is made of."""
    value = plainly(value)
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "backslashreplace")
    elif hasattr(value, "__pydantic_fields__"):
        for name in type(value).__pydantic_fields__:
            yield from _leaves(getattr(value, name))
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _forms(leaf: str) -> Iterator[str]:
    """The ways in which a text may stand in another, of those that are long enough."""
    quoted = repr(leaf)[1:-1]
    double = quoted.replace("\\'", "'")
    for form in (leaf, quoted, double, leaf.replace("'", "\\'"), json.dumps(leaf)[1:-1]):
        if len(form) >= SHORTEST and len(leaf) >= SHORTEST:
            yield form
