"""9: one instance with parameters, handed to the constructors of several blocks."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, prepared, untouched

_MODEL = """
class Position(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.act = nn.ReLU()
        self.scale = nn.Parameter(torch.ones(4))
        {state}

    def forward(self, x):
        {remember}
        return self.act(self.norm(self.proj(x)))


class Block(nn.Module):
    def __init__(self, dim, position=None, others=()):
        super().__init__()
        self.fc = nn.Linear(dim, 4)
        {keep}

    def forward(self, x):
        return {run}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.position = Position()
        {made}
        {init}

    def _init(self, m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
"""


_REMEMBERING = """
class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        {state}

    def forward(self, x):
        {remember}
        return self.fc(x).roll(int(self.calls))


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Inner(), Inner()])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = {block}()

    def forward(self, x):
        return self.block(self.block(x))
"""


def _again(block: str, state: str, remember: str) -> str:
    return module(_REMEMBERING.format(block=block, state=state, remember=remember))


def _model(
    made: str,
    *,
    init: str = "self.apply(self._init)",
    keep: str = "self.position = position",
    run: str = "self.position(self.fc(x))",
    state: str = "self.kept = 0",
    remember: str = "self.seen = x",
) -> str:
    return module(_MODEL.format(made=made, init=init, keep=keep, run=run, state=state, remember=remember))


_TWICE = "self.blocks = nn.ModuleList([Block(4, self.position), Block(4, self.position)])"
_EACH = "self.blocks = nn.ModuleList([Block(4, position=self.position) for _ in range(3)])"
_OF_TUPLE = "self.position, self.act = others[0], others[1]"

_BUFFER = "self.register_buffer('calls', torch.zeros((), dtype=torch.long))"

CASES: dict[int, tuple[Case, ...]] = {
    9: (
        declined("counting-in-an-attribute", _again("Inner", "self.calls = 0", "self.calls += 1"), "keeps `calls`"),
        declined("counting-deeper", _again("Outer", "self.calls = 0", "self.calls = self.calls + 1"), "keeps `calls`"),
        declined(
            "counting-in-a-class-of-a-class",
            _again("Outer", "self.calls = 0", "self.calls += 1")
            .replace("class Outer", "class Holder:\n    class Kept(Inner):\n        pass\n\n\nclass Outer")
            .replace("[Inner(), Inner()]", "[Holder.Kept(), Holder.Kept()]"),
            "keeps `calls`",
        ),
        prepared("counting-in-a-buffer", _again("Outer", _BUFFER, "self.calls += 1")),
        prepared("only-leaving-something", _again("Inner", "self.calls = 1", "self.seen = x")),
        prepared("handed-to-two-blocks", _model(_TWICE)),
        prepared("handed-by-name-in-a-comprehension", _model(_EACH)),
        prepared(
            "handed-from-a-local",
            _model("shared = Position()\n        self.blocks = nn.Sequential(Block(4, shared), Block(4, shared))"),
        ),
        prepared(
            "handed-in-a-tuple",
            _model(
                "act = nn.PReLU()\n        others = [Block(4, others=(self.position, act)) for _ in range(2)]\n"
                "        self.blocks = nn.ModuleList(others)",
                keep=_OF_TUPLE,
                run="self.act(self.position(self.fc(x)))",
            ),
        ),
        prepared(
            "handed-on-twice",
            _model(
                "self.blocks = nn.ModuleList([Outer(self.position), Outer(self.position)])",
            ).replace(
                "class Net(",
                "class Outer(Block):\n    def __init__(self, position):\n"
                "        super().__init__(4, position)\n\n\nclass Net(",
            ),
        ),
        untouched(
            "only-looked-at",
            _model(_TWICE, keep="self.width = position.proj.in_features", run="self.fc(x)"),
        ),
        declined(
            "handed-on-and-visited",
            _model(_EACH, init="for m in self.modules():\n            self._init(m)"),
            "iterates over modules",
        ),
        declined(
            "handed-on-and-remembering",
            _model(_EACH, remember="self.kept = self.kept + 1\n        x = x.roll(self.kept)"),
            "keeps `kept` from one call to the next",
        ),
        declined(
            "handed-twice-in-one-call",
            _model(
                "self.blocks = nn.Sequential(Block(4, self.position, self.position), Block(4, nn.ReLU(), nn.ReLU()))",
                keep="self.position, self.other = position, others",
                run="self.other(self.position(self.fc(x)))",
            ),
            "gets the same module twice",
        ),
    )
}
