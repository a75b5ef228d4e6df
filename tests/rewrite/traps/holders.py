"""Attributes of the same name that are set on other objects, and on objects that only seem to be others (7)."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, prepared

_CHANGED = "set or changed outside the class"
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
        _patched("def patch(m):\n    gain = m.gain\n    m.act = nn.SiLU()\n    return gain", "patch(Other())"),
    ),
    prepared(
        "set-on-what-is-asked-for-more-that-it-loses",
        _patched(
            "def patch(m):\n    gain = m.gain\n    m.act = nn.SiLU()\n    del m.gain\n    return gain", "patch(Other())"
        ),
    ),
    prepared(
        "set-on-what-is-asked-for-more-that-other-code-changes",
        _patched(
            "def grow(m):\n    m.gain = m.gain + 1\n\n\n"
            "def patch(m):\n    gain = m.gain\n    m.act = nn.SiLU()\n    return gain",
            "grow(Other())",
        ),
    ),
    prepared(
        "set-on-what-is-asked-for-what-the-like-sets",
        _patched(
            "def grow(m):\n    m.gain = m.stem\n\n\ndef start(m):\n    m.stem = m.gain\n\n\n"
            "def patch(m):\n    gain = m.gain\n    m.act = nn.SiLU()\n    return gain",
            "start(Other())",
        ),
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
        "is changed outside the class",
    ),
)

NOT_OTHERS: tuple[Case, ...] = (
    declined(
        "set-on-what-is-asked-for-what-other-code-gives",
        _patched(
            "def grow(m):\n    m.gain = 3\n\n\n"
            "def patch(m):\n    gain = m.gain\n    m.act = nn.SiLU()\n    return gain",
            "grow(made)\n    patch(made)",
        ),
        _CHANGED,
    ),
    declined(
        "set-on-what-is-asked-for-what-other-code-gives-in-two-steps",
        _patched(
            "def start(m):\n    m.stem = 3\n\n\ndef grow(m):\n    m.gain = m.stem\n\n\n"
            "def patch(m):\n    gain = m.gain\n    m.act = nn.SiLU()\n    return gain",
            "start(made)\n    grow(made)\n    patch(made)",
        ),
        _CHANGED,
    ),
    declined(
        "set-on-what-is-asked-for-it-afterwards",
        _patched(
            "def grow(m):\n    m.gain = 3\n    return m.gain\n\n\n"
            "def patch(m):\n    gain = m.gain\n    m.act = nn.SiLU()\n    return gain",
            "grow(made)\n    patch(made)",
        ),
        _CHANGED,
    ),
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


def _set(name: str, function: str, use: str = "patch(made)") -> Case:
    """`patch` changes the model, whatever the code seems to say."""
    return declined(name, _patched(function, use), _CHANGED)


_SETS = "m.act = nn.SiLU()"
_OTHER = "def patch(net):\n    m = Other()\n"
_GUARDED = "def patch(net, m=Other()):\n    if isinstance(m, Other):\n"
REBOUND: tuple[Case, ...] = (
    _set("tested-and-given-another-by-a-loop", f"{_GUARDED}        for m in [net]:\n            {_SETS}"),
    _set(
        "tested-and-given-another-for-the-next-turn", f"{_GUARDED}        for _ in 1, 2:\n            {_SETS}; m = net"
    ),
    _set(
        "tested-and-given-another-by-the-test",
        f"def patch(net, m=Other()):\n    if isinstance(m, Other) and (m := net):\n        {_SETS}",
    ),
    _set(
        "tested-part-that-is-replaced",
        "class Box:\n    mlp = None\n\n\ndef patch(net):\n    b = Box()\n    b.mlp = Other()\n"
        "    if isinstance(b.mlp, Other):\n        b.mlp = net\n        b.mlp.act = nn.SiLU()",
    ),
    _set("next-turn-in-a-branch", f"{_OTHER}    for i in 1, 2:\n        if i:\n            {_SETS}; m = net"),
    _set(
        "given-in-the-try",
        f"{_OTHER}    try:\n        m = net\n    except ValueError: pass\n    else:\n        {_SETS}",
    ),
    _set("given-in-the-try-of-a-finally", f"{_OTHER}    try:\n        m = net\n    finally:\n        {_SETS}"),
    _set("given-in-the-loop-of-an-else", f"{_OTHER}    for _ in 1, 2:\n        m = net\n    else:\n        {_SETS}"),
    _set(
        "given-by-the-test-of-a-loop",
        f"{_OTHER}    left = [net]\n    while left and (m := left.pop()):\n        {_SETS}",
    ),
    _set("given-by-a-pattern", f"{_OTHER}    match [net]:\n        case [m]:\n            {_SETS}"),
    _set(
        "given-by-a-pattern-before", f"{_OTHER}    match net:\n        case Net() as m:\n            pass\n    {_SETS}"
    ),
    _set(
        "parameter-of-an-async-function",
        f"def patch(net):\n    def outer(m: Other):\n        async def inner(m):\n            {_SETS}\n"
        "        return inner(net)\n    try:\n        outer(Other()).send(None)\n"
        "    except StopIteration:\n        pass",
    ),
)

ASKED: tuple[Case, ...] = (
    _set(
        "asked-behind-an-early-return",
        f"def patch(m):\n    {_SETS}\n    if isinstance(m, Net):\n        return 1\n    m.gain",
    ),
    _set(
        "asked-after-a-failure-that-is-caught",
        f"def patch(m):\n    {_SETS}\n    return m.gain\n\n\n"
        "def careful(m):\n    try:\n        patch(m)\n    except AttributeError:\n        pass",
        "careful(made)",
    ),
    _set("asked-at-the-end-of-a-comparison", f"def patch(m, n=1):\n    2 < n < m.gain\n    {_SETS}"),
    _set(
        "asked-for-what-is-set-by-a-name-of-the-run",
        f"def patch(m):\n    for name in ['gauge']:\n        setattr(m, name, 1)\n    m.gauge\n    {_SETS}",
    ),
    _set(
        "asked-for-what-stands-in-the-dict", f"def patch(m):\n    m.__dict__.update(gauge=1)\n    m.gauge\n    {_SETS}"
    ),
    _set(
        "slot-asked-for-more-in-another-method",
        """
