# ruff: noqa: E501 -- sources as short strings
"""1: a new child changes what iteration over a module's children meets."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_IN_FORWARD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)

    def forward(self, x):
        for layer in {}:
            x = F.relu(layer(x)) + x
        return x
"""

_BACKBONE = """
class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(F.relu(self.b(self.a(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.n = 0
        {}

    def forward(self, x):
        {}
"""

_BRANCHES = """
class Branches(nn.Sequential):
    def forward(self, x):
        found = []
        for {loop}:
            found.append(branch(x))
        return torch.cat(found, -1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = Branches()
        {added}

    def forward(self, x):
        return {result}
"""
_NAMED = "[self.branches.add_module(name, nn.Linear(4, 4)) for name in 'ab']"

_BLOCK = "self.block = nn.Sequential(nn.Linear(4, 4), nn.Dropout())"
_QUIETEN = """
def quieten(model):
    {head}
    for name, child in model.named_children():
        {step}
        if isinstance(child, nn.Dropout):
            setattr(model, name, nn.Identity())
    {end}
"""
_STEP, _END = "quieten(child)", "return model"
_INSIDE = "inside = list(child.children())\n        if {}:\n            quieten(child)"
_GOING_DOWN = {
    "after-a-test-of-a-list": _QUIETEN.format(
        head="inside = list(model.children())\n    if not inside:\n        return", step=_STEP, end=_END
    ),
    "after-a-test-of-a-length": _QUIETEN.format(
        head="if len(list(model.children())) == 0:\n        return model", step=_STEP, end=_END
    ),
    "without-a-result": _QUIETEN.format(
        head="inside = list(model.children())\n    if not inside:\n        return", step=_STEP, end=""
    ),
    "where-a-list-is-not-empty": _QUIETEN.format(head="pass", step=_INSIDE.format("inside"), end=_END),
    "where-a-list-has-a-length": _QUIETEN.format(head="pass", step=_INSIDE.format("len(inside) > 0"), end=_END),
}
_LEAF = """
{code}


class Leaf(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return F.relu(x * self.weight)


def example():
    leaf = Leaf()
    found = quieten(leaf)
    if found is not None:
        leaf.weight.data.mul_(2)
    return leaf, (torch.randn(2, 4),)
"""
_HEAD = "inside = list(model.children())\n    if not inside:\n        return"
_NOT_GOING_DOWN = {
    "returning-something-else": _QUIETEN.format(head=_HEAD, step=_STEP, end=_END),
    "counting": _QUIETEN.format(head=_HEAD, step="pass", end="return len(inside)"),
    "doing-more": _QUIETEN.format(head=_HEAD, step="pass", end="model.weight.data.mul_(3)"),
}

