"""Ways to reach the `act` of a model through other objects; `H` is a hook. Each is the body of `use(m)`."""

from __future__ import annotations


def _decorated(count: int, parameters: str, body: str) -> str:
    """Functions `f0`, `f1`, … that differ in their names only, each decorated with `P`."""
    return "".join(f"@P\ndef f{number}({parameters}): {body}\n" for number in range(count))


_SET_BY_KEYWORD = (
    "class W(nn.Module):\n"
    "    def __init__(self, **kw):\n"
    "        super().__init__()\n"
    "        for k, v in kw.items(): setattr(self, k, v)\n"
)

# name → (code before the function, its body)
_W = "class W(nn.Module):\n    def __init__(self):\n        super().__init__()\n"

ALIASES = {
    "setattr": (
        "class O: pass\n",
        'o = O(); setattr(o, "target", m.act); o.target.register_forward_hook(H)',
    ),
    "setattrm": (
        "class OM(nn.Module): pass\n",
        'o = OM(); setattr(o, "target", m.act); o.target.register_forward_hook(H)',
    ),
    "setattr-has": (
        "class O: pass\n",
        'o = O(); setattr(o, "target", m.act)\nif hasattr(o, "target"): o.target.register_forward_hook(H)',
    ),
    "setattr-dyn": (
        "class O: pass\n",
        'o = O()\nfor k in ("tar" + "get",): setattr(o, k, m.act)\no.target.register_forward_hook(H)',
    ),
    "setattr-dyn-fn": (
        "class O: pass\n",
        'o = O()\nfor k in ("tar" + "get",): setattr(o, k, lambda: m.act)\no.target().register_forward_hook(H)',
    ),
    "setattr-self": (
        "",
        (
            'for k in ("tar" + "get",): setattr(m, k, lambda: m)\n'
            "for c in m.target().children(): c.register_forward_hook(H)"
        ),
    ),
    "setattr-self-has": (
        "",
        (
            'for k in ("tar" + "get",): setattr(m, k, lambda: m)\n'
            'if hasattr(m, "target"):\n'
            "    for c in m.target().children(): c.register_forward_hook(H)"
        ),
    ),
    "dict-set": (
        "class O: pass\n",
        'o = O(); o.__dict__["target"] = m.act; o.target.register_forward_hook(H)',
    ),
    "dict-upd": (
        "class O: pass\n",
        "o = O(); o.__dict__.update(target=m.act); o.target.register_forward_hook(H)",
    ),
    "vars-upd": (
        "class O: pass\n",
        'o = O(); vars(o).update({"target": m.act}); o.target.register_forward_hook(H)',
    ),
    "vars-set": (
        "class O: pass\n",
        'o = O(); vars(o)["target"] = m.act; o.target.register_forward_hook(H)',
    ),
    "obj-set": (
        "class O: pass\n",
        'o = O(); object.__setattr__(o, "target", m.act); o.target.register_forward_hook(H)',
    ),
    "ns": (
        "",
        "o = types.SimpleNamespace(target=m.act); o.target.register_forward_hook(H)",
    ),
    "ns-pos": (
        "",
        'o = types.SimpleNamespace(**{"target": m.act}); o.target.register_forward_hook(H)',
    ),
    "nt": (
        'P = collections.namedtuple("P", "target n")\n',
        "o = P(m.act, 1); o.target.register_forward_hook(H)",
    ),
    "nt2": (
        "class P(typing.NamedTuple):\n    target: nn.Module\n    n: int\n",
        "o = P(target=m.act, n=1); o[0].register_forward_hook(H)",
    ),
    "dc": (
        "@dataclasses.dataclass\nclass P:\n    target: nn.Module\n",
        "o = P(m.act); o.target.register_forward_hook(H)",
    ),
    "dcr": (
        "@dataclasses.dataclass\nclass P:\n    target: nn.Module\n",
        "o = dataclasses.replace(P(None), target=m.act); o.target.register_forward_hook(H)",
    ),
    "type3": (
        "",
        'o = type("O", (), {"target": m.act}); o.target.register_forward_hook(H)',
    ),
    "type3i": (
        "",
        'o = type("O", (), {"target": m.act})(); o.target.register_forward_hook(H)',
    ),
    "clsbody": (
        "",
        "class Q:\n    target = m.act\nQ.target.register_forward_hook(H)",
    ),
    "partial": (
        "def P(q, h): q.register_forward_hook(h)\n",
        "functools.partial(P, m.act)(H)",
    ),
    "partial-m": (
        "",
        "functools.partial(nn.Module.register_forward_hook, m.act)(H)",
    ),
    "bound": (
        "",
        "f = m.act.register_forward_hook; f(H)",
    ),
    "bound-l": (
        "",
        "[m.act.register_forward_hook][0](H)",
    ),
    "mc": (
        "",
        'operator.methodcaller("register_forward_hook", H)(m.act)',
    ),
    "ag": (
        "",
        'operator.attrgetter("act")(m).register_forward_hook(H)',
    ),
    "ag2": (
        "",
        'operator.attrgetter("act.register_forward_hook")(m)(H)',
    ),
    "ig": (
        "",
        "operator.itemgetter(0)([m.act]).register_forward_hook(H)",
    ),
    "deque": (
        "",
        "d = collections.deque(); d.append(m.act); d.popleft().register_forward_hook(H)",
    ),
    "queue": (
        "",
        "import queue\nq = queue.Queue(); q.put(m.act); q.get().register_forward_hook(H)",
    ),
    "chain": (
        "",
        "for q in itertools.chain([m.act]): q.register_forward_hook(H)",
    ),
    "chainmap": (
        "",
        'collections.ChainMap({}, {"a": m.act})["a"].register_forward_hook(H)',
    ),
    "defd": (
        "",
        'd = collections.defaultdict(list); d["a"].append(m.act); d["a"][0].register_forward_hook(H)',
    ),
    "setd": (
        "",
        'd = {}; d.setdefault("a", m.act).register_forward_hook(H)',
    ),
    "dget": (
        "",
        'd = {"a": m.act}; d.get("a").register_forward_hook(H)',
    ),
    "dpop": (
        "",
        'd = {"a": m.act}; d.pop("a").register_forward_hook(H)',
    ),
    "ditems": (
        "",
        'for k, v in {"a": m.act}.items(): v.register_forward_hook(H)',
    ),
    "dcomp": (
        "",
        '{k: v for k, v in m._modules.items()}["act"].register_forward_hook(H)',
    ),
    "zip": (
        "",
        'for a, b in zip("a", [m.act]): b.register_forward_hook(H)',
    ),
    "enum": (
        "",
        "for a, b in enumerate([m.act]): b.register_forward_hook(H)",
    ),
    "map": (
        "",
        "list(map(lambda q: q.register_forward_hook(H), [m.act]))",
    ),
    "filter": (
        "",
        "for q in filter(None, [m.act]): q.register_forward_hook(H)",
    ),
    "sorted": (
        "",
        "for q in sorted([m.act], key=id): q.register_forward_hook(H)",
    ),
    "minn": (
        "",
        "min([m.act], key=id).register_forward_hook(H)",
    ),
    "reduce": (
        "",
        "functools.reduce(lambda a, b: b, [0, m.act]).register_forward_hook(H)",
    ),
    "nextiter": (
        "",
        "next(iter([m.act])).register_forward_hook(H)",
    ),
    "rev": (
        "",
        "for q in reversed([m.act]): q.register_forward_hook(H)",
    ),
    "star": (
        "",
        "a, *b = 1, m.act; b[0].register_forward_hook(H)",
    ),
    "walrus": (
        "",
        "(q := m.act).register_forward_hook(H)",
    ),
    "match": (
        "",
        'match {"a": m.act}:\n    case {"a": q}: q.register_forward_hook(H)',
    ),
    "match2": (
        "",
        "match [m.act]:\n    case [q]: q.register_forward_hook(H)",
    ),
    "match3": (
        "",
        "match m:\n    case nn.Module(act=q): q.register_forward_hook(H)",
    ),
    "lam": (
        "",
        "(lambda q: q)(m.act).register_forward_hook(H)",
    ),
    "lamd": (
        "",
        "(lambda q=m.act: q)().register_forward_hook(H)",
    ),
    "glob": (
        "",
        'globals()["A"] = m.act; A.register_forward_hook(H)',
    ),
    "globstmt": (
        "A = None\ndef g(h): A.register_forward_hook(h)\n",
        "global A\nA = m.act\ng(H)",
    ),
    "sysmod": (
        "A = None\n",
        "import sys\nsys.modules[__name__].A = m.act; A.register_forward_hook(H)",
    ),
    "tl": (
        "L = threading.local()\n",
        "L.q = m.act; L.q.register_forward_hook(H)",
    ),
    "ctxv": (
        "",
        'import contextvars\nc = contextvars.ContextVar("c"); c.set(m.act); c.get().register_forward_hook(H)',
    ),
    "wr": (
        "",
        "weakref.ref(m.act)().register_forward_hook(H)",
    ),
    "wp": (
        "",
        "weakref.proxy(m.act).register_forward_hook(H)",
    ),
    "wd": (
        "",
        'd = weakref.WeakValueDictionary(); d["a"] = m.act; d["a"].register_forward_hook(H)',
    ),
    "ccopy": (
        "class O: pass\n",
        "o = O(); o.q = m.act; copy.copy(o).q.register_forward_hook(H)",
    ),
    "mcopy": (
        "",
        "copy.copy(m).act.register_forward_hook(H)",
    ),
    "gen": (
        "",
        "def g():\n    yield m.act\nfor q in g(): q.register_forward_hook(H)",
    ),
    "gensend": (
        "",
        "def g():\n    q = yield\n    q.register_forward_hook(H)\n    yield\ni = g(); next(i); i.send(m.act)",
    ),
    "yf": (
        "",
        "def g():\n    yield from [m.act]\nfor q in g(): q.register_forward_hook(H)",
    ),
    "ctx": (
        "@contextlib.contextmanager\ndef P(q): yield q\n",
        "with P(m.act) as q: q.register_forward_hook(H)",
    ),
    "ctxn": (
        "",
        "with contextlib.nullcontext(m.act) as q: q.register_forward_hook(H)",
    ),
    "ctxc": (
        (
            "class P:\n"
            "    def __init__(self, q): self.q = q\n"
            "    def __enter__(self): return self.q\n"
            "    def __exit__(self, *a): pass\n"
            ""
        ),
        "with P(m.act) as q: q.register_forward_hook(H)",
    ),
    "estack": (
        "",
        "with contextlib.ExitStack() as s: s.enter_context(contextlib.nullcontext(m.act)).register_forward_hook(H)",
    ),
    "exc": (
        "class P(Exception): pass\n",
        "try: raise P(m.act)\nexcept P as e: e.args[0].register_forward_hook(H)",
    ),
    "exc2": (
        "class P(Exception):\n    def __init__(self, q): self.q = q\n",
        "try: raise P(m.act)\nexcept P as e: e.q.register_forward_hook(H)",
    ),
    "prop": (
        "class P:\n    def __init__(self, m): self.m = m\n    @property\n    def q(self): return self.m.act\n",
        "P(m).q.register_forward_hook(H)",
    ),
    "cprop": (
        (
            "class P:\n"
            "    def __init__(self, m): self.m = m\n"
            "    @functools.cached_property\n"
            "    def q(self): return self.m.act\n"
            ""
        ),
        "P(m).q.register_forward_hook(H)",
    ),
    "geta": (
        "class P:\n    def __init__(self, m): self.m = m\n    def __getattr__(self, n): return getattr(self.m, n)\n",
        "P(m).act.register_forward_hook(H)",
    ),
    "geti": (
        "class P:\n    def __init__(self, m): self.m = m\n    def __getitem__(self, n): return getattr(self.m, n)\n",
        'P(m)["act"].register_forward_hook(H)',
    ),
    "iterc": (
        "class P:\n    def __init__(self, m): self.m = m\n    def __iter__(self): return iter([self.m.act])\n",
        "for q in P(m): q.register_forward_hook(H)",
    ),
    "nextc": (
        (
            "class P:\n"
            "    def __init__(self, m): self.m = m; self.n = 0\n"
            "    def __iter__(self): return self\n"
            "    def __next__(self):\n"
            "        self.n += 1\n"
            "        if self.n > 1: raise StopIteration\n"
            "        return self.m.act\n"
            ""
        ),
        "for q in P(m): q.register_forward_hook(H)",
    ),
    "callc": (
        "class P:\n    def __init__(self, m): self.m = m\n    def __call__(self): return self.m.act\n",
        "P(m)().register_forward_hook(H)",
    ),
    "opover": (
        "class P:\n    def __init__(self, m): self.m = m\n    def __or__(self, o): return self.m.act\n",
        "(P(m) | 1).register_forward_hook(H)",
    ),
    "rop": (
        "class P:\n    def __init__(self, m): self.m = m\n    def __ror__(self, o): return self.m.act\n",
        "(1 | P(m)).register_forward_hook(H)",
    ),
    "newc": (
        "class P:\n    def __new__(cls, m): return m.act\n",
        "P(m).register_forward_hook(H)",
    ),
    "meta": (
        "class Mt(type):\n    def __call__(cls, m): return m.act\nclass P(metaclass=Mt): pass\n",
        "P(m).register_forward_hook(H)",
    ),
    "cget": (
        "class P:\n    def __class_getitem__(cls, m): return m.act\n",
        "P[m].register_forward_hook(H)",
    ),
    "deco": (
        "def P(f): return f()\n",
        "@P\ndef f(): return m.act\nf.register_forward_hook(H)",
    ),
    "lru": (
        "@functools.lru_cache(None)\ndef P(m): return m.act\n",
        "P(m).register_forward_hook(H)",
    ),
    "sd": (
        "@functools.singledispatch\ndef P(m): return 0\n@P.register\ndef _(m: nn.Module): return m.act\n",
        "P(m).register_forward_hook(H)",
    ),
    "memo": (
        "",
        "memo = {}\nc = copy.deepcopy(m, memo); memo[id(m.act)].register_forward_hook(H); c(torch.ones(2,4))",
    ),
    "gsub": (
        "",
        'm.get_submodule("act").register_forward_hook(H)',
    ),
    "gsubd": (
        "",
        'for n in ("a" "ct",): m.get_submodule(n).register_forward_hook(H)',
    ),
    "modd": (
        "",
        'm._modules["act"].register_forward_hook(H)',
    ),
    "modv": (
        "",
        "list(m._modules.values())[1].register_forward_hook(H)",
    ),
    "child": (
        "",
        "list(m.children())[1].register_forward_hook(H)",
    ),
    "dm": (
        "",
        'dict(m.named_modules())["act"].register_forward_hook(H)',
    ),
    "gattr": (
        "",
        'getattr(m, "ac" + "t").register_forward_hook(H)',
    ),
    "gattrd": (
        "",
        'getattr(m, "zz", m.act).register_forward_hook(H)',
    ),
    "seqw": (
        "",
        "s = nn.Sequential(m.fc, m.act); s[1].register_forward_hook(H)",
    ),
    "mlw": (
        "",
        "s = nn.ModuleList([m.act]); s[0].register_forward_hook(H)",
    ),
    "mdw": (
        "",
        's = nn.ModuleDict({"a": m.act}); s["a"].register_forward_hook(H)',
    ),
    "app": (
        "",
        "s = []; s.append(m.act); s[0].register_forward_hook(H)",
    ),
    "ext": (
        "",
        "s = []; s.extend([m.act]); s[0].register_forward_hook(H)",
    ),
    "iadd": (
        "",
        "s = []; s += [m.act]; s[0].register_forward_hook(H)",
    ),
    "slice": (
        "",
        "s = [1]; s[1:] = [m.act]; s[1].register_forward_hook(H)",
    ),
    "ins": (
        "",
        "s = []; s.insert(0, m.act); s[0].register_forward_hook(H)",
    ),
    "sadd": (
        "",
        "s = set(); s.add(m.act); s.pop().register_forward_hook(H)",
    ),
    "appf": (
        "",
        "f = (s := []).append; f(m.act); s[0].register_forward_hook(H)",
    ),
    "heap": (
        "",
        "import heapq\nh = []; heapq.heappush(h, (0, m.act)); heapq.heappop(h)[1].register_forward_hook(H)",
    ),
    "cb": (
        "P = []\ndef q(h):\n    for z in P: z.register_forward_hook(h)\n",
        "P.append(m.act); q(H)",
    ),
    "reg": (
        (
            "class R:\n"
            "    items = {}\n"
            "    @classmethod\n"
            '    def reg(cls, m): cls.items["a"] = m.act\n'
            "    @classmethod\n"
            '    def go(cls, h): cls.items["a"].register_forward_hook(h)\n'
            ""
        ),
        "R.reg(m); R.go(H)",
    ),
    "fattr": (
        "def P(): pass\n",
        "P.q = m.act; P.q.register_forward_hook(H)",
    ),
    "cell": (
        "",
        "def f(): return m.act\nf().register_forward_hook(H)",
    ),
    "cell2": (
        "",
        (
            "def f():\n"
            "    q = m.act\n"
            "    def g(): return q\n"
            "    return g\n"
            "f().__closure__[0].cell_contents.register_forward_hook(H)"
        ),
    ),
    "nonl": (
        "",
        "q = None\ndef f():\n    nonlocal q\n    q = m.act\nf(); q.register_forward_hook(H)",
    ),
    "thr": (
        "",
        "th = threading.Thread(target=lambda q: q.register_forward_hook(H), args=(m.act,)); th.start(); th.join()",
    ),
    "fut": (
        "",
        (
            "from concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor(1) as ex: ex.submit(lambda: m.act).result().register_forward_hook(H)"
        ),
    ),
    "asy": (
        "",
        "import asyncio\nasync def f(): return m.act\nasyncio.run(f()).register_forward_hook(H)",
    ),
    "cond": (
        "x_ = 1\n",
        "(m.act if x_ else None).register_forward_hook(H)",
    ),
    "orr": (
        "",
        "(None or m.act).register_forward_hook(H)",
    ),
    "gc": (
        "",
        "import gc\n[q for q in gc.get_objects() if isinstance(q, nn.ReLU)][-1].register_forward_hook(H)",
    ),
    "locals": (
        "",
        'q = m.act; locals()["q"].register_forward_hook(H)',
    ),
    "evalq": (
        "",
        'eval("m.act", {"m": m}).register_forward_hook(H)',
    ),
    "applyf": (
        "",
        "m.apply(lambda q: q.register_forward_hook(H) if isinstance(q, nn.ReLU) else None)",
    ),
    "treemap": (
        "",
        "import torch.utils._pytree as pt\npt.tree_map(lambda q: q.register_forward_hook(H), [m.act])",
    ),
    "starmap": (
        "",
        "list(itertools.starmap(lambda q: q.register_forward_hook(H), [(m.act,)]))",
    ),
    "enumc": (
        "",
        'P = enum.Enum("P", {"A": m.act}); P.A.value.register_forward_hook(H)',
    ),
    "dataf": (
        "@dataclasses.dataclass\nclass P:\n    ms: list = dataclasses.field(default_factory=list)\n",
        "o = P(); o.ms.append(m.act); o.ms[0].register_forward_hook(H)",
    ),
    "slots": (
        'class P:\n    __slots__ = ("q",)\n',
        "o = P(); o.q = m.act; o.q.register_forward_hook(H)",
    ),
    "supers": (
        (
            "class B:\n"
            "    def go(self, h): self.q.register_forward_hook(h)\n"
            "class P(B):\n"
            "    def __init__(self, m): self.q = m.act\n"
            ""
        ),
        "o = P(m); o.go(H)",
    ),
    "kw": (
        'def P(**kw): kw["q"].register_forward_hook(kw["h"])\n',
        "P(q=m.act, h=H)",
    ),
    "kw2": (
        "def P(**kw): Q(**kw)\ndef Q(q, h): q.register_forward_hook(h)\n",
        "P(q=m.act, h=H)",
    ),
    "args": (
        "def P(*a): a[0].register_forward_hook(a[1])\n",
        "P(m.act, H)",
    ),
    "retry": (
        "def P(m):\n    def g(h): return m.act.register_forward_hook(h)\n    return g\n",
        "for _ in range(1):\n    f = P(m)\nf(H)",
    ),
    "pickle": (
        "",
        "c = pickle.loads(pickle.dumps(m)); c.act.register_forward_hook(H); c(torch.ones(2,4))",
    ),
    "strid": (
        "",
        "import ctypes\nctypes.cast(id(m.act), ctypes.py_object).value.register_forward_hook(H)",
    ),
    "own-dynmod": (
        "class OM(nn.Module):\n    pass\n",
        'o = OM()\nfor k in ("tar" + "get",): setattr(o, k, m.act)\no.target.register_forward_hook(H)',
    ),
    "own-dynkw": (
        _SET_BY_KEYWORD,
        "w = W(target=m.act); w.target.register_forward_hook(H)",
    ),
    "own-dynkwd": (
        (
            "class W(nn.Module):\n"
            "    def __init__(self, **kw):\n"
            "        super().__init__()\n"
            "        self.__dict__.update(kw)\n"
        ),
        "w = W(target=m.act); w.target.register_forward_hook(H)",
    ),
    "own-dynkwm": (
        (
            "class W(nn.Module):\n"
            "    def __init__(self, **kw):\n"
            "        super().__init__()\n"
            "        for k, v in kw.items(): self.add_module(k, v)\n"
        ),
        "w = W(target=m.act); w.target.register_forward_hook(H)",
    ),
    "own-dynkwr": (
        (
            "class W(nn.Module):\n"
            "    def __init__(self, items):\n"
            "        super().__init__()\n"
            "        for k, v in items: self.register_module(k, v)\n"
        ),
        'w = W([("target", m.act)]); w.target.register_forward_hook(H)',
    ),
    "own-dynkwget": (
        _SET_BY_KEYWORD,
        'w = W(target=m.act); w.get_submodule("target").register_forward_hook(H)',
    ),
    "own-dynkwch": (
        _SET_BY_KEYWORD,
        "w = W(target=m.act)\nfor c in w.children(): c.register_forward_hook(H)",
    ),
    "own-dynkwself": (
        (
            "class W(nn.Module):\n"
            "    def __init__(self, **kw):\n"
            "        super().__init__()\n"
            "        for k, v in kw.items(): setattr(self, k, v)\n"
            "    def go(self, h): self.target.register_forward_hook(h)\n"
        ),
        "w = W(target=m.act); w.go(H)",
    ),
    "own-dynkwnet": (
        _SET_BY_KEYWORD,
        "w = W(target=m); w.target.act.register_forward_hook(H)",
    ),
    "own-dynkwnet2": (
        _SET_BY_KEYWORD,
        "w = W(target=m)\nfor c in w.target.children(): c.register_forward_hook(H)",
    ),
    "own-torchmod": (
        "",
        'o = nn.Module()\nfor k in ("tar" + "get",): setattr(o, k, m.act)\no.target.register_forward_hook(H)',
    ),
    "own-torchid": (
        "",
        'o = nn.Identity()\nfor k in ("tar" + "get",): o.add_module(k, m.act)\no.target.register_forward_hook(H)',
    ),
    "own-reg9": (
        "def P(f): return f()\n",
        (_decorated(9, "", "return m.act") + "f3.register_forward_hook(H)"),
    ),
    "own-reg12": (
        ("R = {}\ndef P(f):\n    R[f.__name__] = f\n    return f\n" + _decorated(12, "m", "return m.act")),
        'R["f7"](m).register_forward_hook(H)',
    ),
    "own-reg12w": (
        ("def P(f):\n    def w(*a): return f(*a)\n    return w\n" + _decorated(12, "m", "return m.act")),
        "f7(m).register_forward_hook(H)",
    ),
    "own-reg12c": (
        (
            "def P(f):\n"
            "    def w(*a): return f(*a)\n"
            "    return w\n" + _decorated(12, "m, h", "m.act.register_forward_hook(h)")
        ),
        "f7(m, H)",
    ),
    "own-reg12d": (
        (
            "def P(f):\n"
            "    def w(m, h):\n"
            "        f(m, h); m.act.register_forward_hook(h)\n"
            "    return w\n" + _decorated(12, "m, h", "pass")
        ),
        "f7(m, H)",
    ),
    "own-statch": (
        "class W(nn.Module):\n    def __init__(self, inner):\n        super().__init__(); self.inner = inner\n",
        "w = W(m.act)\nfor c in w.children(): c.register_forward_hook(H)",
    ),
    "own-statmods": (
        "class W(nn.Module):\n    def __init__(self, inner):\n        super().__init__(); self.inner = inner\n",
        "w = W(m.act)\nfor c in w.modules(): c.register_forward_hook(H)",
    ),
    "own-statget": (
        "class W(nn.Module):\n    def __init__(self, inner):\n        super().__init__(); self.inner = inner\n",
        'w = W(m.act); w.get_submodule("inner").register_forward_hook(H)',
    ),
    "own-statdeep": (
        "class W(nn.Module):\n    def __init__(self, inner):\n        super().__init__(); self.inner = inner\n",
        "w = W(W(m.act))\nfor c in w.modules(): c.register_forward_hook(H)",
    ),
    "own-child-set": (_W, "w = W(); w.a = m.act\nfor c in w.children(): c.register_forward_hook(H)"),
    "own-child-by-name": (_W, 'w = W(); w.add_module("a", m.act)\nfor c in w.children(): c.register_forward_hook(H)'),
    "own-child-computed": (
        _W,
        "w = W(); setattr(w, 'a' + str(1), m.act)\nfor c in w.children(): c.register_forward_hook(H)",
    ),
    "own-child-in-table": (_W, "w = W(); w._modules['a'] = m.act\nfor c in w.children(): c.register_forward_hook(H)"),
    "own-child-of-subclass": (
        _W + "class V(W):\n    def __init__(self, q):\n        super().__init__(); self.q = q\n",
        "def f(w: W):\n    for c in w.children(): c.register_forward_hook(H)\nf(V(m.act))",
    ),
    "own-child-of-itself": (
        _W + "    def go(self):\n        for n, c in self.named_children(): c.register_forward_hook(H)\n"
        "class V(W):\n    def __init__(self, q):\n        super().__init__(); self.q = q\n",
        "V(m.act).go()",
    ),
    "own-child-twice": (
        _W,
        (
            "w = W(); w.a = nn.Sequential(m.act)\n"
            "for c in w.children():\n    for d in c.children(): d.register_forward_hook(H)"
        ),
    ),
    "own-child-own-listing": (
        _W + "    def children(self):\n        return [[self.inner]]\n",
        "w = W(); w.inner = m.act\nfor c in w.children():\n    for d in c: d.register_forward_hook(H)",
    ),
    "own-child-of-another": (_W, "w = W(); w.a = m\nfor c in w.children(): c.act.register_forward_hook(H)"),
    "own-child-pair": (_W, "w = W(); w.a = m.act\nfor pair in w.named_children(): pair[1].register_forward_hook(H)"),
    "own-seqch": ("", "s = nn.Sequential(m.fc, m.act)\nfor c in s.children(): c.register_forward_hook(H)"),
    "own-seqmods": ("", "s = nn.Sequential(m.fc, m.act)\nfor c in s.modules(): c.register_forward_hook(H)"),
    "own-seqit": ("", "s = nn.Sequential(m.fc, m.act)\nfor c in s: c.register_forward_hook(H)"),
    "own-seqdeep": ("", "s = nn.Sequential(nn.Sequential(m.act))\nfor c in s.modules(): c.register_forward_hook(H)"),
    "own-mlch": ("", "s = nn.ModuleList(); s.append(m.act)\nfor c in s.children(): c.register_forward_hook(H)"),
    "own-seqadd": ("", 's = nn.Sequential(); s.add_module("a", m.act)\nfor c in s: c.register_forward_hook(H)'),
    "own-seqadd2": ("", 's = nn.Sequential(); s.add_module("a", m.act)\ns.a.register_forward_hook(H)'),
    "own-seqadd3": ("", 's = nn.Sequential(); s.add_module("a", m.act)\ns[0].register_forward_hook(H)'),
    "own-modadd": ("", 's = nn.Module(); s.add_module("a", m.act)\nfor c in s.children(): c.register_forward_hook(H)'),
    "own-modset": ("", "s = nn.Module(); s.a = m.act\nfor c in s.children(): c.register_forward_hook(H)"),
    "own-idset": ("", "s = nn.Identity(); s.a = m.act\nfor c in s.modules(): c.register_forward_hook(H)"),
    "own-dp": ("", "s = nn.DataParallel(m)\ns.module.act.register_forward_hook(H)"),
    "own-dpm": ("", "s = nn.DataParallel(m)\nfor c in s.modules(): c.register_forward_hook(H)"),
    "own-holdlist": ("", "class K(list): pass\nk = K(); k.append(m.act)\nfor c in k: c.register_forward_hook(H)"),
    "own-ownlist": (
        "class K(list):\n    def take(self, q): self.append(q)\n",
        "k = K(); k.take(m.act)\nfor c in k: c.register_forward_hook(H)",
    ),
    "own-owndict": (
        'class K(dict):\n    def take(self, q): self["a"] = q\n',
        'k = K(); k.take(m.act)\nk["a"].register_forward_hook(H)',
    ),
    "own-userdict": (
        "class K(collections.UserDict): pass\n",
        'k = K(); k["a"] = m.act\nk["a"].register_forward_hook(H)',
    ),
    "own-usergetset": (
        (
            "class K:\n"
            "    def __init__(self): self.d = {}\n"
            "    def __setitem__(self, n, v): self.d[n] = v\n"
            "    def __getitem__(self, n): return self.d[n]\n"
        ),
        'k = K(); k["a"] = m.act\nk["a"].register_forward_hook(H)',
    ),
    "own-userattr": (
        'class K:\n    def __setattr__(self, n, v): object.__setattr__(self, "b", v)\n',
        "k = K(); k.a = m.act\nk.b.register_forward_hook(H)",
    ),
    "own-usercall": (
        "class K:\n    def __call__(self, v): self.b = v\n",
        "k = K(); k(m.act)\nk.b.register_forward_hook(H)",
    ),
    "own-userlshift": (
        "class K:\n    def __lshift__(self, v): self.b = v\n",
        "k = K(); k << m.act\nk.b.register_forward_hook(H)",
    ),
    "own-usercontains": (
        "class K:\n    def __contains__(self, v): self.b = v; return True\n",
        "k = K(); m.act in k\nk.b.register_forward_hook(H)",
    ),
    "own-userexit": (
        (
            "class E(Exception): pass\n"
            "class K:\n"
            "    def __enter__(self): return self\n"
            "    def __exit__(self, t, v, tb): self.b = v\n"
        ),
        "try:\n    with K() as k: raise E(m.act)\nexcept E: pass\nk.b.args[0].register_forward_hook(H)",
    ),
    "own-prop": (
        "class K:\n    @property\n    def a(self): return 1\n    @a.setter\n    def a(self, v): self.b = v\n",
        "k = K(); k.a = m.act\nk.b.register_forward_hook(H)",
    ),
    "own-desc": (
        "class D:\n    def __set__(self, o, v): o.b = v\nclass K:\n    a = D()\n",
        "k = K(); k.a = m.act\nk.b.register_forward_hook(H)",
    ),
}
