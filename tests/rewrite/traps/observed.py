# ruff: noqa: E501 -- sources as short strings
"""20: code that sees modules without a loop over them: by texts, graphs, sources, hooks, methods and names."""

from __future__ import annotations

import textwrap

from tests.rewrite.cases import HEADER, Case, Outcome, declined, module, net, prepared

_FORWARD = "return F.relu(self.fc(x)) + x"
_MARK = "import collections, functools, gc, inspect, io, pprint, sys, types\n\n\ndef mark(net, value):\n    net.fc.bias.data.fill_(float(value) / 7)"

# What each of these gives depends on the modules of `net`, or on the text of its class.
SEEN = {
    "repr": "len(repr(net))",
    "str": "len(str(net))",
    "f-string": 'len(f"{net}")',
    "f-string-repr": 'len(f"{net!r}")',
    "percent": 'len("%s" % net)',
    "percent-of-two": 'len("%s %r" % (1, net))',
    "format": 'len("{}".format(net))',
    "format-function": "len(format(net))",
    "dunder": "len(net.__repr__())",
    "pformat": "len(pprint.pformat(net))",
    "mapped": 'len("".join(map(str, [net])))',
    "names": "len(dir(net))",
    "members": "len(inspect.getmembers(net))",
    "source": "len(inspect.getsource(Net))",
    "source-of-a-method": "len(inspect.getsource(type(net).forward))",
    "byte-code": "len(Net.forward.__code__.co_names)",
    "graph": "len(list(torch.fx.symbolic_trace(net).graph.nodes))",
    "scripted": "len(torch.jit.script(net).code)",
    "own-file": "open(__file__).read().count('F.relu')",
    "objects": "len({id(o) for o in gc.get_objects() if isinstance(o, nn.Module)} & {id(m) for m in net.modules()})",
}
HOW = {
    "here": "mark(net, {value})",
    "in-a-function": "def change(net):\n    mark(net, {value})\n\nchange(net)",
    "of-an-alias": "model = net\nmark(net, {of_model})",
}
_HOLDER = """class Holder:
    def __init__(self, kept):
        self.kept = kept

    def {method}(self):
        return f"Holder of {{self.kept}}"

"""
HOLDERS = {
    "repr": _HOLDER.format(method="__repr__") + "mark(net, len(repr(Holder(net))))",
    "str": _HOLDER.format(method="__str__") + "mark(net, len(str(Holder(net))))",
    "f-string": _HOLDER.format(method="__repr__") + "holder = Holder(net)\nmark(net, len(f'{holder}'))",
    "of-a-list": _HOLDER.format(method="__repr__") + "holders = [Holder(net)]\nmark(net, len(str(holders)))",
}
_HOLDER = _HOLDER.format(method="__repr__")
# What changes nothing that a program computes.
HARMLESS = {
    "printed": "print(net)",
    "printed-with-words": 'print(f"made {net}", "%s" % net)',
    "logged": 'import logging\nlogging.getLogger("x").info("made %s: %s", 1, str(net))',
    "in-an-error": 'if net.fc.in_features != 4:\n    raise ValueError(f"no {net}")',
    "asserted": 'assert net.fc.in_features == 4, f"no {net}"',
    "text-of-a-number": 'mark(net, len(f"{net.fc.in_features} {net.training}"))',
    "text-of-a-class": "mark(net, len(type(net).__name__))",
    "in-a-name": "setattr(net, f'note_{net.training}', 1)",
    "text-of-a-holder-for-people": _HOLDER + "print(Holder(net))",
    "text-of-a-holder-that-nobody-uses": _HOLDER + "mark(net, len(Holder(net).kept._get_name()))",
    "signature": "mark(net, len(inspect.signature(Net.forward).parameters))",
    "arguments": "mark(net, Net.forward.__code__.co_argcount)",
}

_LAYERS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.weight = nn.Parameter(torch.randn(4, 4))

    def forward(self, x):
        return F.linear(self.fc(x), self.weight) + F.layer_norm(x, (4,))