ITERATION: tuple[Case, ...] = (
    prepared(
        "branches-added-by-name",
        module(
            _BRANCHES.format(
                loop="branch in self._modules.values()", added=_NAMED, result="self.branches(x) * x.repeat(1, 1, 1, 2)"
            )
        ),
    ),
    prepared(
        "children-asked-for-something-by-the-constructor",
        module("""
class Base(nn.Module):
    def post_init(self):
        self.keys = []
        for name, child in self.named_children():
            if found := getattr(child, "tied_keys", None):
                self.keys.append((name, found))


class Net(Base):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.post_init()

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""),
    ),
    declined(
        "branches-appended",
        module(
            _BRANCHES.format(
                loop="branch in self._modules.values()",
                added="self.branches.append(nn.Linear(4, 4))",
                result="self.branches(x)",
            )
        ),
        "enumerates the children",
    ),
    prepared(
        "branches-numbered",
        module(
            _BRANCHES.format(loop="i, branch in enumerate(self.children())", added=_NAMED, result="self.branches(x)")
        ),
    ),
    *(
        declined(
            f"branches-taken-by-position-{number}",
            module(_BRANCHES.format(loop="branch in self", added=_NAMED, result=result)),
            "enumerates the children",
        )
        for number, result in enumerate(
            (
                "self.branches(x) if x.dim() > 9 else self.branches[0](x)",
                "self.branches(x) * len(self.branches)",
                "self.branches(x) if x.dim() > 9 else [branch(x) for branch in self.branches]",
                "self.branches(x) if x.dim() > 9 else nn.Sequential(*self.branches)(x)",
            )
        )
    ),
    *(
        prepared(
            name,
            module(_BRANCHES.format(loop=loop, added=_NAMED, result="self.branches(x) * x.repeat(1, 1, 1, 2)")),
        )
        for name, loop in (
            ("branches-beside-their-inputs", "branch, _ in zip(self._modules.values(), x)"),
            ("branches-counted", "branch in list(self)[: len(self)]"),
            ("branches-under-their-names", "_, branch in enumerate(self)"),
            ("branches-of-a-copy", "branch in [*self._modules.values()]"),
            ("branches-in-a-row", "i, branch in enumerate(self._modules.values(), 1)"),
        )
    ),
    prepared(
        "children-of-siblings",
        module("""
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        for m in self.children():
            x = m(x)
        return self.after(x)

    def after(self, x):
        return x


class One(Base):
    def after(self, x):
        return x + x.roll(1)


class Two(Base):
    def after(self, x):
        return x * x.roll(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = One()
        self.b = Two()
        self.c = Base()

    def forward(self, x):
        return self.c(self.b(self.a(x)))
"""),
    ),
    declined(
        "children-by-another-name",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)

    def children(self):
        yield from reversed(list(super().children()))

    def forward(self, x):
        for layer in list(self.children()):
            x = torch.tanh(layer(x)) + x
        return x
"""),
        "defines children",
    ),
    prepared(
        "names-of-a-module-dict",
        module("""
class Net(nn.ModuleDict):
    def __init__(self):
        super().__init__({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})

    def forward(self, x):
        for name in self:
            x = torch.tanh(self[name](x)) - x
        return x
"""),
    ),
    prepared(
        "sum-over-children",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)

    def forward(self, x):
        return x * sum(layer(x) for layer in self.children()) / len(self._modules)
"""),
    ),
    prepared("children", module(_IN_FORWARD.format("self.children()"))),
    prepared("modules-dict", module(_IN_FORWARD.format("self._modules.values()"))),
    prepared("list-of-children", module(_IN_FORWARD.format("list(self.children())"))),
    prepared(
        "named-children",
        module(_IN_FORWARD.format("[child for name, child in self.named_children()]")),
    ),
    declined(
        "modules-but-self",
        module(_IN_FORWARD.format("[m for m in self.modules() if m is not self]")),
        "number or order of the children",
    ),
    declined(
        "number-of-modules",
        net("return F.relu(self.fc(x)) / len(list(self.modules()))"),
        "number or order of the children",
    ),
    prepared(
        "children-in-a-helper-method",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)

    def run(self, x):
        for layer in self.children():
            x = layer(x)
        return x

    def forward(self, x):
        return self.run(x) * x
"""),
    ),
    prepared(
        "sequential-subclass",
        module("""
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 4), nn.Linear(4, 4))

    def forward(self, x):
        return super().forward(x) + x
"""),
    ),
    prepared(
        "sequential-subclass-by-index",
        module("""
class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 4), nn.Linear(4, 4))

    def forward(self, x):
        for i in range(len(self)):
            x = F.relu(self[i](x))
        return x
"""),
    ),
    prepared(
        "module-list-subclass",
        module("""
class Net(nn.ModuleList):
    def __init__(self):
        super().__init__([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x):
        for layer in self:
            x = torch.tanh(layer(x)) - x
        return x
"""),
    ),
    prepared(
        "module-dict-subclass",
        module("""
class Net(nn.ModuleDict):
    def __init__(self):
        super().__init__({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)})

    def forward(self, x):
        return torch.cat([layer(x) for layer in self.values()], -1)
"""),
    ),
    prepared(
        "container-in-another-file",
        {
            "base.py": "from torch import nn\n\n\nclass Base(nn.Sequential):\n    pass\n",
            "model.py": "from torch import nn\n\nfrom base import Base\n\n\nclass Net(Base):\n"
            "    def __init__(self):\n        super().__init__(nn.Linear(4, 4))\n\n"
            "    def forward(self, x):\n        return super().forward(x) * x\n",
        },
    ),
    prepared(
        "iteration-in-another-file",
        {
            "base.py": "from torch import nn\n\n\nclass Base(nn.Module):\n    def stages(self):\n"
            "        return list(self.children())\n",
            "model.py": "from torch import nn\n\nfrom base import Base\n\n\nclass Net(Base):\n"
            "    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(4, 4)\n\n"
            "    def forward(self, x):\n        for stage in self.stages():\n            x = x + stage(x)\n        return x\n",
        },
    ),
    prepared(
        "backbone-without-its-head",
        module(
            _BACKBONE.format(
                "self.trunk = nn.Sequential(*list(self.backbone.children())[:-1])", "return self.trunk(x) + x"
            )
        ),
    ),
    prepared(
        "backbone-without-its-head-by-another-file",
        {
            "heads.py": "from torch import nn\n\n\ndef trunk(model):\n    children = [*model.named_children()]\n"
            "    return nn.Sequential(*(child for _, child in children[:-1]))\n",
            "base.py": module("""
class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.b = nn.Linear(4, 4)

    def forward(self, x):
        return self.act(self.b(self.act(self.a(x)) + x)) * 2
"""),
            "model.py": "import torch\nfrom torch import nn\n\nimport heads\nfrom base import Backbone\n\n\nclass Net(nn.Module):\n"
            "    def __init__(self):\n        super().__init__()\n        backbone = Backbone()\n"
            "        self.trunk = heads.trunk(backbone)\n\n"
            "    def forward(self, x):\n        return self.trunk(x)\n",
        },
    ),
    prepared(
        "backbone-without-its-head-by-name",
        module(
            _BACKBONE.format("self.trunk = nn.Sequential(self.backbone.a, self.backbone.b)", "return self.trunk(x) + x")
        ),
    ),
    prepared(
        "static-method-with-an-index",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    @staticmethod
    def head(t):
        return t[:, :4]

    def forward(self, x):
        return self.head(self.fc(x)) + x
"""),
    ),
    prepared(
        "going-down-where-there-are-children",
        net(
            "return F.relu(self.block(x)) + x",
            "self.block = nn.Sequential(nn.Linear(4, 4), nn.Dropout())",
            extra="""
            def quieten(model):
                for name, child in model.named_children():
                    if isinstance(child, nn.Dropout):
                        setattr(model, name, nn.Identity())
                    if len(list(child.children())) > 0:
                        quieten(child)
            """,
        ),
    ),
    *(
        prepared(f"going-down-{name}", net("return F.relu(self.block(x)) + x", _BLOCK, extra=code))
        for name, code in _GOING_DOWN.items()
    ),
    *(
        prepared(f"going-down-and-{name}", module(_LEAF.format(code=code)))  # by a list of the original children
        for name, code in _NOT_GOING_DOWN.items()
    ),
    prepared(
        "leaves-told-by-their-children",
        net(
            "return F.relu(self.block(x)) + x",
            "self.block = nn.Sequential(nn.Linear(4, 4), nn.Dropout())",
            extra="""
            def freeze(model):
                for child in model.children():
                    if len(list(child.children())) == 0:
                        child.eval()
            """,
        ),
    ),
    prepared(
        "children-counted-by-another-class",
        module(_BACKBONE.format("self.n = len(list((self.backbone).children()))", "return self.backbone(x) * self.n")),
    ),
    prepared(
        "children-counted-by-a-subclass",
        module("""
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.a(x))


class Net(Base):
    def __init__(self):
        super().__init__()
        self.n = len(list(self.children()))

    def forward(self, x):
        return super().forward(x).repeat(self.n, 1, 1, 1)
"""),
    ),
    prepared(
        "weights-set-in-a-loop-over-modules",
        net(
            "return F.relu(self.fc(x)) * x",
            "for m in self.modules():\n    if isinstance(m, nn.Linear):\n        nn.init.normal_(m.weight)",
        ),
    ),
    prepared(
        "children-counted-before-anything-is-added",
        net("return F.relu(self.fc(x)).repeat(self.n, 1, 1, 1)", "self.n = len(list(self.children()))"),
    ),
    prepared(
        "loop-over-a-module-list-attribute",
        net(
            "for layer in self.layers:\n    x = layer(x) + x\nreturn x",
            "self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])",
        ),
    ),
)

CASES = {1: ITERATION}
