"""What is asked of every function that a user hands in, as the body of a task or as a guard."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, partial):
        function = function.func
    return function


def qualified_name(function: Callable[..., Any]) -> str:
    """The function's name in its module; of an object that can be called, its class's."""
    inner = _inner(function)
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine: also for partials, and objects that can be called."""
    inner = _inner(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(type(inner).__call__)


def takes_one_argument(function: Callable[..., Any]) -> bool:
    """Whether it can be called with one argument, as far as its signature tells."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # some functions written in C do not tell
        return True
    return True
