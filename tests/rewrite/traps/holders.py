"""Attributes of the same name that are set on other objects, and on objects that only seem to be others (7)."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, prepared

_CHANGED = "set or changed on another object"
_MODELS = """
class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()
        self.gain = 2

    def forward(self, x):
        return self.act(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.LeakyReLU(0.5)

    def forward(self, x):
        return self.act(self.fc(self.act(x)))

"""


def _patched(function: str, use: str = "patch(made)") -> str:
    """`patch` of some object, used on the model or on a module beside it."""
    example = f"def example():\n    made = Net()\n    {use}\n    return made, (torch.randn(2, 4),)\n"
    return module(f"{_MODELS}\n{function}\n\n\n{example}")


OTHERS: tuple[Case, ...] = (
    prepared("set-on-a-new-object", _patched("def patch(m):\n    other = Other()\n    other.act = nn.SiLU()")),
    prepared(
        "set-behind-a-test-of-its-class",
        _patched("def patch(m):\n    if isinstance(m, Other):\n        m.act = nn.SiLU()"),
    ),
    prepared("set-on-an-annotated-parameter", _patched("def patch(m: Other | None):\n    m.act = nn.SiLU()", "")),
    prepared(
        "set-on-what-is-asked-for-more",
        _patched("def patch(m):\n    m.act = nn.SiLU()\n    return m.gain", "patch(Other())"),
    ),
    prepared(
        "set-on-a-part-of-another-class",
        _patched("""
class Around(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Other()
        self.part.act = nn.SiLU()

    def forward(self, x):
        return self.part(x)
""").replace("patch(made)", "Around()"),
    ),
)

_HANDED_ON = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.LeakyReLU(0.5)
        self.body = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)

    def forward(self, x):
        return self.body(x)
"""

HANDED_ON: tuple[Case, ...] = (
    prepared(
        "local-name-of-an-attribute-set-elsewhere",
        _patched("def patch(m):\n    m.act = nn.SiLU()").replace("def example", f"{_HANDED_ON}\n\ndef example"),
    ),
    declined(
        "local-name-of-an-attribute-changed-elsewhere",
        _patched("def patch(m):\n    m.act.negative_slope = 0.1", "patch(Other())").replace(
            "def example", f"{_HANDED_ON}\n\ndef example"
        ),
        "is changed on another object",
    ),
)

NOT_OTHERS: tuple[Case, ...] = (
    declined(
        "set-behind-a-test-of-a-base",
        _patched("def patch(m):\n    if isinstance(m, (Other, nn.Module)):\n        m.act = nn.SiLU()"),
        _CHANGED,
    ),
    declined(
        "set-on-what-a-function-with-a-capital-makes",
        _patched(
            "def Made():\n    return Net()\n\n\ndef patch():\n    m = Made()\n    m.act = nn.SiLU()\n    return m"
        ).replace("made = Net()\n    patch(made)", "made = patch()"),
        _CHANGED,
    ),
    declined(
        "set-in-the-next-turn-of-a-loop",
        _patched(
            "def patch(net):\n    m = Other()\n    for _ in range(2):\n        m.act = nn.SiLU()\n        m = net\n"
        ),
        _CHANGED,
    ),
    declined(
        "set-after-a-branch-gave-the-name-another",
        _patched("def patch(net):\n    m = Other()\n    if net:\n        m = net\n    m.act = nn.SiLU()"),
        _CHANGED,
    ),
    declined(
        "asked-for-more-in-a-branch",
        _patched("def patch(m):\n    m.act = nn.SiLU()\n    return m.gain if hasattr(m, 'gain') else 1"),
        _CHANGED,
    ),
    declined(
        "asked-for-what-is-set-on-it",
        _patched("def patch(m):\n    m.gain = 3\n    m.act = nn.SiLU()\n    return m.gain"),
        _CHANGED,
    ),
    declined(
        "set-after-a-failure-in-between",
        _patched(
            "def patch(net):\n    m = Other()\n    try:\n        m = net\n        net.missing\n"
            "    except AttributeError:\n        m.act = nn.SiLU()"
        ),
        _CHANGED,
    ),
    declined(
        "asked-for-what-the-run-gave-it",
        _patched(
            "def patch(m):\n    for name in ['gain']:\n        setattr(m, name, 3)\n    m.act = nn.SiLU()\n"
            "    return m.gain"
        ),
        _CHANGED,
    ),
    declined(
        "set-on-what-a-name-of-a-class-became",
        _patched("def patch(m):\n    Other = lambda: m\n    made = Other()\n    made.act = nn.SiLU()"),
        _CHANGED,
    ),
    declined(
        "set-on-a-part-that-is-handed-in",
        _patched("""
class Around(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part
        self.part.act = nn.SiLU()

    def forward(self, x):
        return self.part(x)
""").replace("patch(made)", "Around(made)"),
        _CHANGED,
    ),
    declined(
        "set-on-a-part-of-a-subclass",
        _patched("""
class Around(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Other()

    def change(self):
        self.part.act = nn.SiLU()

    def forward(self, x):
        return self.part(x)


class Wider(Around):
    def __init__(self, part):
        super().__init__()
        self.part = part
        self.change()
""").replace("patch(made)", "Wider(made)"),
        _CHANGED,
    ),
)

CASES = {7: (*OTHERS, *HANDED_ON, *NOT_OTHERS)}
