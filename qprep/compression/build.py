"""From a schedule to policies: classes, arguments and windows, each checked, with the line of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from qprep.compression.classes import class_of, injected, outdated
from qprep.compression.errors import ScheduleError
from qprep.compression.lr import rehearse
from qprep.compression.names import plain
from qprep.compression.policies.lr import LRPolicy
from qprep.compression.policies.pruning import PruningPolicy
from qprep.compression.policies.quantization import QuantizationPolicy
from qprep.compression.policies.regularization import RegularizationPolicy
from qprep.compression.policy import Policy
from qprep.compression.quantizers import arguments, ignored, known_class
from qprep.compression.registry import Section, hints_of, parameters_of
from qprep.compression.schedule_file import Definition, Schedule, Use
from qprep.compression.training import Training
from qprep.compression.values import converted, entries_of, numbered
from qprep.compression.windows import Window, window
from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.config.yaml_file import Located

_POLICIES: Final[Mapping[Section, Callable[..., Policy]]] = {
    Section.PRUNERS: PruningPolicy,
    Section.REGULARIZERS: RegularizationPolicy,
    Section.LR_SCHEDULERS: LRPolicy,
}
_GIVEN: Final = frozenset(("pruner", "regularizer", "lr_scheduler", "name"))
_WHEN_HINTS: Final[Mapping[str, Any]] = {
    "epochs": list[int],
    "starting_epoch": float,
    "ending_epoch": float,
    "frequency": float,
    "steps": list[int],
}


Locate = Callable[[str], str]  # from the sentence of an error to file, line and key


def add_policies(schedule: Schedule, training: Training, add: Callable[[Policy, Window, Locate], None]) -> None:
    """Make every policy of `schedule` and `add` it, in order; schedules of learning rates are made last.

    What is added gets a function from the sentence of an error to file, line and key, for errors during the training.

    Raises ScheduleError with file, line and key.
    """
    makers = _Makers(schedule, training)
    for sentence in schedule.notes:
        training.note(sentence)
    windows = [makers.window(use) for use in schedule.uses]
    made: dict[int, Policy] = {}
    late = [place for place, use in enumerate(schedule.uses) if use.definition.section is Section.LR_SCHEDULERS]
    early = [place for place in range(len(schedule.uses)) if place not in late]
    for place in (*early, *late):
        made[place] = makers.policy(schedule.uses[place])
    for each in schedule.unused:
        makers.check(each)
        training.note(f"{each.key}: no policy uses it")
    for place, use in enumerate(schedule.uses):
        makers.place(use, partial(add, made[place], windows[place], partial(makers.where, use.definition)))


class _Makers:
    def __init__(self, schedule: Schedule, training: Training) -> None:
        self._schedule, self._training = schedule, training
        self._made: dict[str, Any] = {}

    def attempt(self, line: int, key: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """The result of `make`; its errors get file, line and key."""
        try:
            return make()
        except ScheduleError:
            raise
        except QprepError as error:
            raise self._schedule.error(line, key, str(error)) from error
        except (TypeError, ValueError) as error:  # of a constructor that is not ours
            raise self._schedule.error(line, key, f"expected other values: {error}") from error

    def place(self, use: Use, add: Callable[[], None]) -> None:
        """Add a policy; what does not fit the model has the line where the file names it."""
        key = f"{use.key}.{use.definition.section.policy}.args"
        self._culprit((_Blamed(use.arguments, use.line, key), _blamed(use.definition)), add)

    def where(self, definition: Definition, sentence: str) -> str:
        """File, line and key of what an error speaks of."""
        line, key = _place((_blamed(definition),), sentence)
        return f"{self._schedule.path}:{line}: {key}"

    def window(self, use: Use) -> Window:
        """The window of a policy."""
        values = {
            name: self.attempt(each.line, f"{use.key}.{name}", partial(_value, each, _WHEN_HINTS[name]))
            for name, each in use.when.items()
        }
        if "epochs" in values and "frequency" in values:
            self._training.note(f"{use.key}.frequency: {values.pop('frequency')} changes nothing with a list of epochs")
        line = next((each.line for each in use.when.values()), use.line)
        found: Window = self.attempt(line, use.key, partial(window, **values))
        return found

    def policy(self, use: Use) -> Policy:
        """The policy of one entry."""
        definition = use.definition
        if definition.section in _POLICIES:
            instance = self.instance(definition)
            maker = _POLICIES[definition.section]
            key = f"{use.key}.{definition.section.policy}.args"
            given = self.checked(maker, use.arguments, key, use.line, _GIVEN)
            make = partial(maker, instance, name=definition.name, **given)
            found: Policy = self._culprit((_Blamed(use.arguments, use.line, key),), make)
            return found
        if use.arguments:
            name, each = next(iter(use.arguments.items()))
            kind = definition.section.policy
            raise self._schedule.error(
                each.line, f"{use.key}.{kind}.args.{name}", f"expected no arguments of {kind} policies"
            )
        made: Policy = self.instance(definition)
        return made

    def instance(self, definition: Definition) -> Any:  # noqa: ANN401  (of a section's kind)
        """The object that a definition makes, once."""
        if definition.key not in self._made:
            self._made[definition.key] = self._make(definition)
        return self._made[definition.key]

    def check(self, definition: Definition) -> None:
        """Errors in a definition that no policy uses."""
        cls = self._class(definition)
        if definition.section is not Section.QUANTIZERS:
            self._arguments(definition, cls)

    def checked(
        self,
        factory: Callable[..., Any],
        given: Mapping[str, Located],
        key: str,
        line: int,
        without: frozenset[str],
    ) -> dict[str, Any]:
        """Arguments by name, each known, of its type, none missing."""
        known, hints = parameters_of(factory, without), hints_of(factory)
        for name, each in given.items():
            if name not in known:
                hint = did_you_mean(name, known) or f"; known are {', '.join(known) or 'none'}"
                raise self._schedule.error(each.line, f"{key}.{name}", f"unknown argument {name!r}{hint}")
        needed = [name for name, each in known.items() if each.default is each.empty]
        missing = [name for name in needed if name not in given]
        if missing:
            raise self._schedule.error(line, key, f"expected {', '.join(missing)}, found none")
        return {name: self._converted(each, f"{key}.{name}", hints.get(name, Any)) for name, each in given.items()}

    def _converted(self, given: Located, key: str, hint: Any) -> Any:  # noqa: ANN401
        """The value of an argument; what does not fit in an entry of a mapping has the line of that entry."""
        if isinstance(given.value, Mapping):
            inner = entries_of(hint)
            for name, each in given.value.items():
                self._converted(each, f"{key}.{name}", inner)
        return self.attempt(given.line, key, partial(_value, given, hint))

    def _class(self, definition: Definition) -> Any:  # noqa: ANN401
        return self.attempt(
            definition.class_line,
            f"{definition.key}.class",
            partial(class_of, definition.section, definition.class_name),
        )

    def _make(self, definition: Definition) -> Any:  # noqa: ANN401
        cls = self._class(definition)
        if definition.section is Section.QUANTIZERS:
            return self._quantizer(definition)
        given = self._arguments(definition, cls)
        if definition.section is Section.LR_SCHEDULERS:
            optimizer = self._training.optimizer
            if optimizer is None:
                raise self._schedule.error(definition.line, definition.key, "expected an optimizer, found none")
            given["optimizer"] = optimizer
            self._culprit((_blamed(definition),), partial(rehearse, cls, given, optimizer))
        return self._culprit((_blamed(definition),), partial(cls, **given))

    def _arguments(self, definition: Definition, cls: Callable[..., Any]) -> dict[str, Any]:
        """The checked arguments of a definition; what its class no longer takes is left out with a note."""
        without = injected(definition.section)
        old = outdated(definition.section) - parameters_of(cls, without).keys()
        for name in sorted(old & definition.arguments.keys()):
            self._training.note(f"{definition.key}.{name}: {definition.class_name} has no such argument; it is ignored")
        given = {name: each for name, each in definition.arguments.items() if name not in old}
        return self.checked(cls, given, definition.key, definition.line, without)

    def _culprit(self, blamed: Sequence[_Blamed], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """As `attempt`, with the line of the argument that the error's sentence begins to speak of, if it does."""
        try:
            return make()
        except (QprepError, TypeError, ValueError, KeyError, ArithmeticError) as error:  # torch raises all of them
            sentence = str(error.args[0] if isinstance(error, KeyError) else error).partition("\n")[0]
            line, key = _place(blamed, sentence)
            prefix = "" if isinstance(error, QprepError) else "expected other values: "
            raise self._schedule.error(line, key, f"{prefix}{sentence}") from error

    def _quantizer(self, definition: Definition) -> QuantizationPolicy:
        given = {name: numbered(each.plain()) for name, each in definition.arguments.items()}
        made = self._culprit((_blamed(definition),), partial(arguments, definition.class_name, given))
        for name in ignored(given):
            self._training.note(f"{definition.key}.{name}: {definition.class_name} of qprep has none; it is ignored")
        kind = known_class(definition.class_name)
        policy: QuantizationPolicy = self._culprit(
            (_blamed(definition),), partial(QuantizationPolicy, kind, name=definition.name, **made)
        )
        return policy


