"""Write `fixtures/nasty`: legal files that are odd in one way each, and, in `broken`, files that are not legal.

Every legal file but `empty.py` and `only_comments.py` defines `Block`, an nn.Module without arguments whose forward
takes one (1, 3, 4, 4) tensor. Editors and git like to repair such files, so they are made here, byte by byte.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "fixtures" / "nasty"

PLAIN = """\
import torch
import torch.nn as nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        # what comes in
        y = self.conv(x)
        return torch.cat([x + y, y], dim=1)  # what goes out
"""

SEMICOLONS = """\
import torch; import torch.nn as nn
class Block(nn.Module):
    def __init__(self): super().__init__(); self.conv = nn.Conv2d(3, 3, 1)
    def forward(self, x):
        y = self.conv(x); y = y + x; z = y * 2.0; return z  ;
"""

ONE_LINE_BODIES = """\
import torch.nn as nn, torch.nn.functional as F
class Block(nn.Module):
    conv = None
    def __init__(self): super().__init__()
    def forward(self, x): return F.relu(x) + x
"""

BACKSLASHES = """\
import torch.nn \\
    as nn
from torch import \\
    cat, \\
    mean


class Block \\
        (nn.Module):
    def forward(self, \\
                x):
        y = x \\
            + x \\
            * 2.0
        y += \\
            x
        return cat([y, x],
                   1) \\
            - mean(x)
"""

WALRUS = """\
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def forward(self, x):
        if (y := F.relu(x)).shape[0] > (n := 0):
            return (z := y + x) * z + n
        return y
"""

MATCH = """\
import torch.nn as nn


class Block(nn.Module):
    match = "+"

    def forward(self, x):
        x = x * x
        match self.match:
            case "+":
                return x + x
            case "-" | "*" as case:
                return x * x if case == "*" else x - x
            case [first, *_] if first:
                return -x
            case _:
                return x
"""

DECORATORS = """\
import functools

import torch
import torch.nn as nn


def logged(*names):
    def wrap(function):
        @functools.wraps(function)
        def inner(self, *args, **kwargs):
            return function(self, *args, **kwargs)

        return inner

    return wrap


@functools.total_ordering
class Ordered:
    def __lt__(self, other):
        return id(self) < id(other)


class Block(nn.Module):
    @logged("forward",)
    @logged()  # twice
    def forward(self, x):
        return self.scaled(x) + self.offset

    @property
    def offset(self): return 1.0

    @staticmethod
    @torch.no_grad()
    def scaled(x):
        return x * 2.0
"""

TYPE_COMMENTS = """\
import torch  # type: ignore
import torch.nn as nn


class Block(nn.Module):
    def forward(self, x):
        # type: (torch.Tensor) -> torch.Tensor
        y = x + x  # type: torch.Tensor
        for i in range(2):  # type: int
            y = torch.add(y, x, alpha=i)  # noqa: E501 # type: ignore[no-any-return]
        return y
"""

CONDITIONAL_IMPORTS = """\
try:
    import no_such_accelerator.functional as F
except ImportError:
    import torch.nn.functional as F
import sys

if sys.version_info >= (3, 8):
    from torch import nn
else:
    import torch.nn as nn

if True:
    import torch


class Block(nn.Module):
    def forward(self, x):
        from torch import add as plus

        return plus(F.relu(x), torch.sigmoid(x))
"""

TYPE_CHECKING = """\
from __future__ import annotations

import typing
from typing import TYPE_CHECKING

import torch.nn

if TYPE_CHECKING:
    from torch import Tensor, nn
elif typing.TYPE_CHECKING:
    import torch as F


