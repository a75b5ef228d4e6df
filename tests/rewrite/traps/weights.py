# ruff: noqa: E501 -- sources as short strings
"""11: calls on the module's own weights. 12: dropout and the training flag. 13: activations held as values."""

from __future__ import annotations

from tests.rewrite.cases import Case, module, net, prepared, untouched

_W = (
    "self.w = nn.Parameter(torch.randn(4, 4))\nself.b = nn.Parameter(torch.zeros(4))\n"
    "self.k = nn.Parameter(torch.randn(4, 4, 3, 3))"
)
_RUNNING = "self.register_buffer('m', torch.zeros(4))\nself.register_buffer('v', torch.ones(4))"

WEIGHTS: tuple[Case, ...] = (
    prepared("linear", net("return F.linear(self.fc(x), self.w, self.b)", _W)),
    prepared("linear-by-name", net("return F.linear(bias=self.b, weight=self.w, input=self.fc(x))", _W)),
    prepared("layer's-own-weight", net("return F.linear(x, self.fc.weight, self.fc.bias)")),
    prepared("transposed-weight", net("return F.linear(self.fc(x), self.fc.weight.t())")),
    prepared("one-weight-two-calls", net("return F.linear(F.linear(self.fc(x), self.w), self.w.t())", _W)),
    prepared("computed-weight", net("w = self.w / self.w.norm()\nreturn F.linear(self.fc(x), w)", _W)),
    prepared(
        "standardized-weight",
        net(
            "w = (self.k - self.k.mean((1, 2, 3), True)) / self.k.std((1, 2, 3), keepdim=True)\nreturn F.conv2d(self.fc(x), w, padding=1)",
            _W,
        ),
    ),
    prepared("conv2d", net("return F.conv2d(self.fc(x), self.k, self.b, stride=1, padding=1)", _W)),
    prepared("conv2d-positional", net("return F.conv2d(self.fc(x), self.k, None, 1, 1, 1, 1)", _W)),
    prepared(
        "conv2d-settings-in-a-dict",
        net(
            "return F.conv2d(weight=self.k, input=self.fc(x), bias=None, **self.settings)",
            _W + "\nself.settings = {'stride': 1, 'padding': (1, 1)}",
        ),
    ),
    prepared(
        "conv2d-settings-on-self",
        net(
            "return F.conv2d(self.fc(x), self.k, None, self.stride, self.pad)",
            _W + "\nself.stride = 1\nself.pad = (1, 1)",
        ),
    ),
    prepared(
        "conv-of-a-subclass",
        module("""
class SameConv(nn.Conv2d):
    def forward(self, x):
        x = F.pad(x, (1, 1, 1, 1))
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = SameConv(4, 4, 3)

    def forward(self, x):
        return self.conv(x)
"""),
    ),
    prepared("transposed-conv", net("return F.conv_transpose2d(self.fc(x), self.k, stride=2)", _W)),
    prepared("weights-from-the-input", net("w = self.fc(x).mean((0, 1))\nreturn F.linear(x, w)")),
    prepared(
        "batch-norm",
        net(
            "return F.batch_norm(self.fc(x), self.m, self.v, self.b, None, self.training, 0.1, 1e-5)",
            _W + "\n" + _RUNNING,
        ),
    ),
    prepared("batch-norm-without-statistics", net("return F.batch_norm(self.fc(x), None, None, training=True)")),
    prepared("layer-norm", net("return F.layer_norm(self.fc(x), (4,), self.b)", _W)),
    prepared(
        "layer-norm-shape-on-self",
        net("return F.layer_norm(self.fc(x), self.shape, self.b, None, 1e-6)", _W + "\nself.shape = (4,)"),
    ),
    prepared("group-norm", net("return F.group_norm(self.fc(x), 2, self.b, self.b)", _W)),
    prepared("prelu", net("return F.prelu(self.fc(x), self.b)", _W)),
    prepared(
        "bilinear", net("return F.bilinear(self.fc(x), x, self.t)", "self.t = nn.Parameter(torch.randn(2, 4, 4))")
    ),
    prepared("parameter-added", net("return self.fc(x) + self.b", _W)),
    prepared("parameter-times-buffer-times-input", net("return self.fc(x) * (self.b * self.m)", _W + "\n" + _RUNNING)),
    prepared("parameter-matmul", net("return self.w @ self.fc(x)", _W)),
    prepared("layer-scale", net("return x + self.fc(x).mul(self.b)", _W)),
)

