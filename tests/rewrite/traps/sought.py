"""Code that looks for modules, children or parameters of constructors in any model (1, 6, 7, 15)."""

from __future__ import annotations

import textwrap

from tests.rewrite.cases import Case, declined, module, net, prepared

_MODEL = "\n\ndef example():\n    made = Net()\n    {}\n    return made, (torch.randn(2, 4),)\n"


def _made(how: str, forward: str, init: str = "", extra: str = "") -> str:
    """A model that `example` makes, and changes."""
    return net(forward, init, extra=extra) + _MODEL.format(how)


_IN_PLACE = """
def in_place(m):
    if isinstance(m, nn.ReLU):
        m.inplace = True
"""
_CONVERT = """
def convert(model):
    for name, child in model.named_children():
        if isinstance(child, nn.ReLU):
            setattr(model, name, nn.SiLU())
"""
_SILENCE = """
def silence(model):
    for m in model.modules():
        if m.__class__.__name__.startswith("Dropout"):
            m.p = 0.0
"""
_INJECT = """
class Added(nn.Module):
    def __init__(self, fc):
        super().__init__()
        self.fc = fc
        self.a = nn.Parameter(torch.ones(4, 4))

    def forward(self, x):
        return F.linear(self.fc(x), self.a)


def inject(model):
    for name, child in list(model.named_children()):
        if isinstance(child, nn.Linear):
            setattr(model, name, Added(child))
"""

_BY_NAME = """
def unused(self):
    for name in tuple(self._modules):
        if name.startswith("{}"):
            setattr(self, name, None)
"""
_OWN_CLASSES = """
class Held(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh())

    def forward(self, x):
        return self.inner(x)


def inject(model):
    for name, child in list(model.named_children()):
        if isinstance(child, ({})):
            setattr(model, name, nn.Identity())
        if isinstance(model, nn.Module) and not isinstance(name, str):
            return
"""


def _method(text: str) -> str:
    return "\n" + textwrap.indent(text.strip(), "    ") + "\n"


_FUSE = """
class Held(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return self.inner(x)
{method}

def fuse_all(model):
    for name, child in model.named_children():
        if hasattr(child, "fuse"):
            setattr(model, name, child.fuse())
"""
_FUSED = "\n    def fuse(self):\n        return nn.Identity()\n"

CLASSES: tuple[Case, ...] = (
    prepared(
        "block-without-what-is-asked-for",
        _made(
            "fuse_all(made)",
            "return self.held(torch.tanh(self.held(x)))",
            "self.held = Held()",
            _FUSE.format(method=""),
        ),
    ),
    declined(
        "block-with-what-is-asked-for",
        _made(
            "fuse_all(made)",
            "return self.held(torch.tanh(self.held(x)))",
            "self.held = Held()",
            _FUSE.format(method=_FUSED),
        ),
        "is replaced by code that selects its class",
    ),
    prepared(
        "flag-set-by-class", _made("made.apply(in_place)", "y = self.fc(x)\nreturn F.relu(y) + y", extra=_IN_PLACE)
    ),
    prepared("converted-by-class", _made("convert(made)", "return F.relu(self.fc(x) - 1)", extra=_CONVERT)),
    prepared(
        "held-function-converted-by-class",
        _made("convert(made)", "return self.act(self.fc(x) - 1)", "self.act = F.relu", extra=_CONVERT),
    ),
    prepared(
        "flag-set-by-the-name-of-a-class",
        _made("silence(made)", "return F.dropout(self.fc(x), 0.5, self.training) + x", extra=_SILENCE),
    ),
    declined(
        "layer-replaced-by-class",
        _made("inject(made)", "return self.fc(torch.tanh(self.fc(x)))", extra=_INJECT),
        "is replaced by code that selects its class",
    ),
    prepared(
        "block-around-no-replaced-layer",
        _made(
            "inject(made)",
            "return self.held(torch.tanh(self.held(x)))",
            "self.held = Held()",
            extra=_OWN_CLASSES.format("nn.Conv2d, nn.Dropout"),
        ),
    ),
    prepared(
        "block-of-what-it-is-given-and-replaced-activations",
        _made(
            "convert(made)",
            "return self.held(torch.tanh(self.held(x)))",
            "self.held = Given(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))",
            extra=_CONVERT.replace(
                "setattr", "convert(child)\n        if isinstance(child, nn.ReLU):\n            setattr", 1
            )
            + "\n\nclass Given(nn.Module):\n    def __init__(self, inner):\n        super().__init__()\n"
            "        self.inner = inner\n\n    def forward(self, x):\n        return self.inner(x)\n",
        ),
    ),
    declined(
        "block-around-a-replaced-layer",
        _made(
            "inject(made.held)",
            "return self.held(torch.tanh(self.held(x)))",
            "self.held = Held()",
            extra=_OWN_CLASSES.format("nn.Conv2d, nn.Linear"),
        ),
        "is replaced by code that selects its class",
    ),
    declined(
        "layer-replaced-in-a-dict",
        _made("made._modules['fc'] = nn.Identity()", "return self.fc(torch.tanh(self.fc(x)))"),
        "set or changed outside the class",
    ),
    declined(
        "activation-hooked-by-its-path",
        _made(
            "made.get_submodule('act').register_forward_hook(lambda m, i, o: o * 2)",
            "return self.act(self.fc(self.act(x)))",
            "self.act = nn.ReLU()",
        ),
        "set or changed outside the class",
    ),
)

