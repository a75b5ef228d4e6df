"""Functions of Python and of packages that leave nothing behind: they change no object, and draw no random numbers.

Whatever is not known to be silent counts as an effect. What is known comes from the types themselves (the methods of
types whose objects never change, and of the abstract containers that are only read), and from the operator catalogue.
"""

from __future__ import annotations

import ast
import builtins
import collections
import collections.abc
import datetime as dt
import operator
import pathlib
import re
from typing import TYPE_CHECKING, Final

from qprep.foundation.catalogue.lookup import load

if TYPE_CHECKING:
    from collections.abc import Iterable

_IMMUTABLE: Final = (
    bool, bytes, complex, float, frozenset, int, range, str, tuple, dt.datetime, dt.timedelta,
    pathlib.PurePath, re.Match, re.Pattern,
)  # fmt: skip
_READ_ONLY: Final = (
    collections.abc.ItemsView, collections.abc.KeysView, collections.abc.Mapping, collections.abc.Sequence,
    collections.abc.Set, collections.abc.ValuesView,
)  # fmt: skip
# Methods of paths and of threads have these names, too, and do what is seen.
_AMBIGUOUS: Final = frozenset(("replace", "start", "throw"))


_MUTABLE: Final = (bytearray, collections.Counter, collections.OrderedDict, collections.deque, dict, list, set)


def _names_of(types: Iterable[type]) -> frozenset[str]:
    return frozenset(name for each in types for name in dir(each) if not name.startswith("_"))


READING: Final = (_names_of(_IMMUTABLE) | _names_of(_READ_ONLY) | {"copy"}) - _AMBIGUOUS
"""Methods of Python's own objects that change nothing."""
_CHANGING: Final = _names_of(_MUTABLE) - READING

_CHANGES_ARGUMENT: Final = frozenset(("delattr", "next", "setattr"))
_RUNS_CODE: Final = frozenset(
    ("__build_class__", "__import__", "breakpoint", "compile", "eval", "exec", "exit", "input", "open", "quit")
)
SILENT_BUILTINS: Final = frozenset(
    name for name in dir(builtins) if not name.startswith("_") and name not in _RUNS_CODE | _CHANGES_ARGUMENT
)
"""Functions and types of Python that change nothing; those that call what they are given change what that changes."""

_CALLING_BUILTINS: Final = frozenset(("classmethod", "filter", "map", "property", "staticmethod"))
_CALLING_ITERATORS: Final = frozenset(("accumulate", "dropwhile", "filterfalse", "groupby", "starmap", "takewhile"))
_CALLING_BY_KEY: Final = frozenset(("max", "min", "sorted"))
_CALLING_WITH_MORE: Final = frozenset(("iter", "type"))  # with one argument, they ask for an iterator or a class
_CALLING_NOTHING: Final = ("cmath.", "inspect.get", "inspect.is", "math.", "os.path.", "time.")
COPIES_NAMES: Final = ("functools.update_wrapper", "functools.wraps")
"""Functions that give one function the name and text of another, which they neither call nor return."""
_CALLING_ALL_THE_SAME: Final = ("inspect.getmembers", "inspect.getattr_static")  # a predicate; a default is returned
_SILENT_PACKAGES: Final = frozenset(
    ("abc", "bisect", "cmath", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal", "enum",
     "fnmatch", "fractions", "functools", "inspect", "itertools", "json", "keyword", "logging", "math", "numbers",
     "numpy", "operator", "os", "pprint", "re", "statistics", "string", "textwrap", "time", "types", "typing")
)  # fmt: skip
_NOT_SILENT: Final = (
    *(f"operator.{name}" for name in dir(operator) if name.startswith("i") and f"__{name}__" in dir(operator)),
    "operator.setitem", "operator.delitem", "numpy.random", "numpy.save", "numpy.load", "numpy.put", "numpy.copyto",
    "numpy.place", "numpy.fill_diagonal", "bisect.insort", "json.dump.", "collections.abc.",
)  # fmt: skip
_SILENT_OF_OS: Final = ("os.path.", "os.fspath", "os.sep", "os.environ.get", "os.getcwd", "os.getenv", "os.cpu_count")
_STORES_GRADIENTS: Final = "backward"
_LOGS: Final = frozenset(("critical", "debug", "error", "info", "isEnabledFor", "warning"))
_FILLS_WITHOUT_DRAWING: Final = frozenset(("constant_", "dirac_", "eye_", "ones_", "zeros_"))
_SILENT_OF_TORCH: Final = frozenset(
    ["Generator", "Size", "autocast", "device", "dtype", "enable_grad", "finfo", "get_default_dtype", "iinfo",
     "inference_mode", "is_grad_enabled", "is_inference", "no_grad"]
)  # fmt: skip


