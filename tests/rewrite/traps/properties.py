# ruff: noqa: E501 -- sources as short strings
"""14: properties, which run where they are read."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, prepared

_NET = """
{imports}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {first}
        self.fc = nn.Linear(4, 4)
        self.relu = nn.ReLU()
        self.last = None
        {init}

    {property}

    def forward(self, x):
        {forward}
"""

_TWICE = "return self.last * 2"


def _net(body: str, forward: str, *, init: str = "", first: str = "", kind: str = "property", imports: str = "") -> str:
    found = f"@{kind}\n    def doubled(self):\n        {body}"
    return module(_NET.format(property=found, forward=forward, init=init, first=first, imports=imports))


_OTHER = """
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = None

    @property
    def doubled(self):
        return self.last * 2

    def forward(self, x):
        self.last = x
        return x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = Scale()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        self.scale(self.fc(x))
        return {}
"""

PROPERTIES: tuple[Case, ...] = (
    prepared("property", _net(_TWICE, "self.last = self.fc(x)\n        return self.doubled")),
    prepared("property-read-twice", _net(_TWICE, "self.last = self.fc(x)\n        return self.doubled, self.doubled")),
    prepared(
        "property-in-a-chain",
        _net(_TWICE, "self.last = self.fc(x)\n        return self.doubled.mean(1), getattr(self, 'doubled')"),
    ),
    prepared(
        "property-that-runs-a-module-again",
        _net("return self.relu(self.last)", "self.last = self.fc(self.relu(x))\n        return self.doubled"),
    ),
    declined(
        "property-that-gives-a-module",
        _net("return self.relu", "x = self.doubled(self.fc(x))\n        return self.doubled(x)"),
        "the place that creates `doubled` is unknown",
    ),
    prepared(
        "property-that-gives-a-function",
        _net("return F.relu", "x = self.doubled(self.fc(x))\n        return self.doubled(x)"),
    ),
    prepared(
        "property-read-by-the-constructor",
        _net(_TWICE, "self.last = self.fc(x)\n        return self.doubled", init="self.last = torch.ones(4)").replace(
            "        self.last = torch.ones(4)\n",
            "        self.last = torch.ones(4)\n        self.ones = self.doubled\n",
        ),
    ),
    prepared(
        "cached-property",
        _net(
            _TWICE,
            "self.last = self.fc(x)\n        self.__dict__.pop('doubled', None)\n        return self.doubled + self.doubled",
            kind="functools.cached_property",
            imports="import functools",
        ),
    ),
    prepared("property-of-another-module", module(_OTHER.format("self.scale.doubled"))),
    declined(
        "property-of-another-module-twice",
        module(_OTHER.format("self.scale.doubled, self.scale.doubled")),
        "property of another module",
    ),
)

CASES = {14: PROPERTIES}