"""
INITS = {
    "applied": "def init(m):\n    name = m.__class__.__name__\n    if name.find('{part}') != -1:\n        m.weight.data.fill_(0.5)\n\nnet.apply(init)",
    "in-a-loop": "for m in net.modules():\n    if '{part}' in type(m).__name__:\n        nn.init.constant_(m.weight, 0.5)",
    "called": "def init(m):\n    if '{part}' in type(m).__name__:\n        getattr(m, 'weight').data.fill_(0.5)\n\nfor m in net.modules():\n    init(m)",
}

_TEXT_OF_ITS_OWN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def __repr__(self):
        return "Net"

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""

_DEEP = """
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 4), nn.ReLU())
        self.k = 1.0

    def forward(self, x):
        y = x
        for layer in self:
            y = layer(y)
        return F.relu(y - 0.25) * self.k + x
"""
ITEMS = {
    "length": "net.k = len(net)",
    "items": "net.k = sum(1 for _ in net)",
    "last": "net.k = net[-1].__class__.__name__ == 'ReLU'",
    "unpacked": "first, *rest = [*net]\nnet.k = len(rest)",
    "deleted": "del net[1]",
    "popped": "net.pop(1)",
    "inserted": "net.insert(0, nn.Tanh())",
    "added": "net.k = (net + nn.Sequential(nn.Tanh()))(torch.ones(1, 4)).mean().item()",
    "repeated": "net.k = (net * 2)(torch.ones(1, 4)).mean().item()",
    "extended-in-place": "blocks = net\nblocks += nn.Sequential(nn.Tanh())",
    "run-by-its-base": "net.k = nn.Sequential.forward(net, torch.ones(1, 4)).mean().item()",
    "run-by-its-base-elsewhere": "run = nn.Sequential\nnet.k = run.forward(net, torch.ones(1, 4)).mean().item()",
}

# Holds a Net: `init` are lines of its constructor, `returned` what its forward gives.
_OTHER = """

class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.net = Net()
{init}

    def forward(self, x):
        return {returned}
"""
_BORROWED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def combine(self, x):
        return F.relu(self.fc(x)) + x

    def forward(self, x):
        return self.combine(x)
"""
BORROWS = {
    "called-on-another": ("", "Net.combine(self, x)"),
    "bound-to-another": ("        self.run = types.MethodType(Net.combine, self)", "self.run(x)"),
    "partly-called": ("        self.run = functools.partial(Net.combine, self)", "self.run(x)"),
    "body-of-another": ("\n    combine = Net.combine", "self.combine(x)"),
}

# A method that the fix leaves as it is may run on other objects.
_LENT = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def size(self):
        return self.fc.in_features

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""
LENT = {
    "called-on-another": ("", "Net.size(self)"),
    "bound-to-another": ("        self.run = types.MethodType(Net.size, self)", "self.run()"),
    "partly-called": ("        self.run = functools.partial(Net.size, self)", "self.run()"),
    "put-back": ("        before = Net.size\n        Net.size = None\n        Net.size = before", "self.net.size()"),
}

# A constructor that is kept for the constructor of a subclass.
_WIDENED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x)) + x


def widen(cls):
    original = cls.__init__

    def init(self, *args):
{body}

    return type(f"Wide{{cls.__name__}}", (cls,), {{"__init__": init}})
"""
WIDENED = {
    "own": ("        original(self, *args)\n        self.size = 4", "prepared"),
    "later": ("        args = ()\n        original(self, *args)", "prepared"),
    "another": ("        nn.Module.__init__(self)\n        self.fc = Net().fc\n        original(Net())", "declined"),
    "never": ("        nn.Module.__init__(self)\n        self.fc = nn.Linear(4, 4)", "declined"),
}

# What a decorator puts in the place of a method meets the modules of its object.
_WRAPPED = """
{decorator}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @{use}
    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""
