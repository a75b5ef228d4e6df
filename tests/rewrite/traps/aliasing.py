"""2: what is written in place, and who else sees it."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, net, prepared

_AUGMENTED = ("+=", "-=", "*=", "/=", "//=", "%=", "**=")

ALIASING: tuple[Case, ...] = (
    prepared("augmented-alias", net("y = self.fc(x)\nz = y\ny += 1\nreturn y, z")),
    prepared("augmented-tensor-alias", net("y = self.fc(x)\nz = y\ny += x\nreturn y * z")),
    prepared("augmented-input", net("x += 1\nreturn self.fc(x)")),
    prepared("augmented-view", net("y = self.fc(x)\na, b = y[:, :2], y[:, 2:]\na += b\nreturn y")),
    prepared("augmented-subscript", net("y = self.fc(x)\ny[:, 0] += 1\nreturn y")),
    prepared("augmented-list-item", net("ys = [self.fc(x)]\nz = ys[0]\nys[0] += x\nreturn ys[0], z")),
    prepared("augmented-twice-in-a-loop", net("y = self.fc(x)\nz = y\nfor _ in range(2):\n    y += x\nreturn y, z")),
    prepared("augmented-broadcast", net("y = self.fc(x)\nz = y\ny *= x[:, :1]\nreturn y, z")),
    prepared("augmented-in-a-branch", net("y = self.fc(x)\nz = y\nif self.training:\n    y += x\nreturn y, z")),
    declined(
        "augmented-target-with-a-call",
        net("ys = [self.fc(x)]\nit = iter((0, 0))\nys[next(it)] += x\nreturn ys[0]"),
        "evaluated twice",
    ),
    declined(
        "augmented-target-with-an-operation",
        net("y = self.fc(x)\ny[i : i + 1] += x[:1]\nreturn y", args="x, i: torch.Tensor")
        + "\n\ndef example():\n    return Net(), (torch.randn(2, 4), 1)\n",
        "evaluated twice",
    ),
    prepared("augmented-matmul", net("y = self.fc(x)\nz = y\ny @= x\nreturn y, z")),
    *(
        prepared(f"augmented-number {symbol}", net(f"y = self.fc(x)\nz = y\ny {symbol} 2\nreturn y, z"))
        for symbol in _AUGMENTED
    ),
    prepared("method-add", net("y = self.fc(x)\nz = y\ny.add_(x)\nreturn z")),
    prepared("method-add-alpha", net("y = self.fc(x)\nz = y\ny.add_(x, alpha=2)\nreturn z")),
    prepared("method-on-input", net("x.mul_(2)\nreturn self.fc(x)")),
    prepared("method-result-used", net("y = self.fc(x)\nreturn y.sub_(x), y")),
    prepared("method-relu", net("y = self.fc(x)\ny.relu_()\nreturn y")),
    prepared("method-clamp", net("y = self.fc(x)\nz = y\ny.clamp_(0, 1)\nreturn z")),
    prepared("method-sigmoid", net("y = self.fc(x)\nz = y\ny.sigmoid_()\nreturn z")),
    prepared("method-chain", net("y = self.fc(x)\nz = y\nreturn y.mul_(2).add_(x), z")),
    prepared("masked-fill", net("y = self.fc(x)\ny.masked_fill(x > 0, 0.0)\nreturn y.masked_fill(x > 1, 2.0)")),
    prepared("masked-fill-in-place", net("y = self.fc(x)\ny.masked_fill_(x > 0, 0.0)\nreturn y")),
    prepared("function-in-place", net("y = self.fc(x)\ntorch.relu_(y)\nreturn y")),
    prepared("functional-in-place", net("y = self.fc(x)\nF.relu(y, inplace=True)\nreturn y")),
    prepared("functional-in-place-underscore", net("y = self.fc(x)\nz = y\nF.leaky_relu_(y, 0.2)\nreturn z")),
    prepared("functional-not-in-place", net("y = self.fc(x)\nz = F.relu(y, inplace=False)\nreturn y, z")),
    prepared(
        "in-place-module-value-used-later",
        net("y = self.fc(x)\nz = self.relu(y)\nreturn y + z", "self.relu = nn.ReLU(inplace=True)"),
    ),
    prepared(
        "in-place-module-run-twice",
        net("y = self.fc(x)\nself.relu(y)\nreturn self.relu(y) + y", "self.relu = nn.ReLU(inplace=True)"),
    ),
    prepared("dropout-in-place", net("y = self.fc(x)\nF.dropout(y, 0.5, self.training, True)\nreturn y")),
    prepared("copied-in", net("y = self.fc(x)\ny[:, 0] = x[:, 0] * 2\nreturn y")),
    prepared(
        "attribute-of-another-object",
        net(
            "state = State()\nstate.y = self.fc(x)\nz = state.y\nstate.y += x\nreturn z",
            extra="class State:\n    y = None",
        ),
    ),
    prepared(
        "out",
        net("y = torch.empty_like(x)\nwith torch.no_grad():\n    torch.add(self.fc(x), x, out=y)\nreturn y"),
    ),
    prepared("swap", net("a, b = self.fc(x), x.clone()\na, b = b, a\na += b\nreturn a, b")),
    prepared("dtype-kept-by-augmented", net("y = self.fc(x).half()\nz = y\ny += x.float()\nreturn z")),
)

CASES = {2: ALIASING}