MODES: tuple[Case, ...] = (
    prepared("dropout-by-flag", net("return F.dropout(self.fc(x), self.p, self.training)", "self.p = 0.5")),
    prepared("dropout-by-flag-by-name", net("return F.dropout(self.fc(x), training=self.training)")),
    prepared("dropout-always", net("return F.dropout(self.fc(x))")),
    prepared("dropout-always-with-p", net("return F.dropout(self.fc(x), 0.2, True)")),
    prepared("dropout-never", net("return F.dropout(self.fc(x), 0.2, False)")),
    prepared("dropout-by-another-flag", net("return F.dropout(self.fc(x), 0.2, self.noisy)", "self.noisy = True")),
    prepared("dropout-by-the-child's-flag", net("return F.dropout(self.fc(x), 0.2, self.fc.training)")),
    prepared("dropout-by-negated-flag", net("return F.dropout(self.fc(x), 0.2, not self.training)")),
    prepared("dropout-under-a-branch", net("if self.training:\n    x = F.dropout(x, 0.3)\nreturn self.fc(x)")),
    prepared("branch-on-training", net("if self.training:\n    return self.fc(x) + x\nreturn self.fc(x) * 2")),
    prepared("early-return", net("if not self.training:\n    return self.fc(x)\nreturn F.relu(self.fc(x)) + x")),
    prepared("noise", net("if self.training:\n    x = x + torch.randn_like(x) * 0.1\nreturn self.fc(x)")),
    prepared(
        "two-dropouts-keep-their-order",
        net("return F.dropout(self.fc(F.dropout(x, 0.5, self.training)), 0.1, self.training)"),
    ),
    prepared("feature-dropout", net("return F.dropout1d(self.fc(x).flatten(2), 0.5, self.training)")),
    prepared(
        "flag-of-a-helper",
        net(
            "return drop(self.fc(x), 0.5, self.training)",
            extra="def drop(t, p, training):\n    return F.dropout(t, p, training)",
        ),
    ),
    prepared(
        "stochastic-depth",
        net(
            "return x + drop_path(self.fc(x), 0.5, self.training)",
            extra="""
def drop_path(t, p: float = 0.0, training: bool = False):
    if p == 0.0 or not training:
        return t
    keep = t.new_empty((t.shape[0],) + (1,) * (t.ndim - 1)).bernoulli_(1 - p)
    return t * keep.div_(1 - p)
""",
        ),
    ),
)

_ACT = """
class Block(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = act

    def forward(self, x):
        return self.act(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Block({0}), Block({0})

    def forward(self, x):
        return self.b(self.a(x))
"""

_BY_NAME = """
class Block(nn.Module):
    def __init__(self, {1}):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.name = name

    def forward(self, x):
        return getattr({0}, self.name)(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block({2})

    def forward(self, x):
        return self.block(x)
"""