_WRAPPER = """
def watched(function):
    @functools.wraps(function)
    def wrapper({parameters}):
        {first}.fc.bias.data.fill_(float({value}) / 7)
        return function({parameters})

    return wrapper
"""
_MAKER = """
def watched(scale):
    def decorate(function):
        def wrapper(self, x):
            self.fc.bias.data.fill_(float(len(list(self.modules()))) / scale)
            return function(self, x)

        return wrapper

    return decorate
"""
_CLASS = """
class Watched:
    def __call__(self, function):
        def wrapper(net, x):
            net.fc.bias.data.fill_(float(len(list(net.modules()))) / 7)
            return function(net, x)

        return wrapper
"""
_OF_SELF = _WRAPPER.format(parameters="self, x", first="self", value="len(list(self.modules()))")
WRAPPED = {
    "self": (_OF_SELF, "watched"),
    "arguments": (
        _WRAPPER.format(parameters="*args", first="args[0]", value="len(list(args[0].modules()))"),
        "watched",
    ),
    "text": (_WRAPPER.format(parameters="net, x", first="net", value="len(repr(net))"), "watched"),
    "maker": (_MAKER, "watched(2)"),
    "object": (_CLASS, "Watched()"),
    "another-name": (f"{_OF_SELF}\n\nmine = watched", "mine"),
}
HARMLESS_WRAPPER = _WRAPPER.format(parameters="self, x", first="self", value="self.fc.in_features")

_RECURRENT = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.rnn = nn.LSTM(4, 4)

    def forward(self, x):
        return self.rnn(self.fc(x))[0]


def example():
    net = Net()
    {statement}
    return net, (torch.randn(2, 3, 4),)
"""

_SETTER = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    @property
    def kind(self):
        return type(self.act).__name__

    @kind.setter
    def kind(self, value):
        self.act = getattr(nn, value)()

    def forward(self, x):
        return self.act(self.fc(self.act(x)))


def example():
    net = Net()
    net.kind = "Tanh"
    return net, (torch.randn(2, 4),)
"""

_DECORATOR = """
def counted(cls):
    made = cls.__init__

    def init(self):
        made(self)
        self.count = len(list(self.children()))

    cls.__init__ = init
    return cls


@counted
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x)) * self.count
"""

_COMPUTED_BASE = """
def with_tanh(cls):
    class Changed(cls):
        def __init__(self):
            super().__init__()
            self.act = nn.Tanh()

    return Changed


@with_tanh
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.fc(self.act(x)))
"""

_EQUAL = """
class Part(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.k = k

    def __eq__(self, other):
        return isinstance(other, Part) and len(self._modules) == len(other._modules)

    def __hash__(self):
        return hash(len(self._modules))

    def forward(self, x):
        return F.relu(x) * self.k


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.one = Part(1)
        self.two = Part(2)

    def forward(self, x):
        return self.one(self.fc(x)) + self.two(x) + len({self.one, self.two})
"""

# Code that looks a name up, which no new attribute may bear.
LOOKUPS = {
    "in-a-list": 'mark(net, sum(hasattr(net, name) for name in ("relu", "add")))',
    "in-a-table": 'mark(net, ("relu" in net._modules) + ("add" in dict(net.named_modules())))',
    "by-an-error": "try:\n    mark(net, len(net.relu.extra_repr()))\nexcept AttributeError:\n    mark(net, 3)",
}

REGISTERED = """
kept = []
for m in net.modules():
    m.register_state_dict_post_hook(lambda *given: kept.append(1))
net.state_dict()
mark(net, len(kept))
"""
REPLACED = """
made = []
old = nn.Module.__init__

def init(self, *given, **named):
    made.append(self)
    old(self, *given, **named)

nn.Module.__init__ = init
try:
    Net()
finally:
    nn.Module.__init__ = old
mark(net, len(made))
"""
TRACED = """
seen = []
sys.setprofile(lambda frame, event, given: seen.append(1) if frame.f_code.co_name == "_call_impl" else None)
net(torch.ones(1, 4))
sys.setprofile(None)
mark(net, len(seen))
"""


def _with_other(net: str, init: str, returned: str) -> str:
    """`net` and a class that holds one, in a module of their own."""
    return f"import functools\nimport types\n{module(net + _OTHER.format(init=init, returned=returned))}"


def _example(statement: str) -> str:
    body = textwrap.indent(statement.strip(), "    ")
    return f"\n\ndef example():\n    net = Net()\n{body}\n    return net, (torch.randn(2, 4),)\n"


def _seen(statement: str) -> str:
    return net(_FORWARD, extra=_MARK) + _example(statement)


