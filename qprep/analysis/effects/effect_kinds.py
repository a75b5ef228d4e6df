"""Effects as data: what is done, where, and to which objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import References
from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.places import Place
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from qprep.analysis.effects.function_handlers import Asked


TRAINING = "training"
"""The attribute of a module that `train` and `eval` set in it and in all modules below."""


class EffectKind(Enum):
    """A kind of change of an object."""

    __hash__ = object.__hash__  # each member is one object; the hash of an Enum is computed in Python, each time anew

    SET = auto()  # an attribute gets another value, or is deleted
    CHANGE = auto()  # hooks, parametrizations: what a call of the object computes
    REPLACE = auto()  # another module takes the place of a child
    CALL = auto()  # a method that a class of the project defines is called from outside
    MODE = auto()  # train() or eval() of one object and not of all
    STRUCTURE = auto()  # items of a container are added, replaced or removed
    OBSERVE = auto()  # the number, order, or set of child modules is used
    OBSERVE_ORIGINAL = auto()  # the same of those that no rewrite has marked as its own
    EXPOSE = auto()  # something that no loop over children shows names each of them: a text, a graph, a hook for all
    READ = auto()  # an attribute is read of each child module that passes some tests
    SOURCE = auto()  # the source or the byte code of a class, function or file is used
    BORROW = auto()  # a method is fetched from its class, and may run with another object as `self`
    TABLE = auto()  # the attributes of a class, or the hooks of a module, are listed
    NAMES = auto()  # the names of a module, or the classes that inherit from nn.Module, are listed
    DISPATCH = auto()  # a handler asks which functions of torch run
    COMPARE = auto()  # the identity of the object is used
    BYPASS = auto()  # an instance of a class is made without its constructor
    DERIVE = auto()  # a class inherits by an expression, and may skip the constructor


@dataclass(frozen=True, eq=False)
class Effect:
    """One thing that code does to objects.

    `attribute` is a regular expression for the name of the attribute that is set, or of the method that is called.
    """

    kind: EffectKind
    find_targets: Callable[[], References]
    place: Place
    text: str
    attribute: str = ANY_NAME
    by_class: bool = False  # it happens to every module of certain classes below an object
    listing: Place | None = None  # the call that lists child modules
    find_listed: Callable[[], References] | None = None  # the targets that are not looked up by a name alone
    owner: ClassRef | None = None  # the class that does it to what its own object holds, or while that is made
    asked: Asked | None = None  # the functions of torch that a handler asks for; None: any
    find_values: Callable[[], References] | None = None  # what replaces each module, if it is made equal every time
    is_lasting: bool = False  # a listing of modules that is kept, and shows later ones as well

    @cached_property
    def targets(self) -> References:
        """The objects that it is done to, found when a query needs them: most queries need kind and name alone."""
        return self.find_targets()

    @cached_property
    def met_by_new(self) -> References:
        """The objects whose new children it is done to as well: not those that are looked up by a given name."""
        return self.find_listed() if self.find_listed is not None else self.targets