VALUES: tuple[Case, ...] = (
    prepared("function-on-self", net("return self.act(self.fc(x))", "self.act = F.relu")),
    prepared("function-with-a-setting", net("return self.act(self.fc(x), 0.3)", "self.act = F.leaky_relu")),
    prepared("function-run-twice", net("return self.act(self.fc(self.act(x)))", "self.act = F.gelu")),
    prepared("torch-function-on-self", net("return self.act(self.fc(x))", "self.act = torch.tanh")),
    prepared(
        "conditional-function",
        net("return self.act(self.fc(x))", "self.act = F.relu if self.fc.bias is not None else F.gelu"),
    ),
    prepared(
        "function-chosen-in-branches",
        net(
            "return self.act(self.fc(x))",
            "if self.fc.in_features == 4:\n    self.act = F.relu\nelse:\n    self.act = nn.GELU()",
        ),
    ),
    prepared("passed-to-blocks", module(_ACT.format("F.gelu"))),
    prepared("default-of-the-constructor", module(_ACT.format("").replace("self, act)", "self, act=F.silu)"))),
    prepared("dictionary", net("return ACTS['gelu'](self.fc(x))", extra="ACTS = {'relu': F.relu, 'gelu': F.gelu}")),
    prepared(
        "dictionary-on-self",
        net("return self.act(self.fc(x))", "self.act = ACTS['gelu']", extra="ACTS = {'relu': F.relu, 'gelu': F.gelu}"),
    ),
    prepared(
        "dictionary-of-classes",
        net(
            "return self.act(self.fc(self.act(x)))",
            "self.act = ACTS['gelu']()",
            extra="ACTS = {'relu': nn.ReLU, 'gelu': nn.GELU}",
        ),
    ),
    prepared(
        "partial",
        net(
            "return self.act(self.fc(x))",
            "self.act = partial(F.leaky_relu, negative_slope=0.2)",
            extra="from functools import partial",
        ),
    ),
    untouched(
        "partial-of-a-class",
        net(
            "return self.act(self.fc(x))",
            "act = partial(nn.LeakyReLU, 0.2)\nself.act = act()",
            extra="from functools import partial",
        ),
    ),
    prepared("lambda-on-self", net("return self.act(self.fc(x))", "self.act = lambda t: F.relu(t) + 1")),
    prepared("local-lambda", net("act = lambda t: t * torch.sigmoid(t)\nreturn act(self.fc(x))")),
    prepared("operator-module", net("return operator.add(self.fc(x), x)", extra="import operator")),
    prepared("operator-name", net("return mul(self.fc(x), x)", extra="from operator import mul")),
    prepared(
        "reduce",
        net("return functools.reduce(operator.add, [x, self.fc(x), x])", extra="import functools\nimport operator"),
    ),
    prepared(
        "reduce-lambda",
        net("return functools.reduce(lambda a, b: a + b, [x, self.fc(x), x])", extra="import functools"),
    ),
    prepared("sum", net("return sum([x, self.fc(x)])")),
    prepared("sum-with-start", net("return sum([self.fc(x)], x)")),
    prepared("map-function", net("a, b = map(F.relu, (x, self.fc(x)))\nreturn a - b")),
    prepared("getattr-function", net("return getattr(F, 'relu')(self.fc(x))")),
    prepared("getattr-by-name", net("return getattr(F, self.name)(self.fc(x))", "self.name = 'gelu'")),
    prepared("getattr-by-default-name", module(_BY_NAME.format("F", "name='gelu'", ""))),
    prepared("getattr-by-annotated-name", module(_BY_NAME.format("F", "name: str = 'gelu'", ""))),
    prepared("getattr-by-any-name", module(_BY_NAME.format("torch", "name", "'tanh'"))),
    prepared(
        "getattr-by-name-once",
        net("return self.act(self.fc(self.act(x)))", "name = 'silu'\nself.act = getattr(F, name)"),
    ),
    prepared(
        "getattr-by-any-name-once",
        module(
            _BY_NAME.format("F", "name", "'silu'")
            .replace("self.name = name", "self.act = getattr(F, name)")
            .replace("getattr(F, self.name)", "self.act")
        ),
    ),
    prepared(
        "getattr-in-a-loop", net("for name in ('relu', 'tanh'):\n    x = getattr(torch, name)(x)\nreturn self.fc(x)")
    ),
    prepared(
        "getattr-of-a-tensor",
        net("y = self.fc(x)\nreturn getattr(y, self.name)(1, keepdim=True)", "self.name = 'mean'"),
    ),
    prepared("getattr-of-a-tensor-written-out", net("return getattr(self.fc(x), 'add')(x)")),
    prepared(
        "getattr-of-a-method",
        net(
            "return getattr(self, f'run_{self.kind}')(self.fc(x))\n\ndef run_a(self, x):\n    return F.relu(x) + 1",
            "self.kind = 'a'",
        ).replace("        def run_a(self, x):\n            ", "    def run_a(self, x):\n        "),
    ),
    prepared(
        "string-choice",
        net(
            "return act('relu')(self.fc(x))",
            extra="def act(name):\n    return {'relu': F.relu, 'tanh': torch.tanh}[name]",
        ),
    ),
    prepared(
        "choice-in-forward",
        net(
            "act = F.relu if self.hard else F.tanh\nf = partial(torch.cat, dim=1)\nreturn f((act(self.fc(x)), x))",
            "self.hard = False",
            extra="from functools import partial",
        ),
    ),
    prepared(
        "partial-handed-to-map",
        net(
            "a, b = map(partial(torch.softmax, dim=0), (self.fc(x), x))\nreturn a + b",
            extra="from functools import partial",
        ),
    ),
    prepared("method-as-value", net("f = x.add\nreturn f(self.fc(x))")),
    prepared("method-as-value-with-a-setting", net("y = self.fc(x)\nop = y.mean\nreturn op(1), y.softmax(-1)")),
    prepared("method-in-place-as-value", net("y = self.fc(x)\nadd = y.add_\nadd(x)\nreturn y")),
    prepared(
        "method-that-gives-a-pair", net("find = self.fc(x).max\nvalues, indices = find(1)\nreturn values * 2, indices")
    ),
    prepared("method-chosen", net("y = self.fc(x)\nop = y.mul if self.training else y.add\nreturn op(x)")),
    prepared(
        "method-caller",
        net(
            "mean = operator.methodcaller('mean', 1, keepdim=True)\nreturn mean(self.fc(x)), operator.methodcaller('exp')(x)",
            extra="import operator",
        ),
    ),
    untouched(
        "methods-that-compute-nothing",
        net("y = self.fc(x)\nview, size = y.reshape, x.size\nreturn view(size(0), -1), y.is_floating_point()"),
    ),
    prepared(
        "bound-method-passed",
        net("return apply(self.fc(x), torch.Tensor.relu)", extra="def apply(t, f):\n    return f(t)"),
    ),
)

CASES = {11: WEIGHTS, 12: MODES, 13: VALUES}
