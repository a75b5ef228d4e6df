"""Code that runs for each module and leaves something behind. Each is the body of `use(m)`."""

from __future__ import annotations

# name → (code before the function, its body)
VISITS = {
    "kept-by-name": ("", "d = {}\nfor n, q in m.named_modules(): d[type(q).__name__] = n\nr.append(d)"),
    "assign": ("", "n = 0\nfor q in m.modules(): n = n + 1\nr.append(n)"),
    "assign2": ("", "n = 0\nfor q in m.modules():\n    k = n + 1\n    n = k\nr.append(n)"),
    "last": ("", "for q in m.modules(): last = type(q).__name__\nr.append(last)"),
    "lastif": ("", "for q in m.children():\n    if True: last = q\nr.append(type(last).__name__)"),
    "tuple": ("", "a = b = 0\nfor q in m.modules(): a, b = b, a + 1\nr.append(a)"),
    "walrus": ("", "n = 0\nfor q in m.modules():\n    if (n := n + 1) > 99: break\nr.append(n)"),
    "fn0": ("N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\n", "for q in m.modules(): tick()\nr.append(N[0])"),
    "fn1": (
        "N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\n",
        "for q in m.modules(): tick(q)\nr.append(N[0])",
    ),
    "fncond": (
        "N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\n",
        "for q in m.modules():\n    if tick(): q.eval()\nm.train()\nr.append(N[0])",
    ),
    "fnval": (
        "N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\n",
        "for q in m.modules(): z = tick()\nr.append(N[0])",
    ),
    "fnnest": (
        "N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\ndef wrap(q):\n    return tick(q)\n",
        "for q in m.modules(): wrap(q)\nr.append(N[0])",
    ),
    "lam": ("", "f = lambda q: r.append(1)\nfor q in m.modules(): f(q)"),
    "lamif": ("", "f = lambda: r.append(1)\nfor q in m.modules(): f() if isinstance(q, nn.ReLU) else None"),
    "applyfn": ("N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\n", "m.apply(tick); r.append(N[0])"),
    "applyfn2": (
        "N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\n",
        "m.apply(lambda q: tick()); r.append(N[0])",
    ),
    "applyfn3": (
        "N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\ndef wrap(q):\n    z = tick(q)\n    return z\n",
        "m.apply(wrap); r.append(N[0])",
    ),
    "applyglob": ("N = 0\ndef wrap(q):\n    global N\n    N = N + 1\n", "m.apply(wrap); r.append(N)"),
    "applynonl": ("", "n = 0\ndef w(q):\n    nonlocal n\n    n = n + 1\nm.apply(w); r.append(n)"),
    "applywalrus": ("", "c = itertools.count()\nm.apply(lambda q: next(c)); r.append(next(c))"),
    "applyappend": ("", "s = []; m.apply(s.append); r.append(len(s))"),
    "applyadd": ("", "s = set(); m.apply(s.add); r.append(len(s))"),
    "applybound": ("", "s = []; keep = s.append; m.apply(keep); r.append(len(s))"),
    "applyunbound": ("", "s = []; nn.Module.apply(m, s.append); r.append(len(s))"),
    "applyheld": (
        "class K:\n    def __init__(self): self.s = []\n",
        "k = K(); m.apply(k.s.append); r.append(type(k.s[-1]).__name__)",
    ),
    "applydefault": ("def go(q, keep):\n    q.apply(keep)\n", "s = []; go(m, s.append); r.append(len(s))"),
    "next": ("", "c = itertools.count()\nfor q in m.modules(): next(c)\nr.append(next(c))"),
    "next2": ("", "c = itertools.count()\nfor q in m.modules(): k = next(c)\nr.append(next(c))"),
    "nextif": ("", "c = iter([1]*3 + [0]*9)\nfor q in m.modules():\n    if next(c): pass\nr.append(next(c))"),
    "pop": ("", "s = list(range(20))\nfor q in m.modules(): s.pop()\nr.append(len(s))"),
    "del": ("", "s = list(range(20))\nfor q in m.modules(): del s[0]\nr.append(len(s))"),
    "popattr": ("", "m.s = list(range(20))\nfor q in m.modules(): m.s.pop()\nr.append(len(m.s))"),
    "setattr": ("", 'm.n = 0\nfor q in m.modules(): setattr(m, "n", m.n + 1)\nr.append(m.n)'),
    "attr": ("", "m.n = 0\nfor q in m.modules(): m.n = m.n + 1\nr.append(m.n)"),
    "rng": ("", "for q in m.modules(): torch.rand(1)\nr.append(float(torch.rand(1)))"),
    "rng2": ("", "for q in m.modules(): k = random.random()\nr.append(random.random())"),
    "rng3": ("", "for q in m.modules():\n    if torch.rand(1) < 0.5: pass\nr.append(float(torch.rand(1)))"),
    "meth": (
        "class K:\n    n = 0\n    def tick(self): self.n += 1\n",
        "k = K()\nfor q in m.modules(): k.tick()\nr.append(k.n)",
    ),
    "meth2": (
        "class K:\n    n = 0\n    def tick(self, q): self.n += 1\n",
        "k = K()\nfor q in m.modules(): k.tick(q)\nr.append(k.n)",
    ),
    "call": (
        "class K:\n    n = 0\n    def __call__(self, q): self.n += 1\n",
        "k = K()\nfor q in m.modules(): k(q)\nr.append(k.n)",
    ),
    "applyobj": ("class K:\n    n = 0\n    def __call__(self, q): self.n += 1\n", "k = K()\nm.apply(k)\nr.append(k.n)"),
    "with": (
        "class K:\n    n = 0\n    def __enter__(self): self.n += 1\n    def __exit__(self, *a): pass\n",
        "k = K()\nfor q in m.modules():\n    with k: pass\nr.append(k.n)",
    ),
    "heap": ("", "import heapq\nh = []\nfor i, q in enumerate(m.modules()): heapq.heappush(h, i)\nr.append(len(h))"),
    "gen": ("", "def g():\n    for q in m.modules(): yield 1\nr.append(sum(g()))"),
    "while": (
        "",
        (
            "it = iter(list(m.modules())); n = 0\n"
            "while True:\n"
            "    try: next(it)\n"
            "    except StopIteration: break\n"
            "    n += 1\n"
            "r.append(n)"
        ),
    ),
    "map": ("N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\n", "r.append(len(list(map(tick, m.modules()))))"),
    "map2": (
        "N = [0]\ndef tick(*a):\n    N[0] += 1\n    return True\n",
        "list(map(tick, m.modules())); r.append(N[0])",
    ),
    "reduce": ("", "r.append(functools.reduce(lambda a, q: a + 1, m.modules(), 0))"),
    "zip": ("", "for i, q in zip(range(99), m.modules()): pass\nr.append(i)"),
    "enum": ("", "for i, q in enumerate(m.modules()): pass\nr.append(i)"),
    "enum2": ("", "for i, q in enumerate(m.modules()): q.idx = i\nr.append(m.fc.idx)"),
    "star": ("", "r.append(len([*m.modules()]))"),
    "starcall": ("def cnt(*a): return len(a)\n", "r.append(cnt(*m.modules()))"),
    "unpack": ("", "*_, last = m.modules()\nr.append(type(last).__name__)"),
    "str": ("", 's = ""\nfor n, q in m.named_modules(): s = s + n\nr.append(s)'),
    "strj": ("", 'r.append(",".join(n for n, _ in m.named_children()))'),
    "fstr": ("", 'r.append(f"{[n for n, _ in m.named_children()]}")'),
    "hash": ("", 'r.append(hash(tuple(n for n, _ in m.named_children())) == hash(("fc", "act")))'),
    "index": ("", 'r.append([n for n, _ in m.named_children()].index("act"))'),
    "ex": (
        "",
        (
            "try:\n"
            "    for i, q in enumerate(m.modules()):\n"
            "        if i == 4: raise ValueError\n"
            "except ValueError: r.append(1)"
        ),
    ),
    "exf": (
        "def chk(i):\n    if i == 3: raise ValueError\n",
        "try:\n    for i, q in enumerate(m.modules()): chk(i)\nexcept ValueError: r.append(1)",
    ),
    "assert": ("", "try:\n    for i, q in enumerate(m.modules()): assert i < 3\nexcept AssertionError: r.append(1)"),
    "assert2": ("", "try: assert len(list(m.children())) == 2\nexcept AssertionError: r.append(1)"),
    "match": ("", "n = 0\nfor q in m.modules():\n    match q:\n        case nn.Module(): n = n + 1\nr.append(n)"),
    "comp": ("", "n = [0]\n[n.__setitem__(0, n[0] + 1) for q in m.modules()]\nr.append(n[0])"),
    "dictc": ("", "r.append(len({id(q): 1 for q in m.modules()}))"),
    "cls": ("", "class A:\n    n = 0\nfor q in m.modules(): A.n = A.n + 1\nr.append(A.n)"),
    "sub": ("", 'd = {"n": 0}\nfor q in m.modules(): d["n"] = d["n"] + 1\nr.append(d["n"])'),
    "stack-callback": (
        "",
        "with contextlib.ExitStack() as s:\n    for q in m.modules(): s.callback(r.append, 1)",
    ),
    "stack-push": ("", "s = contextlib.ExitStack()\nfor q in m.modules(): s.push(lambda *a: r.append(1))\ns.close()"),
    "counter-subtract": (
        "",
        "c = collections.Counter()\nfor q in m.modules(): c.subtract([type(q).__name__])\nr.append(sorted(c))",
    ),
    "method-of-another-package": ("", "t = threading.Semaphore()\nfor q in m.modules(): t.release()\nr.append(t)"),
    "metaclass-call": (
        "class Kind(type):\n    n = 0\n    def __call__(cls): Kind.n += 1\nclass K(metaclass=Kind): pass\n",
        "for q in m.modules(): K()\nr.append(Kind.n)",
    ),
    "inherited-metaclass-call": (
        (
            "class Kind(type):\n    n = 0\n    def __call__(cls): Kind.n += 1\n"
            "class B(metaclass=Kind): pass\nclass K(B): pass\n"
        ),
        "for q in m.modules(): K()\nr.append(Kind.n)",
    ),
    "default-of-an-attribute": ("", 'for q in m.modules(): getattr(q, "log", r).append(1)'),
    "default-of-an-attribute-kept": ("", 'for q in m.modules():\n    log = getattr(q, "log", r)\n    log.append(1)'),
    "default-of-a-table": ("", 'for q in m.modules(): vars(q).get("log", r).append(1)'),
    "default-that-is-set": ("", 'for q in m.modules(): q.__dict__.setdefault("log", r).append(1)'),
    "queue": ("import queue\n", "line = queue.Queue()\nfor q in m.modules(): line.put(1)\nr.append(line.qsize())"),
    "sorted": ("", "sorted(m.modules(), key=lambda q: r.append(1) or 0)"),
    "sorted-by-a-function": (
        "def by(q):\n    LOG.append(q)\n    return 0\nLOG = []\n",
        "for q in sorted(m.modules(), key=by): pass",
    ),
    "sorted-by-an-object": (
        "class By:\n    n = 0\n    def __call__(self, q):\n        self.n += 1\n        return 0\n",
        "by = By()\nfor q in sorted(m.modules(), key=by): pass\nr.append(by.n)",
    ),
}
