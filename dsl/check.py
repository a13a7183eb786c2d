"""What can be said of a declaration from its text alone: names that mean nothing, ints that must be known before the run.

A declaration with a `model` among its arguments has no graph of its own; this is all the checking that it gets until it
is called.
"""
from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, Iterator

from pullback.compiler import distribution as library
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic, near
from pullback.dsl import syntax as s
from pullback.dsl.context import BUILTINS, DIAGRAM_FUNCTIONS
from pullback.dsl.refused import CONSTRUCTS
from pullback.dsl.texts import SOURCES
from pullback.dsl.values import Declared

TYPES_OF_LANGUAGE = frozenset(("flat",))


def children(node: Any) -> Iterator[Any]:
    """The nodes inside a node."""
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, s.Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, s.Node))


def walk(node: Any) -> Iterator[Any]:
    """A node and all nodes in it, without recursion."""
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        todo += reversed(list(children(one)))


# ---------------------------------------------------------------- names


def check_names(declared: Declared) -> list[Diagnostic]:
    """Names of the body that nothing binds anywhere in the declaration: what is bound later is told when it is evaluated."""
    node = declared.node
    if not isinstance(node, (s.Model, s.Objective, s.Function)):
        return []
    bound = names_bound(node)
    found, seen = [], set()
    for name in names_read(node):
        if name.name in bound or name.name in seen or known_word(declared, name.name):
            continue
        seen.add(name.name)
        known = [*bound, *op.functions(), *library.names(), *declared.module.names(), *BUILTINS]
        help = declared.module.offered(name.name) or near(name.name, known)
        found.append(Diagnostic("name", f"nothing is called `{name.name}`", name.span, help=help))
    return found


def known_word(declared: Declared, name: str) -> bool:
    return (name in declared.module.names() or name in BUILTINS or name in op.functions() or name in op.CONSTANTS
            or name in TYPES_OF_LANGUAGE or name in CONSTRUCTS or name in SOURCES or bool(library.find(name)))


def names_bound(node: Any) -> set[str]:
    found: set[str] = set()
    for one in walk(node):
        match one:
            case s.Parameter(name, type):
                found.add(name)
                found |= {inner.name for inner in walk(type) if isinstance(inner, s.Name)} if type is not None else set()
            case s.Assign(target) | s.Draw(target):
                for place in target if isinstance(target, tuple) else (target,):
                    found.add(place.value.name if isinstance(place, s.Index) else place.name)
            case s.Binder(names):
                found |= set(names)
            case s.Argmin(name):
                found.add(name)
    return found


def names_read(node: Any) -> Iterator[s.Name]:
    """The names that are read as values: not types, rules, addresses, nor what is bound."""
    todo = [*node.body, *(p.default for p in node.parameters if p.default is not None)]
    if isinstance(node, s.Model) and node.value is not None:
        todo.append(node.value)
    while todo:
        one = todo.pop()
        match one:
            case s.Name():
                yield one
            case s.Rule() | s.NamedType() | s.RecordType() | s.TupleType() | s.Setting():
                continue
            case s.Call(s.Name("flat"), _):
                continue
            case s.Call(s.Name(name), arguments) if name in DIAGRAM_FUNCTIONS:
                todo += arguments
            case s.Assign(target) | s.Draw(target):
                places = target if isinstance(target, tuple) else (target,)
                todo += [index for place in places if isinstance(place, s.Index) for index in place.indices]
                todo.append(one.value)
            case _:
                todo += children(one)


# ---------------------------------------------------------------- static ints


@lru_cache(maxsize=1024)
def static_names(declared: Declared) -> frozenset[str]:
    """The names that sizes, ranges, slices and static arguments are computed of, through assignments too."""
    node = declared.node
    static: set[str] = set()
    for parameter in parameters_of(node):
        if parameter.type is not None:
            static |= type_names(parameter.type)
    assigned: dict[str, set[str]] = {}
    for one in walk(node):
        static |= needed(declared, one)
        match one:
            case s.Assign(s.Name(name), _, value):
                assigned.setdefault(name, set()).update(read(value))
    grown: set[str] = set()
    while grown != static:
        grown = set(static)
        for name in grown:
            static |= assigned.get(name, set())
    return frozenset(static)


