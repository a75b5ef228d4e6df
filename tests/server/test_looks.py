"""Looks are made on demand, give way to newer ones, and end in time even while somebody types."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pygls")

from qprep.cli.lsp import looks as under_test
from qprep.cli.lsp.buffers import Buffer
from qprep.cli.lsp.documents import Document, DocumentLook
from qprep.cli.lsp.looks import MOST_INTERRUPTIONS, Looks
from qprep.engine.execution import ObsoleteError

MOMENT = 0.05


class Slow:
    """A look that goes on until it is obsolete, or may end."""

    def __init__(self) -> None:
        self.may_end = False
        self.begun: list[Path] = []

    def __call__(self, look: DocumentLook) -> dict[str, Document]:
        self.begun.append(look.buffer.path)
        while not self.may_end:
            if look.obsolete():
                raise ObsoleteError("obsolete")
            time.sleep(MOMENT / 10)
        uri = look.buffer.path.stem
        return {uri: Document(uri, look.buffer.name, look.buffer.texts[uri])}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    work = Slow()
    monkeypatch.setattr(under_test, "look_at", work)
    yield work
    work.may_end = True


def opened(texts: dict[str, str]) -> Looks:
    def buffers() -> dict[str, Buffer]:
        return {
            uri: Buffer(Path(f"{uri}.py"), text.encode(), {uri: text}, {uri: f"{uri}.py"})
            for uri, text in texts.items()
        }

    return Looks(buffers)


async def begun(slow: Slow, number: int) -> None:
    while len(slow.begun) < number:
        await asyncio.sleep(MOMENT / 10)


def test_a_newer_text_interrupts_a_look_but_not_for_ever(slow: Slow) -> None:
    async def talk() -> None:
        looks = opened({"a": "x"})
        for number in range(1, MOST_INTERRUPTIONS + 1):
            look = asyncio.create_task(looks.later("a"))
            await begun(slow, number)
            looks.changed()
            assert await look is None
        last = asyncio.create_task(looks.later("a"))
        await begun(slow, MOST_INTERRUPTIONS + 1)
        looks.changed()
        await asyncio.sleep(MOMENT)
        assert not last.done()
        slow.may_end = True
        assert await last is not None

    asyncio.run(talk())


def test_who_waits_goes_before_what_is_only_to_be_shown(slow: Slow) -> None:
    async def talk() -> None:
        looks = opened({"a": "x", "b": "y"})
        shown = asyncio.create_task(looks.later("a"))
        await begun(slow, 1)
        asked = asyncio.create_task(looks.now("b"))
        assert await shown is None
        slow.may_end = True
        document = await asked
        assert document is not None
        assert document.text == "y"

    asyncio.run(talk())


def test_what_is_asked_for_is_of_the_text_as_it_is(slow: Slow) -> None:
    async def talk() -> None:
        texts = {"a": "old"}
        looks = opened(texts)
        asked = asyncio.create_task(looks.now("a"))
        await begun(slow, 1)
        texts["a"] = "new"
        looks.changed()
        slow.may_end = True
        document = await asked
        assert document is not None
        assert document.text == "new"
        assert await looks.now("a") is document  # nothing changed: no other look
        assert len(slow.begun) == 2

    asyncio.run(talk())
