"""Does one verb's work part by part: what is known is looked up, the rest is done here or by worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from qprep.analysis.dependencies.partitions import Partition
from qprep.analysis.inputs import Files, Setting
from qprep.analysis.symbols.parse_cache import ParsedFiles
from qprep.analysis.symbols.project_files import ExternalModule
from qprep.engine.execution import Attempt, Clock, attempt
from qprep.engine.partitioning import Division
from qprep.engine.process_pool import Pool
from qprep.engine.work import PartJob, Work

if TYPE_CHECKING:
    from qprep.foundation.findings import Finding

_T = TypeVar("_T")
ExternalModules = Mapping[str, ExternalModule]


@dataclass(frozen=True, slots=True)
class PartOutcome(Generic[_T]):
    """The result of one part, the modules outside it that were looked up, and if it is whole."""

    result: _T
    asked: ExternalModules
    whole: bool = True


@dataclass(slots=True)
class PartLook(Generic[_T]):
    """One verb's work on a part: `work` gives a result and the modules that were looked for."""

    verb: str
    work: Callable[[Sequence[Path], Setting], tuple[_T, ExternalModules]]
    parsed: ParsedFiles = field(default_factory=ParsedFiles)

    def outcome(
        self, division: Division, part: Partition, broken: dict[str, Finding], tell: Callable[[str], None]
    ) -> PartOutcome[_T]:
        """Look at a part without the files that are broken."""
        setting = Setting(part.around, self.parsed, division.summary, broken, tell, part.context, part.notes_open_names)
        result, asked = self.work(part.paths, setting)
        return PartOutcome(result, asked, not broken)


@dataclass(frozen=True, slots=True)
class Memory(Generic[_T]):
    """Results of parts: `find` looks one up, `keep` remembers one."""

    find: Callable[[Partition], _T | None]
    keep: Callable[[Partition, PartOutcome[_T]], object] | None = None


def run_parts(
    look: PartLook[_T],
    work: Work,
    memory: Memory[_T] | None = None,
    shorten: Callable[[_T], _T] = lambda result: result,
) -> list[_T]:
    """The result of each part, in order; the same however many processes there are.

    `shorten` leaves out of each what is not wanted, once it is remembered: all are held until the last one is there.
    """
    every = work.every
    results: dict[int, _T] = {}
    if memory is not None:
        known = ((position, memory.find(part)) for position, (_, part) in enumerate(every))
        results = {position: shorten(result) for position, result in known if result is not None}
    size = Files(work.overlay).size
    sizes = {at: sum(map(size, part.paths)) for at, (_, part) in enumerate(every) if at not in results}
    clock = Clock(work.effort.tell, sum(len(every[position][1].paths) for position in sizes))
    number = work.effort.workers(list(sizes.values())) if sizes else 1
    done = _here(look, work, sizes, clock) if number == 1 else _spread(look.verb, work, sizes, clock, number)
    for position, outcome in done:
        clock.finish(len(every[position][1].paths))
        if memory is not None and memory.keep is not None and outcome.whole:
            memory.keep(every[position][1], outcome)
        results[position] = shorten(outcome.result)
    return [results[position] for position in range(len(every))]


def _here(
    look: PartLook[_T], work: Work, sizes: Mapping[int, int], clock: Clock
) -> Iterator[tuple[int, PartOutcome[_T]]]:
    """One part after another, in this process."""
    every = work.every
    for position in sizes:
        number, part = every[position]

        def once(state: Attempt, number: int = number, part: Partition = part) -> PartOutcome[_T]:
            def tell(path: str) -> None:
                work.effort.check_wanted()
                state.tell(path)
                clock.begin(path)

            return look.outcome(work.divisions[number], part, state.broken, tell)

        yield position, attempt(once)


def _spread(
    verb: str, work: Work, sizes: Mapping[int, int], clock: Clock, number: int
) -> Iterator[tuple[int, PartOutcome[_T]]]:
    """As processes end with them."""
    every = work.every
    jobs = [PartJob(position, every[position][0], every[position][1], size) for position, size in sizes.items()]
    for job, outcome in Pool(verb, work, clock.begin).run(jobs, number):
        yield job.position, outcome
