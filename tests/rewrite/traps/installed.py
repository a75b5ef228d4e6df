"""Functions that become methods, lambdas that modules are given, functions inside themselves, partials."""

from tests.rewrite.cases import declined, module, prepared, untouched

_INSTALLED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x)


def patched(self, x):
    return F.relu(self.fc(x)) + x


{code}


def example():
    net = Net()
    {use}
    return net, (torch.randn(2, 4),)
"""
_WAYS = {
    "class": ("Net.forward = patched", "pass"),
    "setattr": ('setattr(Net, "forward", patched)', "pass"),
    "method-type": ("import types", "net.forward = types.MethodType(patched, net)"),
    "bound-by-get": ("", "net.forward = patched.__get__(net)"),
    "lambda": ("", "net.forward = lambda x: F.relu(net.fc(x)) + x"),
}
INSTALLED = (
    *(
        declined(f"installed-by-{name}", module(_INSTALLED.format(code=code, use=use)), "")
        for name, (code, use) in _WAYS.items()
    ),
    declined(
        "installed-from-a-function",
        module("""
import types


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x)


def patch(model):
    def forward(self, x):
        return torch.sigmoid(self.fc(x)) * x

    model.forward = types.MethodType(forward, model)
    return model


def example():
    return patch(Net()), (torch.randn(2, 4),)
"""),
        "",
    ),
    declined(
        "hook-that-changes-an-output",
        module("""
def scale(layer, inputs, output):
    return output * 0.5 + 1


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.fc.register_forward_hook(scale)

    def forward(self, x):
        return self.fc(x)
"""),
        "",
    ),
    prepared(
        "method-as-a-hook",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.fc.register_forward_pre_hook(self.before)

    def before(self, layer, inputs):
        return (F.relu(inputs[0]) * 2,)

    def forward(self, x):
        return self.fc(x)
"""),
    ),
    prepared(
        "method-as-a-hook-of-an-object-called-this",
        module("""
class Net(nn.Module):
    def __init__(this):
        super().__init__()
        this.fc = nn.Linear(4, 4)
        this.fc.register_forward_hook(this.after)

    def after(this, layer, inputs, output):
        return F.relu(output) * 2

    def forward(this, x):
        return this.fc(x)
"""),
    ),
    prepared(
        "functions-named-together",
        module("""
relu, gate = F.relu, torch.sigmoid


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return relu(self.fc(x)) * gate(x)
"""),
    ),
    declined(
        "layers-and-functions-in-a-row",
        module("""
def compose(*steps):
    def run(x):
        for step in steps:
            x = step(x)
        return x

    return run


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.run = compose(self.fc, F.relu)

    def forward(self, x):
        return self.run(x)
"""),
        "the function that runs is defined inside it",
    ),
    untouched(
        "kept-by-no-module",
        module("""
class Settings:
    pass


def scaled(x):
    return x * 2 + 1


settings = Settings()
settings.scale = scaled
Settings.other = scaled


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x)
"""),
    ),
)

_APPLY = """
class Apply(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


"""
GIVEN = (
    prepared(
        "lambda-for-a-constructor",
        module(
            _APPLY
            + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.Sequential(nn.Linear(4, 4), Apply(lambda t: F.relu(t) * 2), Apply(nn.Linear(4, 4)))

    def forward(self, x):
        return self.steps(x)
"""
        ),
    ),
    prepared(
        "function-for-a-constructor",
        module(
            """
def mish(x):
    return x * torch.tanh(F.softplus(x))


"""
            + _APPLY
            + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.Sequential(nn.Linear(4, 4), Apply(mish), Apply(function=mish))

    def forward(self, x):
        return self.steps(x)
"""
        ),
    ),
    declined(
        "lambda-of-a-factory",
        module("""
def activation(name):
    if name == "relu":
        return nn.ReLU()
    return lambda x: x * x.sigmoid()


class Net(nn.Module):
    def __init__(self, act="swish"):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = activation(act)

    def forward(self, x):
        return self.act(self.fc(x))
"""),
        "the function that runs is defined inside it",
    ),
)

_GATE = """
from functools import partial


def gate(x, y, scale=1.0):
    return torch.sigmoid(x) * y * scale


{top}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        {init}

    def forward(self, x):
        return {call}
"""
_PARTIALS = {
    "held": ("", "self.gate = partial(gate, scale=0.5)", "self.gate(self.fc(x), x) + self.gate(x, y=x)"),
    "of-the-file": ("half = partial(gate, scale=0.5)", "pass", "half(self.fc(x), x)"),
    "of-a-partial": ("", "self.gate = partial(partial(gate, scale=0.5), scale=2.0)", "self.gate(self.fc(x), x)"),
    "or-the-function": ("", "self.gate = gate if self.training else partial(gate, scale=3)", "self.gate(x, x)"),
    "in-a-table": ('GATES = {"half": partial(gate, scale=0.5)}', 'self.kind = "half"', "GATES[self.kind](x, x)"),
}
PARTIALS = tuple(
    prepared(f"partial-{name}", module(_GATE.format(top=top, init=init, call=call)))
    for name, (top, init, call) in _PARTIALS.items()
)

INSIDE_ITSELF = (
    prepared(
        "result-of-a-method-inside-itself",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def tree(self, x, depth):
        if depth == 0:
            return x
        return F.relu(self.tree(x, depth - 1)) + x

    def forward(self, x):
        return self.tree(self.fc(x), 3)
"""),
    ),
    prepared(
        "result-of-a-function-inside-itself",
        module("""
def tree(x, depth):
    if depth == 0:
        return x
    return torch.tanh(tree(x, depth - 1)) + x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return tree(self.fc(x), 3)
"""),
    ),
    prepared(
        "result-of-forward-inside-itself",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x, times=3):
        if times == 0:
            return self.fc(x)
        return torch.tanh(self.forward(x, times - 1)) + x


def example():
    return Net(), (torch.randn(2, 4),)
"""),
    ),
    prepared(
        "results-of-two-methods-inside-each-other",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def even(self, x, n):
        return x if n == 0 else F.relu(self.odd(x, n - 1))

    def odd(self, x, n):
        return x * 2 if n == 0 else torch.sigmoid(self.even(x, n - 1))

    def forward(self, x):
        return self.even(self.fc(x), 3)
"""),
    ),
)

TESTED = tuple(
    prepared(
        f"tensor-by-{name}",
        module(f"""
{line}
from torch.utils._pytree import tree_flatten


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        values, _ = tree_flatten([self.fc(x), x])
        values = [F.relu(value) * 2 if {test} else value for value in values]
        return values[0]
"""),
    )
    for name, line, test in (
        ("isinstance", "", "isinstance(value, torch.Tensor)"),
        ("is-tensor", "", "torch.is_tensor(value)"),
        ("imported-is-tensor", "from torch import is_tensor", "is_tensor(value)"),
    )
)

CASES = {14: INSTALLED, 11: GIVEN, 13: PARTIALS, 15: INSIDE_ITSELF, 9: TESTED}