CHILDREN: tuple[Case, ...] = (
    declined(
        "second-instance-of-what-children-are-asked-for",
        net(
            "return self.held(torch.tanh(self.held(x))) * self.number",
            "self.held = Held()\nself.number = 1",
            extra=_FUSE.partition("def fuse_all")[0].format(method=_FUSED),
        )
        + _method(
            "def count(self):\n    for child in self.children():\n        if hasattr(child, 'fuse'):\n"
            "            self.number += 1"
        )
        + _MODEL.format("made.count()"),
        "it would include a second instance",
    ),
    prepared(
        "child-dropped-by-its-name",
        net("return F.relu(self.fc(x)) + x") + _method("def drop(self):\n    self._modules.pop('fc')"),
    ),
    prepared(
        "children-dropped-by-the-beginning-of-their-names",
        net("return F.relu(self.fc(x)) + x") + _method(_BY_NAME.format("aux_")) + _MODEL.format("made.unused()"),
    ),
    prepared(
        "children-asked-one-by-one-at-construction",
        net("return F.relu(self.fc(x)) + x", "self.known = self.every()")
        + _method(
            "def every(self):\n    found = {}\n\n    def add(name, module):\n"
            "        if hasattr(module, 'in_features'):\n            found[name] = module.in_features\n"
            "        for below, child in module.named_children():\n            add(name + below, child)\n"
            "        return found\n\n    for name, module in self.named_children():\n        add(name, module)\n"
            "    return found"
        ),
    ),
    prepared(
        "all-modules-asked-while-running",
        net(
            "self.seen = 0\nfor m in self.modules():\n    if hasattr(m, 'bias'):\n        self.seen += 1\n"
            "return F.relu(self.fc(x))"
        ),
    ),
    prepared(
        "children-counted-one-by-one-at-construction",
        net("return F.relu(self.fc(x)) + x", "self.known = self.every()")
        + _method(
            "def every(self):\n    found = {}\n\n    def add(name, module):\n        found[name] = module.training\n"
            "    for name, module in self.named_children():\n        add(name, module)\n    return found"
        ),
    ),
    prepared(
        "children-dropped-whose-names-begin-as-new-ones",
        net("return F.relu(self.fc(x)) + x") + _method(_BY_NAME.format("re")) + _MODEL.format("made.unused()"),
    ),
    prepared(
        "counted-before-an-early-return",
        net(
            "return F.relu(self.fc(x)).repeat(self.n, 1, 1, 1)",
            "self.n = len(list(self.children()))\nif self.n:\n    return",
        ),
    ),
    prepared(
        "counted-before-the-model-runs",
        net(
            "return F.relu(self.fc(x)).repeat(max(self.n, 1), 1, 1, 1)",
            "self.n = 0\nself.n = len(list(self.children()))\nself.k = self(torch.ones(1, 1, 1, 4)).shape",
        ),
    ),
    prepared(
        "all-reset-by-the-constructor",
        net("return F.relu(self.fc(x)) + x", "self.reset_parameters()")
        + "\n    def reset_parameters(self):\n        for m in self.children():\n            m.reset_parameters()\n",
    ),
    prepared(
        "all-reset-later",
        net("return F.relu(self.fc(x)) + x")
        + "\n    def reset_parameters(self):\n        for m in self.children():\n            m.reset_parameters()\n"
        + _MODEL.format("made.reset_parameters()"),
    ),
)

_BASE = """
import inspect


class Base(nn.Module):
    def __init__(self, n, act=nn.ReLU):
        super().__init__()
        self.fc = nn.Linear(n, 4)
        self.act = act()


class Net(Base):
    def forward(self, x):
        return self.act(self.fc(x)) + x


def example():
    known = inspect.signature(Net.__init__).parameters
    given = {"n": 4, "act": nn.Tanh, "k": 1}
    return Net(**{name: value for name, value in given.items() if name in known}), (torch.randn(2, 4),)
"""