def _alias(value: str) -> str:
    return value.replace("net", "model")


CASES: dict[int, tuple[Case, ...]] = {
    20: (
        *(
            declined(f"seen-{name}-{how}", _seen(form.format(value=value, of_model=_alias(value))), "not proven")
            for name, value in SEEN.items()
            for how, form in HOW.items()
        ),
        *(prepared(f"seen-{name}", _seen(statement)) for name, statement in HARMLESS.items()),
        *(declined(f"seen-by-a-holder-{name}", _seen(code), "not proven") for name, code in HOLDERS.items()),
        prepared(
            "seen-text-of-its-own",
            HEADER + _TEXT_OF_ITS_OWN.strip() + _example("net.fc.bias.data.fill_(len(repr(net)))"),
        ),
        *(
            prepared(f"initialized-{name}", HEADER + _LAYERS.strip() + _example(form.format(part=part)))
            for name, form in INITS.items()
            for part in ("Norm",)
        ),
        *(
            declined(f"counted-{name}", HEADER + _DEEP.strip() + _example(text), "not proven")
            for name, text in ITEMS.items()
        ),
        *(
            declined(
                f"borrowed-{name}",
                _with_other(_BORROWED, init, call) + _example("pass").replace("net = Net()", "net = Other()"),
                "not proven",
            )
            for name, (init, call) in BORROWS.items()
        ),
        *(
            prepared(
                f"lent-{name}",
                _with_other(_LENT, init, f"self.net(x.expand({call}, 4))")
                + _example("pass").replace("net = Net()", "net = Other()").replace("(2, 4)", "(1, 4)"),
            )
            for name, (init, call) in LENT.items()
        ),
        *(
            declined(
                f"wrapped-{name}",
                f"import functools\n{module(_WRAPPED.format(decorator=decorator.strip(), use=use))}" + _example("pass"),
                "not proven",
            )
            for name, (decorator, use) in WRAPPED.items()
        ),
        prepared(
            "wrapped-harmless",
            f"import functools\n{module(_WRAPPED.format(decorator=HARMLESS_WRAPPER.strip(), use='watched'))}"
            + _example("pass"),
        ),
        *(
            Case(
                f"widened-{name}",
                {
                    "model.py": module(_WIDENED.format(body=body))
                    + _example("pass").replace("net = Net()", "net = widen(Net)()")
                },
                Outcome[outcome.upper()],
                "not proven" if outcome == "declined" else "",
            )
            for name, (body, outcome) in WIDENED.items()
        ),
        declined(
            "recurrent-shown",
            module(_RECURRENT.format(statement="net.fc.bias.data.fill_(len(repr(net)))")),
            "not proven",
        ),
        declined(
            "recurrent-counted",
            module(_RECURRENT.format(statement="net.fc.bias.data.fill_(len(list(net.modules())))")),
            "not proven",
        ),
        declined("replaced-by-a-setter", module(_SETTER), "changed after it is"),
        declined("counted-by-a-decorator", module(_DECORATOR), "not proven"),
        declined("replaced-by-a-computed-class", module(_COMPUTED_BASE), "not proven"),
        declined("compared-by-size", module(_EQUAL), "not proven"),
        *(prepared(f"looked-up-{name}", _seen(text)) for name, text in LOOKUPS.items()),
        declined("hooked-state", _seen(REGISTERED), "not proven"),
        declined("replaced-constructor-of-all", _seen(REPLACED), "not proven"),
        declined("profiled", _seen(TRACED), "not proven"),
        declined(
            "profiled-by-a-variable",
            _seen(TRACED.replace("sys.setprofile", "watch", 1).replace("\nseen", "\nwatch = sys.setprofile\nseen", 1)),
            "not proven",
        ),
        declined(
            "profiled-by-a-name",
            _seen(TRACED.replace("sys.setprofile(l", 'getattr(sys, "setprofile")(l')),
            "not proven",
        ),
        declined(
            "profiled-by-an-import",
            _seen(
                TRACED.replace("sys.setprofile(l", "watch(l").replace(
                    "\nseen", "\nfrom sys import setprofile as watch\nseen", 1
                )
            ),
            "not proven",
        ),
    )
}
