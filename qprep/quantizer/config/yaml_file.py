"""YAML as values that know their line; needs PyYAML, part of qprep[torch]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qprep.foundation.errors import QprepError

_STANDARD: Final = "tag:yaml.org,2002:"
_PLAIN: Final = tuple(_STANDARD + kind for kind in ("map", "seq", "python/tuple", "python/list", "python/dict"))
_VALUES_OF_A_CHARACTER: Final = 20  # aliases of aliases grow to any size; texts that a person writes stay far below


@dataclass(frozen=True, slots=True)
class Located:
    """A plain value, or a mapping or list of further ones, and the line that it starts in."""

    value: Any
    line: int

    def plain(self) -> Any:  # noqa: ANN401  (whatever stands in the file)
        """The value without lines."""
        if isinstance(self.value, Mapping):
            return {key: each.plain() for key, each in self.value.items()}
        if isinstance(self.value, list):
            return [each.plain() for each in self.value]
        return self.value


def read_yaml(path: Path, repeated: list[str] | None = None) -> Located:
    """The one document of a file; QprepError, with file and line, for what is not YAML, and for keys given twice.

    Where `repeated` is given, a key may be repeated with an equal value: it gets the sentence that says so.
    """
    try:
        import yaml
    except ImportError as error:
        raise QprepError("expected PyYAML to read a configuration with: pip install 'qprep[torch]'") from error
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QprepError(f"expected a YAML file, found none that can be read at {path}: {error}") from error
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        limit = 1000 + _VALUES_OF_A_CHARACTER * len(text)
        return Located({}, 1) if node is None else _YamlReader(loader, path, repeated, limit).read(node)
    except RecursionError as error:
        raise QprepError(f"{path}: expected YAML, found too many levels of nested values") from error
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        raise QprepError(f"{path}:{line}: expected YAML, found invalid text: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise QprepError(f"{path}:{line}: expected YAML, found the character {error.character!r}") from error
    except yaml.YAMLError as error:
        raise QprepError(f"{path}: expected YAML, found invalid text: {' '.join(str(error).split())}") from error


class _YamlReader:
    def __init__(
        self,
        loader: Any,  # noqa: ANN401  (yaml.SafeLoader)
        path: Path,
        repeated: list[str] | None,
        limit: int,
    ) -> None:
        self._loader, self._path, self._repeated, self._left = loader, path, repeated, limit
        self._open: list[int] = []

    def read(self, node: Any) -> Located:  # noqa: ANN401  (yaml.Node)
        line = node.start_mark.line + 1
        self._left -= 1
        if self._left < 0:
            raise QprepError(f"{self._path}:{line}: expected values, found aliases that repeat too many of them")
        if id(node) in self._open:
            raise QprepError(f"{self._path}:{line}: expected values, found an alias of its own parent")
        self._open.append(id(node))
        try:
            return Located(self._value(node), line)
        finally:
            self._open.pop()

    def _value(self, node: Any) -> Any:  # noqa: ANN401  (of any kind)
        if node.id != "scalar" and node.tag not in _PLAIN:
            tag = str(node.tag).replace(_STANDARD, "!!")
            raise QprepError(
                f"{self._path}:{node.start_mark.line + 1}: expected plain values, found a {node.id} with the tag {tag}"
            )
        if node.id == "mapping":
            self._check_keys(node)
            self._loader.flatten_mapping(node)  # `<<: *defaults`, whose keys come first
            return dict(self._pairs(node))
        if node.id == "sequence":
            return [self.read(each) for each in node.value]
        return self._loader.construct_object(node)

    def _check_keys(self, node: Any) -> None:  # noqa: ANN401  (yaml.MappingNode)
        seen: dict[str, tuple[int, Any]] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.id != "scalar":
                raise QprepError(f"{self._path}:{line}: expected a plain key, found a {key.id}")
            if key.value in seen:
                first, before = seen[key.value]
                if self._repeated is None or self.read(before).plain() != self.read(value).plain():
                    raise QprepError(
                        f"{self._path}:{line}: expected each key once, found {key.value!r} again (line {first})"
                    )
                self._repeated.append(f"line {line}: {key.value!r} is in line {first} already, with an equal value")
            seen.setdefault(key.value, (line, value))

    def _pairs(self, node: Any) -> Iterator[tuple[str, Located]]:  # noqa: ANN401  (yaml.MappingNode)
        """Keys as they are written: 0 and 1.10 are names of modules."""
        for key, value in node.value:
            yield key.value, Located(self.read(value).value, key.start_mark.line + 1)