def _value(given: Located, hint: Any) -> Any:  # noqa: ANN401
    return converted(numbered(given.plain()), hint)


@dataclass(frozen=True, slots=True)
class _Blamed:
    """Arguments in the file, and the line and key of what they belong to."""

    arguments: Mapping[str, Located]
    line: int
    key: str


def _blamed(definition: Definition) -> _Blamed:
    return _Blamed(definition.arguments, definition.line, definition.key)


def _place(blamed: Sequence[_Blamed], sentence: str) -> tuple[int, str]:
    """Line and key of the argument, or of an entry in it, that a sentence names; else of the last that it may be.

    Of several that it names, the one with most parts of its path in the sentence, then the one that comes first.
    """
    words = re.split(r"[\s:,']+", sentence)
    for each in blamed:
        found = list(_entries(each.arguments, (), words))
        if found:
            _, _, line, path = max(found, key=lambda entry: entry[:2])
            return line, ".".join((each.key, *path))
    return blamed[-1].line, blamed[-1].key


def _entries(
    given: Mapping[str, Located], above: tuple[str, ...], words: list[str]
) -> Iterator[tuple[int, int, int, tuple[str, ...]]]:
    """Each entry whose key or value is among `words`: keys of its path that are, minus where it is, line, path."""
    for name, each in given.items():
        path = (*above, str(name))
        keys = [key for key in map(str, path) if _index(key, words) is not None]
        at = _index(str(name), words)
        if at is not None:
            yield len(keys), -at, each.line, path
        if isinstance(each.value, Mapping):
            yield from _entries(each.value, path, words)
        for value in each.value if isinstance(each.value, list) else [each]:
            at = _index(value.value, words) if isinstance(value.value, str) else None
            if at is not None:
                yield len(keys), -at, value.line, path


def _index(name: str, words: list[str]) -> int | None:
    """The first place of a name among words, as it is or without wrappers."""
    places = [words.index(each) for each in (name, plain(name)) if each in words]
    return min(places, default=None)
