"""7: a layer inside a block runs with the block, and once more by itself."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, prepared

_PARTS = """
class Emb(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.fc(x))


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = Emb()
{in_norm}
    def forward(self, t):
        return self.emb(t)


class Block(nn.Module):
    def __init__(self, ada=True):
        super().__init__()
        self.norm = Norm() if ada else nn.LayerNorm(4)
{in_block}
    def forward(self, t):
        return self.norm(t)


"""
_NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {make}

    def forward(self, t):
        {run}
        return {again}


def example():
    net = Net()
    {change}
    return net, (torch.randn(2, 4),)
"""
_ONE = ("self.block = Block()", "x = self.block(t)", "x - self.block.norm.emb(t)")
_LIST = (
    "self.blocks = nn.ModuleList([Block() for _ in range(2)])",
    "x = t\n        for block in self.blocks:\n            x = block(x)",
    "x - self.blocks[0].norm.emb(t)",
)


def _net(parts: tuple[str, str, str], change: str = "pass", in_norm: str = "", in_block: str = "") -> str:
    make, run, again = parts
    net = _NET.format(make=make, run=run, again=again, change=change)
    return module(_PARTS.format(in_norm=in_norm, in_block=in_block) + net)


_SWAP = "\n    def swap(self):\n        self.{name} = {made}\n"
_CHANGES: dict[str, tuple[str, str, str]] = {
    "the-layer": ("net.{block}.norm.emb = Emb()", "", ""),
    "what-holds-it": ("net.{block}.norm = Norm()", "", ""),
    "through-a-local": ("block = net.{block}\n    block.norm = Norm()", "", ""),
    "by-a-method-of-the-block": ("net.{block}.swap()", "", _SWAP.format(name="norm", made="Norm()")),
    "by-a-method-of-what-holds-it": ("net.{block}.norm.swap()", _SWAP.format(name="emb", made="Emb()"), ""),
    "by-a-hook": ("net.{block}.norm.emb.register_forward_hook(lambda m, a, out: out.detach())", "", ""),
    "by-its-name": ("setattr(net.{block}.norm, 'emb', Emb())", "", ""),
    "in-a-loop": ("for m in net.modules():\n        if isinstance(m, Norm):\n            m.emb = Emb()", "", ""),
}

NESTED: tuple[Case, ...] = (
    prepared("nested-in-a-block", _net(_ONE)),
    prepared("nested-in-a-list-of-blocks", _net(_LIST)),
    *(
        declined(f"nested-changed-{name}", _net(_ONE, change.format(block="block"), in_norm, in_block), "changed")
        for name, (change, in_norm, in_block) in _CHANGES.items()
    ),
    *(
        declined(
            f"nested-in-a-list-changed-{name}",
            _net(_LIST, change.format(block="blocks[0]"), in_norm, in_block),
            "changed",
        )
        for name, (change, in_norm, in_block) in _CHANGES.items()
    ),
)

CASES: dict[int, tuple[Case, ...]] = {7: NESTED}
