"""3: numbers, shapes, lists and texts that look like tensors."""

from __future__ import annotations

from tests.rewrite.cases import Case, net, prepared, untouched

NUMBERS: tuple[Case, ...] = (
    untouched(
        "counted-positions",
        net(
            "i = torch.argmax(self.fc(x), dim=-1)\n"
            "held = torch.zeros(i.shape[-1], dtype=torch.long)\n"
            "return (i + torch.arange(i.shape[-1])) % 3 + held"
        ),
    ),
    untouched(
        "integers-like-integers",
        net(
            "mask = (x > 0).int()\nplaces = (torch.cumsum(mask, dim=1).type_as(mask) + 1) * mask\n"
            "return self.fc(x), places",
        ),
    ),
    untouched("size", net("half = x.size(1) // 2\nreturn self.fc(x)[:, :half]")),
    untouched("shape", net("b, c, h, w = x.shape\nreturn self.fc(x).reshape(b, c * h * w)")),
    untouched("shape-index", net("return self.fc(x).view(x.shape[0] * x.shape[1], -1)")),
    untouched("shape-concatenation", net("return self.fc(x).view(x.shape[:2] + (16,))")),
    untouched("shape-star", net("*lead, n = x.shape\nreturn self.fc(x).view(*lead, n // 2, 2)")),
    untouched("list-concatenation", net("xs = [x] + [self.fc(x)]\nxs += [x]\nreturn xs[1]")),
    untouched("list-repetition", net("xs = [self.fc(x)] * 2\nreturn xs[-1]")),
    untouched("tuple-repetition", net("return self.fc(x).repeat((1,) * (x.dim() - 1) + (2,))")),
    untouched(
        "text", net("name = 'a' + 'b' * 2\nassert f'{x.size(0) + 1}' and '%d' % x.size(1) and name\nreturn self.fc(x)")
    ),
    untouched("modulo", net("if x.size(0) % 2 == 0 and -1 % 4 == 3:\n    x = x.flip(0)\nreturn self.fc(x)")),
    untouched("counter", net("n = 0\nfor _ in range(3):\n    n += 1\nreturn self.fc(x)[..., : n - 1]")),
    untouched("counter-on-self", net("self.calls += 1\nreturn self.fc(x)", "self.calls = 0")),
    untouched("numel", net("n = x.numel() // x.size(0)\nreturn self.fc(x).view(-1, n)")),
    untouched("length", net("xs = [x, x]\nreturn self.fc(xs[len(xs) - 1])")),
    untouched(
        "module-settings", net("return self.fc(x).view(-1, self.heads * self.width)", "self.heads = 2\nself.width = 2")
    ),
    untouched("layer-sizes", net("return self.fc(x).view(-1, self.fc.out_features // 2, 2)")),
    untouched("indices", net("idx = torch.arange(x.size(1)) * 2 % x.size(1)\nreturn self.fc(x)[:, idx]")),
    untouched("sum-of-sizes", net("n = sum([x.size(0), x.size(1)])\nreturn self.fc(x).flatten()[: n + 1]")),
    untouched("max-of-sizes", net("n = max(x.size(0), x.size(1)) - 1\nreturn self.fc(x)[..., :n]")),
    untouched("comparison", net("return self.fc(x).masked_select(x > 0).size(0) + 1")),
    untouched("negative-index", net("d = -1\nreturn self.fc(x).flatten(-2).transpose(-d, d)")),
    untouched("slice-arithmetic", net("n = x.size(-1)\nreturn self.fc(x)[..., n // 2 - 1 : n - 1]")),
    untouched("dictionary-union", net("sizes = {'a': x.size(0)} | {'b': 2}\nreturn self.fc(x)[: sizes['b']]")),
    untouched("boolean", net("return self.fc(x)[: 1 + (x.size(0) > 1)]")),
    untouched(
        "parameters-only",
        net("w = self.w * 2 + 1\nreturn self.fc(x), w.sum()", "self.w = nn.Parameter(torch.randn(4))"),
    ),
    untouched(
        "sequence-of-sizes",
        net("h, w = [s // 2 for s in x.shape[-2:]]\nreturn self.fc(x)[:, :, :h, :w]"),
    ),
    prepared("number-on-self", net("return self.fc(x) * self.scale", "self.scale = 0.5")),
    prepared("annotated-number-on-self", net("return self.fc(x) * self.scale", "self.scale: float = 0.5")),
    prepared("tensor-times-size", net("return self.fc(x) * x.size(1)")),
    prepared("tensor-over-root", net("return self.fc(x) / x.size(-1) ** 0.5")),
    prepared("size-minus-tensor", net("return x.size(1) - self.fc(x)")),
    prepared("number-or-tensor", net("y = 0\nfor _ in range(2):\n    y = y + self.fc(x)\nreturn y")),
    prepared("number-becomes-tensor", net("y = 0\nfor t in (x, self.fc(x)):\n    y += t\nreturn y")),
    prepared("sum-of-list", net("return sum([x, self.fc(x)])")),
    prepared("mixed-line", net("return (self.fc(x) * (x.size(1) // 2 + 1)).view(x.size(0), -1)")),
)

CASES = {3: NUMBERS}