def is_silent_method(name: str, call: ast.Call | None = None) -> bool:
    """True if a method of this name changes no object of Python or torch, and draws nothing, whoever has it."""
    if name == "replace" and call is not None and len(call.args) > 1:
        return True  # of a text; paths take one argument
    return name in READING or (name not in _CHANGING and _is_silent_of_tensor(name))


def may_call(name: str, call: ast.Call, value: ast.expr) -> bool:
    """True if a function of a package may call what it is given as an argument; Python's own that do are few."""
    package, _, rest = name.partition(".")
    if package == "itertools":
        return rest.partition(".")[0] in _CALLING_ITERATORS
    if package != "builtins":
        if name.startswith((*_CALLING_NOTHING, *COPIES_NAMES)):
            return name.startswith(_CALLING_ALL_THE_SAME)
        return package != "torch" or load().function(name) is None
    if rest in _CALLING_BY_KEY:
        return value not in call.args
    if rest in _CALLING_WITH_MORE:
        return len(call.args) > 1
    return rest not in SILENT_BUILTINS or rest in _CALLING_BUILTINS


def calls_later(name: str) -> bool:
    """True for Python's own classes whose objects keep a function: it runs when the object is called, not before."""
    return name in ("functools.partial", "functools.partialmethod")


def packs_again(name: str) -> bool:
    """True for Python's own functions that return what they are given, a copy, or its items, and parts of neither."""
    package, _, rest = name.partition(".")
    return (package == "builtins" and rest in SILENT_BUILTINS) or package in ("copy", "itertools")


def is_logging(name: str) -> bool:
    """True for the methods of loggers that write a line, which nobody but a person reads."""
    return name in _LOGS


def is_silent(name: str, call: ast.Call) -> bool:
    """True if a function of a package, by its qualified name, leaves nothing behind but in objects it is given first.

    `changes_first` tells whether it changes its first argument.
    """
    if any(keyword.arg == "out" for keyword in call.keywords) or name.startswith(_NOT_SILENT):
        return False
    package, _, rest = name.partition(".")
    match package:
        case "builtins":
            return _is_silent_builtin(rest, call)
        case "torch":
            return _is_silent_of_torch(rest)
        case "qprep":
            return True
        case "os":
            return name.startswith(_SILENT_OF_OS)
        case "json":
            return rest in ("dumps", "loads")
        case "logging":
            return rest == "getLogger" or rest.rpartition(".")[2] in _LOGS
        case "functools":
            return rest in ("partial", "reduce", "wraps")
    if package not in _SILENT_PACKAGES:
        return False
    *path, last = rest.split(".")
    is_method = bool(path) and (path[-1][:1].isupper() or package in ("collections", "itertools", "re"))
    return last in READING if is_method else True


def changes_first(name: str) -> bool:
    """True if a function of a package changes its first argument, and nothing else."""
    package, _, rest = name.partition(".")
    return (package == "builtins" and rest in _CHANGES_ARGUMENT) or name.startswith("torch.nn.init.")


def draws(name: str) -> bool:
    """True if a function of torch that fills a tensor, or a method of a tensor, may draw random numbers."""
    last = name.rpartition(".")[2]
    if name.startswith("torch.nn.init."):
        return last not in _FILLS_WITHOUT_DRAWING
    known = load().method(last)
    return known is not None and load().draws(known[0])


def _is_silent_builtin(rest: str, call: ast.Call) -> bool:
    kind, _, method = rest.partition(".")
    if method:
        return method in READING and kind in SILENT_BUILTINS
    if kind == "type":
        return len(call.args) == 1  # a class of three arguments may be registered by its base
    if kind == "print":
        return not any(keyword.arg == "file" for keyword in call.keywords)
    return kind in SILENT_BUILTINS


def _is_silent_of_tensor(name: str) -> bool:
    known = load().method(name)
    if known is None or name == _STORES_GRADIENTS:
        return False
    return not known[1].is_inplace and not load().draws(known[0])


def _is_silent_of_torch(rest: str) -> bool:
    """True for operations that write no argument, and for modules that have no weights, which are drawn."""
    if rest in _SILENT_OF_TORCH or rest.startswith(("is_", "jit.is_", "compiler.is_")) or rest.endswith("is_available"):
        return True
    known = load().function(f"torch.{rest}")
    if known is not None:
        return not known[1].is_inplace and not load().draws(known[0])
    module = load().nn_module(rest.removeprefix("nn."))
    if module is not None:
        return not module.may_have_state or module.is_container
    return rest in ("nn.Parameter", "nn.parameter.Parameter", "nn.Identity")