class Around(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part
        self.part.act = nn.SiLU()

    def total(self):
        return self.part.gain

    def forward(self, x):
        return self.part(x)
""",
        "Around(made)",
    ),
    _set(
        "slot-filled-by-a-name-of-the-run",
        """
class Around(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = Other()
        for name in ["part"]:
            setattr(self, name, part)
        self.part.act = nn.SiLU()

    def forward(self, x):
        return self.part(x)
""",
        "Around(made)",
    ),
)


def _handing(*methods: str) -> str:
    """A class that has a model, and another way to reach into it."""
    lines = "\n\n".join(
        f"    {method}" for method in ("def __init__(self, net):\n        self.__dict__['net'] = net", *methods)
    )
    return f"class Ema:\n{lines}\n\n\n"


_IN_PLACE = "def patch(net):\n    ema = Ema(net)\n    ema.act.negative_slope = 0.9"
_MARKED = (
    "class Mark(metaclass={}):\n    pass\n\n\n{}def patch(m):\n    if isinstance(m, Mark):\n        m.act = nn.SiLU()"
)
HANDING: tuple[Case, ...] = (
    _set(
        "changed-through-getattr",
        _handing("def __getattr__(self, n):\n        return getattr(self.net, n)") + _IN_PLACE,
    ),
    _set(
        "changed-through-a-property", _handing("@property\n    def act(self):\n        return self.net.act") + _IN_PLACE
    ),
    _set(
        "changed-where-another-holds-it",
        _handing().replace("self.__dict__['net'] = net", "self.act = net.act") + _IN_PLACE,
    ),
    _set(
        "set-through-setattr",
        _handing("def __setattr__(self, n, v):\n        setattr(self.net, n, v)")
        + "def patch(net):\n    ema = Ema(net)\n    ema.act = nn.SiLU()",
    ),
    _set(
        "set-on-what-new-gives",
        "class Maker:\n    def __new__(cls, net):\n        return net\n\n\n"
        "def patch(net):\n    m = Maker(net)\n    m.act = nn.SiLU()",
    ),
    _set(
        "tested-for-a-registered-class", "import abc\n\n\n" + _MARKED.format("abc.ABCMeta", "Mark.register(Net)\n\n\n")
    ),
    _set("class-with-several-values", f"Saved = Other\nOther = Net\n\n\ndef patch(m: Other):\n    {_SETS}"),
    _set(
        "class-that-a-function-replaces",
        f"def patch(m):\n    global Other\n    Other = Net\n    change(m)\n\n\ndef change(m: Other):\n    {_SETS}",
    ),
    _set("class-in-a-class", f"class Kinds:\n    Block = Net\n\n\ndef patch(m: Kinds.Block):\n    {_SETS}"),
    _set(
        "class-imported-or-defined",
        "try:\n    from nowhere import Block\nexcept ImportError:\n    Block = Net\n\n\n"
        f"def patch(m: Block):\n    {_SETS}",
    ),
    _set(
        "class-of-the-function-around",
        f"def make(Other):\n    def patch(m):\n        if isinstance(m, Other):\n            {_SETS}\n    return patch",
        "make(Net)(made)",
    ),
)

CASES = {7: (*OTHERS, *HANDED_ON, *NOT_OTHERS, *REBOUND, *ASKED, *HANDING)}
