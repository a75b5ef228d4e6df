# ruff: noqa: E501 -- sources as short strings
"""11: calls on the module's own weights. 12: dropout and the training flag. 13: activations held as values."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared, untouched

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
    declined(
        "partial-handed-to-map",
        net(
            "a, b = map(partial(torch.softmax, dim=0), (self.fc(x), x))\nreturn a + b",
            extra="from functools import partial",
        ),
        "handed to one that calls it",
    ),
    prepared("method-as-value", net("f = x.add\nreturn f(self.fc(x))")),
    prepared(
        "bound-method-passed",
        net("return apply(self.fc(x), torch.Tensor.relu)", extra="def apply(t, f):\n    return f(t)"),
    ),
)

CASES = {11: WEIGHTS, 12: MODES, 13: VALUES}