CONSTRUCTORS: tuple[Case, ...] = (
    prepared("parameters-asked-for", module(_BASE)),
    declined(
        "parameters-asked-for-of-another-default",
        module(_BASE.replace("act=nn.ReLU", "act=lambda: nn.ReLU()")),
        "inspects the parameters of constructors",
    ),
    declined(
        "parameters-of-another-file-asked-for",
        {
            "base.py": module(_BASE.split("class Net", maxsplit=1)[0]),
            "model.py": module("import inspect\n\nfrom base import Base\n\n\nclass Net" + _BASE.split("class Net")[1]),
        },
        "inspects the parameters of constructors",
    ),
    declined(
        "parameters-asked-for-under-another-name",
        module(
            _BASE.replace("act=nn.ReLU", "act=lambda: nn.ReLU()")
            .replace("import inspect", "from inspect import signature as sig")
            .replace("inspect.signature(", "sig(")
        ),
        "inspects the parameters of constructors",
    ),
    declined(
        "made-by-a-metaclass",
        module("""
class Meta(type):
    def __call__(cls, *args, **kwargs):
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made.setup(*args, **kwargs)
        return made


class Net(nn.Module, metaclass=Meta):
    def setup(self):
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""),
        "metaclass",
    ),
)

_COUNT = "def count(self):\n    for child in self.children():\n        {}"
_VISIT = """def count(self):
    def visit(child):
        {}
        for below in child.children():
            visit(below)

    for child in self.children():
        visit(child)"""
_ANSWERS = {
    "other": "if isinstance(child, nn.Linear):\n            self.k += 1\n        else:\n            self.k += 2",
    "not": "if not isinstance(child, nn.Linear):\n            self.k += 1",
    "same": "if isinstance(child, (nn.ReLU, nn.Linear)):\n            self.k += 1",
    "any": "if isinstance(child, nn.Module):\n            self.k += 1",
    "or": "if isinstance(child, nn.Linear) or self.k:\n            self.k += 1",
    "also": "if self.k:\n            self.k += 1\n        if isinstance(child, nn.Linear):\n            self.k += 1",
    "has": "if hasattr(child, 'forward') or hasattr(child, 'inplace'):\n            self.k += 1",
    "getting": "if getattr(child, 'training', False):\n            self.k += 1",
}


def _counted(method: str) -> str:
    return (
        net("return F.relu(self.fc(x)) * self.k", "self.k = 1\nself.act = nn.ReLU()")
        + _method(method)
        + _MODEL.format("made.count()")
    )


COUNTED: tuple[Case, ...] = (
    *(prepared(f"children-counted-{name}", _counted(_COUNT.format(text))) for name, text in _ANSWERS.items()),
    prepared(
        "children-counted-by-a-function",
        _counted(_VISIT.format(_ANSWERS["other"])),
    ),
    prepared(
        "children-asked-for-a-later-part-of-their-names",
        net("return F.relu(self.fc(x)) * self.k", "self.k = 1")
        + _method(
            "def count(self):\n    for name in list(self._modules):\n"
            "        if name.startswith('elu', 1):\n            self.k += 1"
        )
        + _MODEL.format("made.count()"),
    ),
)

_ADDED = _INJECT[: _INJECT.index("def inject")]
_LOOP = "def inject(model):\n    for name, m in list(model.named_children()):\n        {}\n"
_HOW = {
    "another-function-asks": "if is_target(m):\n            setattr(model, name, Added(m))\n\n\n"
    "def is_target(m):\n    return isinstance(m, nn.Linear)",
    "a-table-tells": "new = {nn.Linear: Added}.get(type(m))\n        setattr(model, name, new(m)) if new else None",
    "its-name-tells": "if name == 'fc':\n            setattr(model, name, Added(m))",
    "lower-case-tells": "if 'linear' in type(m).__name__.lower():\n            setattr(model, name, Added(m))",
    "an-expression-asks": "setattr(model, name, Added(m) if isinstance(m, nn.Linear) else m)",
    "a-pattern-asks": "match m:\n            case nn.Linear():\n                setattr(model, name, Added(m))",
    "a-parameter-tells": "if isinstance(m, model.kinds):\n            setattr(model, name, Added(m))",
    "it-is-added": "if isinstance(m, nn.Linear):\n            model.add_module(name, Added(m))",
}
REPLACED: tuple[Case, ...] = tuple(
    declined(
        f"layer-replaced-where-{name}",
        _made(
            "inject(made)",
            "return self.fc(torch.tanh(self.fc(x)))",
            "self.kinds = nn.Linear",
            _ADDED + _LOOP.format(text),
        ),
        "is replaced by code that selects its class",
    )
    for name, text in _HOW.items()
)

CASES = {1: (*CHILDREN, *COUNTED), 7: (*CLASSES, *REPLACED), 15: CONSTRUCTORS}
