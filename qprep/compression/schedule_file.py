"""A schedule file, read and checked: Distiller's grammar and more, errors with file, line and key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qprep.compression.errors import ScheduleError
from qprep.compression.registry import Section
from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.config.yaml_file import Located, read_yaml

VERSION: Final = 1
WHEN: Final = ("epochs", "starting_epoch", "ending_epoch", "frequency", "steps")
_SECTIONS: Final = {each.value: each for each in Section}
_KINDS: Final = {each.policy: each for each in Section}
_TOP: Final = ("version", "policies", *_SECTIONS)


@dataclass(frozen=True, slots=True)
class Definition:
    """An entry of a section: a class with arguments."""

    section: Section
    name: str
    class_name: str
    arguments: Mapping[str, Located]
    line: int
    class_line: int

    @property
    def key(self) -> str:
        """The key, such as "pruners.fine"."""
        return f"{self.section.value}.{self.name}"


@dataclass(frozen=True, slots=True)
class Use:
    """A policy: a definition, arguments, and when."""

    definition: Definition
    arguments: Mapping[str, Located]
    when: Mapping[str, Located]
    key: str
    line: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The content of a schedule file, in order."""

    path: Path
    text: str
    definitions: tuple[Definition, ...]
    uses: tuple[Use, ...]
    notes: tuple[str, ...] = ()

    @property
    def unused(self) -> tuple[Definition, ...]:
        """Definitions that no policy uses."""
        used = {use.definition.key for use in self.uses}
        return tuple(each for each in self.definitions if each.key not in used)

    def error(self, line: int, key: str, sentence: str) -> ScheduleError:
        """An error of this file."""
        return ScheduleError(f"{self.path}:{line}: {key}: {sentence}")


def load_schedule(path: str | Path) -> Schedule:
    """Read a file; ScheduleError for what is not a schedule, with the nearest known name.

    Whether classes and arguments exist is checked when policies are made, with the same lines.
    """
    file = Path(path)
    repeated: list[str] = []
    try:
        root = read_yaml(file, repeated)
    except QprepError as error:
        raise ScheduleError(str(error)) from error
    reader = _ScheduleReader(file)
    top = reader.mapping(root, "", _TOP)
    reader.version(top.get("version"))
    definitions = [
        each for name, section in _SECTIONS.items() if name in top for each in reader.definitions(section, top[name])
    ]
    if "policies" not in top:
        raise reader.error(root.line, "policies", "expected a list of policies, found none")
    uses = reader.uses(top["policies"], definitions)
    return Schedule(file, file.read_text(encoding="utf-8"), tuple(definitions), tuple(uses), tuple(repeated))


class _ScheduleReader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def error(self, line: int, key: str, sentence: str) -> ScheduleError:
        return ScheduleError(f"{self._path}:{line}: {key}: {sentence}" if key else f"{self._path}:{line}: {sentence}")

    def mapping(self, given: Located, key: str, known: Iterable[str] = ()) -> Mapping[str, Located]:
        """The entries; an empty mapping may be left out."""
        if given.value is None:
            return {}
        if not isinstance(given.value, Mapping):
            raise self.error(given.line, key, f"expected a mapping, found {_called(given.value)}")
        names = list(known)
        for name, each in given.value.items():
            if names and name not in names:
                hint = did_you_mean(str(name), names) or f"; known are {', '.join(names)}"
                raise self.error(each.line, _under(key, str(name)), f"unknown key {name!r}{hint}")
        found: Mapping[str, Located] = given.value
        return found

    def version(self, given: Located | None) -> None:
        if given is not None and given.value != VERSION:
            raise self.error(given.line, "version", f"expected {VERSION}, found {_called(given.value)}")

    def definitions(self, section: Section, given: Located) -> Iterable[Definition]:
        for name, each in self.mapping(given, section.value).items():
            key = f"{section.value}.{name}"
            entries = self.mapping(each, key)
            if "class" not in entries:
                raise self.error(each.line, key, "expected a class, found none")
            named = entries["class"]
            if not isinstance(named.value, str):
                sentence = f"expected the name of a class, found {_called(named.value)}"
                raise self.error(named.line, f"{key}.class", sentence)
            arguments = {argument: value for argument, value in entries.items() if argument != "class"}
            yield Definition(section, name, named.value, arguments, each.line, named.line)

    def uses(self, given: Located, definitions: Iterable[Definition]) -> list[Use]:
        if given.value is None or (isinstance(given.value, list) and not given.value):
            raise self.error(given.line, "policies", "expected a list of policies, found an empty one")
        if not isinstance(given.value, list):
            raise self.error(given.line, "policies", f"expected a list of policies, found {_called(given.value)}")
        known = list(definitions)
        found = [self._use(each, f"policies[{place}]", known) for place, each in enumerate(given.value)]
        quantizers = [each for each in found if each.definition.section is Section.QUANTIZERS]
        if len(quantizers) > 1:
            second = quantizers[1]
            raise self.error(second.line, second.key, "expected one quantizer at most, found a second")
        return found

    def _use(self, given: Located, key: str, known: list[Definition]) -> Use:
        entries = self.mapping(given, key, (*_KINDS, *WHEN))
        kinds = [name for name in entries if name in _KINDS]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none"
            raise self.error(given.line, key, f"expected one of {', '.join(_KINDS)} in a policy, found {found}")
        kind = kinds[0]
        place = f"{key}.{kind}"
        inner = self.mapping(entries[kind], place, ("instance_name", "args"))
        if "instance_name" not in inner:
            raise self.error(entries[kind].line, place, "expected instance_name, found none")
        definition = self._definition(inner["instance_name"], f"{place}.instance_name", _KINDS[kind], known)
        args = self.mapping(inner["args"], f"{place}.args") if "args" in inner else {}
        when = {name: each for name, each in entries.items() if name in WHEN}
        return Use(definition, args, when, key, given.line)

    def _definition(self, named: Located, key: str, section: Section, known: list[Definition]) -> Definition:
        if named.value is None or isinstance(named.value, (Mapping, list)):
            raise self.error(named.line, key, f"expected the name of an instance, found {_called(named.value)}")
        name = str(named.value)
        for each in known:
            if (each.section, each.name) == (section, name):
                return each
        other = next((each.section.value for each in known if each.name == name), None)
        if other is not None:
            raise self.error(named.line, key, f"expected an instance of {section.value}, found {name!r} of {other}")
        mine = [each.name for each in known if each.section is section]
        hint = did_you_mean(name, mine) or (f"; known are {', '.join(mine)}" if mine else "; none is defined")
        raise self.error(named.line, key, f"expected an instance of {section.value}, found {name!r}{hint}")


def _under(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _called(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)