def is_text(parameter: s.Parameter) -> bool:
    return isinstance(parameter.type, s.NamedType) and parameter.type.name == "text"


def parameters_of(node: Any) -> list[s.Parameter]:
    """The parameters of a declaration; of a fit, what is given and what it is over."""
    if isinstance(node, s.Fit):
        return [parameter for clause in node.clauses if isinstance(clause, s.Given | s.Over) for parameter in clause.parameters]
    return list(node.parameters)


def type_names(node: Any) -> set[str]:
    return {name.name for name in walk(node) if isinstance(name, s.Name)}


def read(node: Any) -> set[str]:
    return {name.name for name in walk(node) if isinstance(name, s.Name)}


def needed(declared: Declared, node: Any) -> set[str]:
    """The names that a node needs to know."""
    match node:
        case s.NamedType():
            return type_names(node)
        case s.Binder(_, s.Range(start, stop)):
            return (read(start) if start is not None else set()) | (read(stop) if stop is not None else set())
        case s.Index(_, indices):
            return {name for index in indices if isinstance(index, s.Range) for name in read(index)}
        case s.Independent(_, sizes):
            return {name for size in sizes for name in read(size)}
        case s.Rule(_, arguments):
            return {name for argument in arguments for name in read(argument.value)}
        case s.Call(s.Name("parse"), (s.Argument(None, sentence), *_)):
            return read(sentence.value if isinstance(sentence, s.Index) else sentence)
        case s.Call(s.Name(name), arguments):
            return needed_by_call(declared, name, arguments)
    return set()


def needed_by_call(declared: Declared, name: str, arguments: tuple[s.Argument, ...]) -> set[str]:
    found = declared.module.declared.get(name) or declared.module.imported.get(name)
    if isinstance(found, Declared) and isinstance(found.node, (s.Model, s.Objective, s.Function)) and found.node is not declared.node:
        inner = static_names(found) if not calls_itself(found) else set()
        names = [parameter.name for parameter in found.node.parameters]
        texts = {p.name for p in found.node.parameters if is_text(p)}
        given = [(argument.name or (names[at] if at < len(names) else ""), argument.value) for at, argument in enumerate(arguments)]
        return {word for place, value in given if place in inner
                for word in read(value.value if place in texts and isinstance(value, s.Index) else value)}
    function = op.functions().get(name)
    if function is None:
        return set()
    parameters, words = function.parameters, set()
    if not any(parameter.static for parameter in parameters):
        return set()
    for at, argument in enumerate(arguments):
        parameter = next((p for p in parameters if p.name == argument.name), None) if argument.name else (
            parameters[min(at, len(parameters) - 1)])
        if parameter is not None and parameter.static:
            words |= read(argument.value)
    return words


@lru_cache(maxsize=1024)
def calls_itself(found: Declared) -> bool:
    """Do declarations call each other in a circle?  (That is reported when they are evaluated.)"""
    seen, todo = set(), [found]
    while todo:
        for inner in callees(todo.pop()):
            if inner is found:
                return True
            if inner not in seen:
                seen.add(inner)
                todo.append(inner)
    return False


@lru_cache(maxsize=1024)
def callees(declared: Declared) -> tuple[Declared, ...]:
    """The declarations that a declaration calls by name."""
    module = declared.module
    found = [module.declared.get(node.function.name) or module.imported.get(node.function.name)
             for node in walk(declared.node) if isinstance(node, s.Call) and isinstance(node.function, s.Name)]
    return tuple(dict.fromkeys(one for one in found if isinstance(one, Declared)))
