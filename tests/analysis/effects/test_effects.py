"""Effects on modules, and the objects that they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import found, table_of, targets

NET = ClassRef("model", "Net")

_AT_THE_END = (
    "for path, m in net.named_modules():\n    if {}:\n        parent, _, name = path.rpartition('.')\n"
    "        setattr(net.get_submodule(parent), name, nn.Tanh())"
)
ON_ACT = {
    "forward-hook": "net.act.register_forward_hook(print)",
    "pre-hook": "net.act.register_forward_pre_hook(print)",
    "hook-through-local": "layer = net.act\nlayer.register_forward_hook(print)",
    "global-hook": "nn.modules.module.register_module_forward_hook(print)",
    "forward": "net.act.forward = torch.tanh",
    "rebinding": "net.act = nn.Tanh()",
    "deletion": "del net.act",
    "setattr": 'setattr(net, "act", nn.Tanh())',
    "setattr-of-any-name": "def put(net, name):\n    setattr(net, name, 1)\n\nput(net, input())",
    "delattr": 'delattr(net, "act")',
    "modules": 'net._modules["act"] = nn.Tanh()',
    "modules-update": 'net._modules.update({"act": nn.Tanh()})',
    "modules-pop": 'net._modules.pop("act")',
    "dict": 'net.__dict__["_modules"]["act"] = nn.Tanh()',
    "vars": 'vars(net)["act"] = 1',
    "add-module": 'net.add_module("act", nn.Tanh())',
    "set-submodule": 'net.set_submodule("act", nn.Tanh())',
    "replaced-in-loop": "for name, m in net.named_children():\n    if name:\n        setattr(net, name, nn.Tanh())",
    "replaced-at-the-end-of-a-path": _AT_THE_END.format("m"),
    "parametrized": "nn.utils.parametrizations.weight_norm(net.act)",
    "constructor-again": "net.act.__init__(True)",
    "constructor-of-the-class-again": "nn.ReLU.__init__(net.act, True)",
    "constructor-by-name": 'getattr(net.act, "__init__")(True)',
    "dict-or": 'table = net.act.__dict__\ntable |= {"inplace": True}',
    "vars-or": 'table = vars(net)\ntable |= {"act": nn.Tanh()}',
    "modules-or": 'table = net._modules\ntable |= {"act": nn.Tanh()}',
    "patch-object": 'from unittest import mock\nmock.patch.object(net.act, "forward", torch.tanh).start()',
    "patch-object-attribute": 'from unittest import mock\nmock.patch.object(net, "act", torch.tanh).start()',
    "loaded": 'torch.save(net, "f")\nother = torch.load("f")\nother.act = nn.Tanh()',
    "unpickled": "import pickle\npickle.loads(pickle.dumps(net)).act = nn.Tanh()",
    "loaded-from-a-dictionary": 'torch.save({"net": net}, "f")\ntorch.load("f")["net"].act = nn.Tanh()',
    "comparison": "other = net.act\nprint(other is net.act)",
    "foreign-self": "def off(self):\n    self.act = nn.Identity()\n\noff(net)",
}
NOT_ON_ACT = {
    "nothing": "print(net.act)",
    "other-attribute": "net.note = 1",
    "other-module": "net.drop.register_forward_hook(print)",
    "other-name": 'setattr(net, "note", 1)',
    "all-in-eval": "net.eval()",
    "state": "net.load_state_dict(net.state_dict())",
    "others-replaced-at-the-end-of-a-path": _AT_THE_END.format("isinstance(m, nn.Linear)"),
    "constructor-of-another": "net.drop.__init__(0.1)",
    "constructor-of-the-base": "class Sub(Net):\n    def __init__(self):\n        Net.__init__(self)\n",
    "other-key": 'table = net.act.__dict__\ntable |= {"note": 1}',
    "number": "count = net.count\ncount += 1",
    "patched-other": 'from unittest import mock\nmock.patch.object(net, "drop", None).start()',
    "loaded-state": 'torch.save(net.state_dict(), "f")\nstate = torch.load("f")\nstate.act = 1',
    "backward-of-tensor": "torch.ones(1).register_hook(print)",
}


@pytest.mark.parametrize("code", ON_ACT.values(), ids=ON_ACT.keys())
def test_a_change_reaches_the_held_module(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"net = Net()\n{code}\n")
    assert list(table.on_held((NET,), "act", ("torch.nn.ReLU",)))


@pytest.mark.parametrize("code", NOT_ON_ACT.values(), ids=NOT_ON_ACT.keys())
def test_other_code_does_not_reach_it(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"net = Net()\n{code}\n")
    assert not list(table.on_held((NET,), "act", ("torch.nn.ReLU",)))


def test_a_known_name_is_kept_and_an_unknown_one_may_be_any(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'net = Net()\nsetattr(net, "act", 1)\nsetattr(net, input(), 1)\n')
    assert [effect.attribute for effect in found(table, EffectKind.SET)] == ["act", ANY_NAME]


def test_eval_of_one_module_is_a_change_of_mode(tmp_path: Path) -> None:
    table = table_of(tmp_path, "net = Net()\nif input():\n    net.drop.eval()\n")
    assert list(table.on_held((NET,), "drop", ("torch.nn.RReLU",)))
    assert not list(table.on_held((NET,), "act", ("torch.nn.ReLU",)))


def test_train_of_every_module_of_a_loop_is_uniform(tmp_path: Path) -> None:
    table = table_of(tmp_path, "net = Net()\nfor m in net.modules():\n    m.train()\n")
    assert targets(table, EffectKind.MODE) == {"Net"}


def test_train_of_every_module_of_a_part_changes_that_part(tmp_path: Path) -> None:
    table = table_of(tmp_path, "net = Net()\nfor m in net.drop.modules():\n    m.eval()\n")
    assert list(table.on_held((NET,), "drop", ("torch.nn.RReLU",)))
    assert not list(table.on_held((NET,), "act", ("torch.nn.RReLU",)))


def test_train_of_some_modules_of_a_loop_is_selective(tmp_path: Path) -> None:
    code = "net = Net()\nfor m in net.modules():\n    if isinstance(m, nn.Dropout):\n        m.train()\n"
    assert "below Net" in targets(table_of(tmp_path, code), EffectKind.MODE)


@pytest.mark.parametrize("call", ["append(nn.Tanh())", "insert(0, nn.Tanh())", "pop(0)", "extend([])", "clear()"])
def test_a_method_of_a_container_changes_its_structure(call: str, tmp_path: Path) -> None:
    code = "class Box(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    code += "        self.all = nn.ModuleList()\n"
    table = table_of(tmp_path, f"{code}\n\nbox = Box()\nbox.all.{call}\n")
    assert {EffectKind.STRUCTURE, EffectKind.SET} & {effect.kind for effect in table.effects if effect.targets}


CLASS_CHANGES = {
    "patched-method": "Net.forward = print",
    "patched-by-setattr": 'setattr(Net, "forward", print)',
    "without-constructor": "net = Net.__new__(Net)",
    "by-object-new": "net = object.__new__(Net)",
    "other-class": "other = nn.ReLU()\nother.__class__ = Net",
    "dynamic-base": 'TABLE = {"a": Net}\n\nclass Sub(TABLE["a"]):\n    def __init__(self):\n        pass',
    "type-call": 'Sub = type("Sub", (Net,), {"add": 1})',
}


@pytest.mark.parametrize("code", CLASS_CHANGES.values(), ids=CLASS_CHANGES.keys())
def test_a_change_of_the_class_is_found(code: str, tmp_path: Path) -> None:
    assert list(table_of(tmp_path, f"{code}\n").on_class((NET,), ()))


REPLACED = {
    "assigned": "Sub.describe = print",
    "set": 'setattr(Sub, "describe", print)',
    "put-back": "before = Sub.describe\nSub.describe = print\nSub.describe = before",
}


@pytest.mark.parametrize("code", REPLACED.values(), ids=REPLACED.keys())
def test_a_replaced_method_counts_where_it_matters(code: str, tmp_path: Path) -> None:
    sub = "class Sub(Net):\n    def describe(self):\n        return 1\n\n\n"
    table = table_of(tmp_path, f"{sub}{code}\n")
    family = (NET, ClassRef("model", "Sub"))
    found = [effect for effect in table.on_class(family, ()) if effect.kind is EffectKind.SET]
    assert found
    assert set(found).isdisjoint(table.on_class(family, (), replaced=("forward", "train")))
    assert set(found).issubset(table.on_class(family, (), replaced=("describe",)))
    assert set(found).issubset(table.on_class(family, ("describe",), replaced=()))


def test_making_an_instance_is_no_change_of_its_class(tmp_path: Path) -> None:
    assert not list(table_of(tmp_path, "net = Net()\nnet(1)\n").on_class((NET,), ()))


def test_a_patched_function_of_torch_is_found(tmp_path: Path) -> None:
    table = table_of(tmp_path, "F.relu = torch.tanh\n")
    assert list(table.patched(["relu"]))
    assert not list(table.patched(["gelu"]))


VISITS = {
    "count": "print(len(list(net.children())))",
    "index": "first = list(net.modules())[1]",
    "collected": "kept = []\nfor m in net.modules():\n    kept.append(m)",
    "keys": "print(list(net._modules))",
    "run-in-turn": "x = 1\nfor m in net.children():\n    x = m(x)",
}


@pytest.mark.parametrize("code", VISITS.values(), ids=VISITS.keys())
def test_a_visit_of_children_meets_a_new_child(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"net = Net()\n{code}\n")
    assert list(table.children.on_child((NET,), "torch.nn.ReLU"))


def test_a_visit_of_certain_classes_does_not_meet_others(tmp_path: Path) -> None:
    code = "net = Net()\nkept = []\nfor m in net.modules():\n    if isinstance(m, nn.Conv2d):\n        kept.append(m)\n"
    table = table_of(tmp_path, code)
    assert list(table.children.on_child((NET,), "torch.nn.Conv2d"))
    assert not list(table.children.on_child((NET,), "torch.nn.ReLU"))


def test_going_through_parameters_meets_no_module_without_any(tmp_path: Path) -> None:
    code = "net = Net()\nkept = []\nfor p in net.parameters():\n    kept.append(p)\n"
    assert not list(table_of(tmp_path, code).children.on_child((NET,), "torch.nn.ReLU"))


TEXTS_OF_MODULES = {
    "module": "h = hash(f'{net}')",
    "from-a-pair": "for name, m in net.named_modules():\n    h = hash(f'{m}')",
    "from-a-list": "for m in [net]:\n    h = hash(f'{m}')",
    "zipped": "for m, n in zip([net], [1]):\n    h = hash(f'{m}')",
    "joined": "h = hash(' '.join([f'{m}' for m in [net]]))",
    "variable-hashed": "def tell(net):\n    text = f'{net}'\n    print(text)\n    return hash(text)\n\ntell(net)",
    "variable-returned": "def tell(net):\n    text = 'a'\n    text += f'{net}'\n    return text\n\nhash(tell(net))",
    "variable-compared": "def tell(net):\n    text = f'{net}'\n    assert 'Net' in text\n\ntell(net)",
    "variable-asked": "def tell(net):\n    text = f'{net}'\n    if text:\n        print(text)\n\ntell(net)",
    "variable-given-on": "def tell(net):\n    text = f'{net}'\n    other = text * 2\n    keep(other)\n\ntell(net)",
    "variable-of-a-file": "text = f'{net}'\nprint(text)",
    "variable-of-others": "def tell(net):\n    global text\n    text = f'{net}'\n    print(text)\n\ntell(net)",
    "variable-read-inside": "def tell(net):\n    text = f'{net}'\n    return lambda: hash(text)\n\ntell(net)",
    "variable-by-its-name": "def tell(net):\n    text = f'{net}'\n    return locals()\n\ntell(net)",
    "attribute": "def tell(net, log):\n    log.text = f'{net}'\n    print(log.text)\n\ntell(net, Net())",
    "printed-to-a-file": "def tell(net, to):\n    text = f'{net}'\n    print(text, file=to)\n\ntell(net, open('x'))",
}
OTHER_TEXTS = {
    "name-from-a-pair": "kept = [f'{name}.weight' for name, m in net.named_modules() if m]",
    "name-in-a-loop": "for name, m in net.named_children():\n    h = hash(f'{name}')",
    "number": "for i, m in enumerate(net.children()):\n    h = hash(f'{i}')",
    "part-of-a-tuple": "def load(n):\n    return n, []\n\nnet, missing = load(net)\nh = hash(f'{missing}')",
    "part-in-a-loop": "for key, a, b in [('x', net, 1)]:\n    h = hash(f'{key}')",
    "joined-for-people": "raise ValueError(' '.join([f'{m}' for m in [net]]))",
    "shown-by-a-variable": "def tell(net, log):\n    text = 'a'\n    text += f'{net}'\n    text = text + 'b'\n"
    "    log.warning(text)\n    raise ValueError(text.strip())\n\ntell(net, 1)",
    "shown-by-two-variables": "def tell(net):\n    text = f'{net}'\n    line = f'{text}'\n    print(line)\n\ntell(net)",
    "shown-inside": "def tell(net):\n    text = f'{net}'\n    return lambda: print(text)\n\ntell(net)",
    "never-read": "def tell(net):\n    text = f'{net}'\n\ntell(net)",
}


@pytest.mark.parametrize("code", TEXTS_OF_MODULES.values(), ids=TEXTS_OF_MODULES.keys())
def test_the_text_of_a_module_names_a_new_child(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"net = Net()\n{code}\n")
    assert [e for e in table.children.on_child((NET,), "torch.nn.ReLU") if e.text.startswith("uses the text")]


@pytest.mark.parametrize("code", OTHER_TEXTS.values(), ids=OTHER_TEXTS.keys())
def test_other_texts_do_not(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"net = Net()\n{code}\n")
    assert not [e for e in table.children.on_child((NET,), "torch.nn.ReLU") if e.text.startswith("uses the text")]


@pytest.mark.parametrize(
    ("owner", "replaces"), [("F", True), ("torch", True), ("nn", True), ("nn.init", False), ("torch.optim", False)]
)
def test_functions_are_replaced_where_operations_are(owner: str, replaces: bool, tmp_path: Path) -> None:
    code = f"def patch(names, skip):\n    for name in names:\n        setattr({owner}, name, skip)\n"
    assert bool(list(table_of(tmp_path, code).patched({"relu"}))) == replaces


KEEPING = {
    "no-constructor": 'made = type("Made", (Net,), {"__doc__": "."})',
    "name-of-it": (
        "def make(cls):\n    first = cls.__init__\n\n    def init(self):\n        first(self)\n        self.x = 1\n\n"
        '    return type("Made", (cls,), {"__init__": init})\n\nmake(Net)'
    ),
    "super": 'def init(self):\n    super(made, self).__init__()\n\nmade = type("Made", (Net,), {"__init__": init})',
    "base": 'def init(self):\n    Net.__init__(self)\n\nmade = type("Made", (Net,), {"__init__": init})',
}
SKIPPING = {
    "lambda": 'made = type("Made", (Net,), {"__init__": lambda self: None})',
    "plain-name": 'made = type("Made", (Net,), {"add": 2})',
    "two-bases": 'made = type("Made", (dict, Net), {})',
    "new": 'made = type("Made", (Net,), {"__new__": print})',
    "unknown-members": 'def make(members):\n    return type("Made", (Net,), members)',
    "unpacked-members": 'def make(members):\n    return type("Made", (Net,), {**members})',
    "unknown-function": 'def make(first):\n    return type("Made", (Net,), {"__init__": first})',
}


@pytest.mark.parametrize("code", KEEPING.values(), ids=KEEPING.keys())
def test_a_made_class_that_runs_the_constructor_is_no_change(code: str, tmp_path: Path) -> None:
    assert not found(table_of(tmp_path, code + "\n"), EffectKind.DERIVE)


@pytest.mark.parametrize("code", SKIPPING.values(), ids=SKIPPING.keys())
def test_a_made_class_that_may_skip_the_constructor_is_one(code: str, tmp_path: Path) -> None:
    assert found(table_of(tmp_path, code + "\n"), EffectKind.DERIVE)


def test_a_text_that_setattr_is_given_names_no_call(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'net = Net()\nsetattr(net, "_forward_hooks_installed", True)\n')
    assert not found(table, EffectKind.CHANGE)
    assert [effect.attribute for effect in found(table, EffectKind.SET)] == ["_forward_hooks_installed"]