class Block(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor
        y = x - x
        return y.add_(x)
"""

NAMES = """\
import torch.nn as nñ


class Bloçk(nñ.Module):
    def __init__(self):
        super().__init__()
        self.größe = nñ.ReLU()

    def forward(self, χ):
        '''𝔘nicode “quotes”, a tab\\t, and 漢字 before the code'''; ψ = self.größe(χ); return (ψ + χ) * ψ  # Δ


Block = Bloçk
"""

SEPARATORS = """\
import torch.nn as nn


class Block(nn.Module):
    text = '''one\u2028two\u2029three\x85four\x1cfive\x0bsix\x0cseven'''  # \u2028 no new line

    def forward(self, x):
        return x + len(self.text) + x  # \x0c here
"""

COMMENTS = """\
# -*- mode: python -*-
#!not a shebang

import torch.nn as nn  # nn

# before the class

class Block(nn.Module):  # after the colon
    # first in the class
    def forward(  # open
        self,  # self
        x,  # x
    ):  # close
        # before return
        return (  # (
            # inside
            x  # left
            # before the operator
            +  # operator
            # before the operand
            x  # right
            * x  # twice
            # last
        )  # )
        # dead end
    # last in the class
# after the class
"""

STRINGS = '''\
"""A docstring that speaks of x + y."""
import torch.nn as nn


class Block(nn.Module):
    r"""Raw \\d docstring; return x + x"""

    def forward(self, x):
        """
        forward(x) = x + x  # no comment
        """
        x = -x
        assert x is not None, f"{x.shape[0] + 1!r:>{3 + 2}} {'#'} {x.dim() * 2}"
        return x + x if "# no comment" else r'\\x00' """
    + x
"""
'''

DEPTH = """\
import torch.nn as nn


class Block(nn.Module):
    def forward(self, x):
        def outer(y):
            class Local:
                def run(self, z):
                    return (lambda w: (lambda v: v + w)(w))(z) + y
            return Local().run(y)
        if x is not None:
          for _ in range(1):
                 while True:
                  with_ = ((((((((((x + ((((((((x)))))))) * 1.0))))))))))
                  break
        return outer(with_)
"""

EXTRA = """\
import torch.nn as nn
class Block(nn.Module):
 async def later(self): return [i async for i in self]
 def forward(self,x,/,*,_=(),**__):
  global seen;seen=x
  try:y=x+x
  except*ValueError:pass
  else:y=-y
  finally:y=y@y
  del x;return{'y':y}['y']if y is not(None)else~y
"""

CHAIN = "import torch.nn as nn\n\n\nclass Block(nn.Module):\n    def forward(self, x):\n        return " + " + ".join(
    ["x"] * 400
)

LEGAL: dict[str, bytes] = {
    "crlf.py": PLAIN.replace("\n", "\r\n").encode(),
    "lone_cr.py": PLAIN.replace("\n", "\r").encode(),
    "mixed_newlines.py": PLAIN.replace("\n", "\r\n", 3).replace(":\n", ":\r").encode(),
    "tabs.py": PLAIN.replace("    ", "\t").encode(),
    "tabs_and_spaces.py": PLAIN.replace("        ", "    \t").encode(),
    "form_feed.py": PLAIN.replace("\n\n\n", "\n\x0c\n\n").replace("    def forward", "\x0c    def forward").encode(),
    "bom.py": b"\xef\xbb\xbf" + PLAIN.encode(),
    "bom_crlf_cookie.py": b"\xef\xbb\xbf# -*- coding: utf-8 -*-\r\n" + PLAIN.replace("\n", "\r\n").encode(),
    "latin1.py": ("# -*- coding: latin-1 -*-\n" + PLAIN.replace("what", "wïé")).encode("latin-1"),
    "cp1252.py": ("#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\n" + PLAIN.replace("what", "€“w”")).encode(
        "cp1252"
    ),
    "no_final_newline.py": PLAIN.rstrip("\n").encode(),
    "trailing_blanks.py": PLAIN.replace("\n", "  \n").encode() + b"   \n\t\n    ",
    "empty.py": b"",
    "only_comments.py": b"# nothing\r\n\r\n   # at all",
    "semicolons.py": SEMICOLONS.encode(),
    "one_line_bodies.py": ONE_LINE_BODIES.encode(),
    "backslashes.py": BACKSLASHES.encode(),
    "walrus.py": WALRUS.encode(),
    "match_statement.py": MATCH.encode(),
    "decorators.py": DECORATORS.encode(),
    "type_comments.py": TYPE_COMMENTS.encode(),
    "conditional_imports.py": CONDITIONAL_IMPORTS.encode(),
    "type_checking.py": TYPE_CHECKING.encode(),
    "star_import.py": b"from torch import *\nfrom torch.nn import *\n"
    + PLAIN.partition("\n\n\n")[2].replace("nn.", "").replace("torch.cat", "cat").encode(),
    "non_ascii_names.py": NAMES.encode(),
    "separators.py": SEPARATORS.encode(),
    "comments.py": COMMENTS.encode(),
    "strings.py": STRINGS.encode(),
    "depth.py": DEPTH.encode(),
    "dense.py": EXTRA.encode(),
    "long_chain.py": CHAIN.encode(),
}

BROKEN: dict[str, bytes] = {
    "unclosed.py": b"import torch\nx = (torch\n",
    "unmatched.py": b"import torch\n\nx = torch.cat(y])\n",
    "indentation.py": b"import torch\ndef f():\nreturn torch\n",
    "mixed_indentation.py": b"import torch\nif torch:\n        x = 1\n\ty = 2\n",
    "python2.py": b"import torch\nprint torch\n",
    "nul.py": b"import torch\nx = torch\0\n",
    "not_utf8.py": b"import torch\nx = '\xe9'\n",
    "unknown_cookie.py": b"# coding: no-such-codec\nimport torch\n",
    "wrong_cookie.py": b"# coding: ascii\nx = '\xc3\xa9'\n",
    "bom_and_cookie.py": b"\xef\xbb\xbf# coding: latin-1\nimport torch\n",
    "utf16.py": "import torch\n".encode("utf-16"),
    "return_outside.py": b"import torch\nreturn torch\n",
}


def main() -> None:
    """Write all files."""
    for folder, files in ((ROOT, LEGAL), (ROOT / "broken", BROKEN)):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
