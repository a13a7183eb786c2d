"""The way back through host boxes: what is said of their outputs becomes what is said of their inputs.

Feedback has the shape of its text, axes first: an array of objects, each an ordered tuple of criticisms.  A source begins with the box and
the datum, `(box, axis, index, …, input)`, so that the order never depends on who answered first.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from pullback.backends.text.host import Row, full, moves, place_of, rows, title, titles
from pullback.backends.text.roles import Roles
from pullback.compiler import ops as op
from pullback.compiler import rule as rules
from pullback.compiler.case import Case
from pullback.compiler.criticism import Criticism, merge
from pullback.compiler.diagnostic import EngineError
from pullback.compiler.ir import Axis, Box, Wire
from pullback.compiler.type import Array, is_text
from pullback.backends.text.judge import bounds

Values = Mapping[str, Any]
NOTHING: tuple[Criticism, ...] = ()


def silence(shape: tuple[int, ...]) -> np.ndarray:
    """Feedback that says nothing."""
    made = np.empty(shape, object)
    flat = made.reshape(-1)
    for place in range(flat.size):
        flat[place] = NOTHING
    return made


def shape_of(wire: Wire) -> tuple[int, ...]:
    return (*(axis.size for axis in wire.axes), *wire.type.shape)


def criticize(box: Box, forward: Box, values: Values, roles: Roles, indices: Mapping[str, Sequence[int]],
              seed: Callable[[str], int]) -> list[np.ndarray]:
    """The feedback on the wanted inputs of a host box.  `indices`: the rows that a loop drew, by its axis."""
    if moves(forward):
        return move(box, forward, values, roles, seed)
    outputs = [silence(shape_of(wire)) for wire in box.outputs]
    names = titles(forward)
    cases, places = [], []
    for row, case in told(box, forward, values, names, indices):
        cases.append(case)
        places.append(row.place)
    if not cases:
        return outputs
    rule = box.rule or default(forward)
    try:
        found = rule.pull(roles.ask, cases)
    except EngineError as error:
        raise error.at(forward.span) from None
    for place, said in zip(places, found):
        for array, at in zip(outputs, box["wanted"]):
            spoken = said.get(names[at], NOTHING)
            for inner in np.ndindex(*array.shape[len(place):]):  # of an array of texts each is told
                assign(array, (*place, *inner), tuple(replace(item, source=(*item.source, *inner)) for item in spoken) if inner else spoken)
    return outputs


def told(box: Box, forward: Box, values: Values, names: list[str], indices: Mapping[str, Sequence[int]]):
    """The rows of which something was said, as cases."""
    count, made = box["inputs"], box["outputs"]
    results = forward.outputs
    slopes = list(zip(box["slopes"], box.inputs[count + made:]))
    said = list(zip(box["said"], box.inputs[count + made + len(slopes):]))
    axes = forward.axes
    outs = [full(values[wire.name], wire, axes) for wire in results]
    numbers = [(at, full(values[wire.name], results[at], axes)) for at, wire in slopes]
    words = [full(values[wire.name], wire, axes) for _, wire in said]
    wanted = tuple(names[at] for at in box["wanted"])
    roles = {name: purpose(forward.inputs[at]) for at, name in zip(box["wanted"], wanted)}
    ends = {title(wire): limits(wire.type) for wire in results if limits(wire.type) is not None}
    for row in rows(forward, values):
        pairs = [(title(wire), array[row.place]) for wire, array in zip(results, outs)]
        if row.missing(forward) or any(value is None for _, value in pairs):
            continue
        heard = merge(*(array[row.place] for array in words)) if words else NOTHING
        drifts = {title(results[at]): array[row.place] for at, array in numbers}
        if not heard and not any(np.any(np.asarray(c) != 0) for c in drifts.values()):
            continue
        yield row, Case(role(forward), tuple(zip(names, row.inputs)), tuple(pairs), wanted, drifts, heard, roles, ends,
                        source(forward, axes, row, indices), forward.get("explain"), forward.get("options", ()))


def limits(type: Any) -> tuple[float, float] | None:
    low, high = bounds(type) if isinstance(type, Array) and not is_text(type) else (None, None)
    return None if low is None and high is None else (-np.inf if low is None else low, np.inf if high is None else high)


def source(box: Box, axes: Sequence[Axis], row: Row, indices: Mapping[str, Sequence[int]]) -> tuple:
    """Where something is said: the datum, then the box."""
    found: list[int | str] = []
    for axis, at in zip(axes, row.place):
        drawn = indices.get(axis.name)
        found += [axis.name, int(drawn[at]) if drawn is not None else at]
    return (*found, name_of(box))


def name_of(box: Box) -> str:
    """A box as sources call it: the address of its reply, the function, or the op; and its number, which tells equal ones apart."""
    return f"{box.get('address') or box.get('name') or box.op.name}@{box.number}"


def role(box: Box) -> str:
    """What a box does, for a critic."""
    words = {"llm": "a language model is given its turns and replies", "extern": f"the function `{box.get('name')}` is called",
             "judge": "a judge looks at it", "likelihood": "the probability of a reply is measured",
             "options": "the probabilities of given replies are measured"}
    return words.get(box.op.name, f"`{box.op.name}`")


def purpose(wire: Wire) -> str:
    return f"`{title(wire)}` in the program"


# ---------------------------------------------------------------- rules where none is written


def default(box: Box) -> Any:
    """The rule by which criticisms come back through a box where none is written."""
    match box.op:
        case op.words:
            return Own()
        case op.judge:
            return Verdict()
        case op.extern:
            return rules.find("critique")() if any(is_text(wire.type) for wire in box.outputs) else rules.find("words")()
    return Pass() if box.op.pull == "pass" else rules.find(box.op.pull)()


class Pass:
    """What is said of the output is said of every input, under its name."""

    def pull(self, ask: Any, cases: Sequence[Case]) -> list[dict[str, tuple]]:
        return [{name: tuple(item.under(*case.source, name) for item in case.spoken()) for name in case.wanted} for case in cases]


class Own:
    """A judgment is what it says: its weight is |c|; empty words say nothing."""

    def pull(self, ask: Any, cases: Sequence[Case]) -> list[dict[str, tuple]]:
        found = []
        for case in cases:
            (_, text), = case.inputs
            weight = sum(abs(float(c)) for c in case.slopes.values())
            found.append({name: (Criticism(text, (*case.source, name), case.context(), weight),) if text.strip() else NOTHING
                          for name in case.wanted})
        return found


class Verdict:
    """What a judge said is said of all that it was shown; with a score the words weigh as much as the objective moves with it."""

    def pull(self, ask: Any, cases: Sequence[Case]) -> list[dict[str, tuple]]:
        found = []
        for case in cases:
            heard = list(case.said)
            why = dict(case.outputs).get("why", "")
            for name, value, slope in case.moves():
                text = why if slope > 0 else f"The score should be lower than {value:.6g}, which was given because: {why}"
                if why.strip():
                    heard.append(Criticism(text, (name,), case.context(), abs(slope), value))
            shown = [name for name, _ in case.inputs[:-1] or case.inputs]
            context = case.context()
            found.append({name: tuple(replace(item, context=context).under(*case.source, name) for item in heard) if name in shown
                          else NOTHING for name in case.wanted})
        return found


# ---------------------------------------------------------------- boxes that only move


def move(box: Box, forward: Box, values: Values, roles: Roles, seed: Callable[[str], int]) -> list[np.ndarray]:
    """Feedback takes the way of its text backwards; nothing is said of what was not used."""
    heard = values[box.inputs[box["inputs"] + box["outputs"] + len(box["slopes"])].name]
    outputs = [silence(shape_of(wire)) for wire in box.outputs]
    match forward.op:
        case op.spread:
            (wire,), (out,) = forward.inputs, forward.outputs
            axis, place = forward["axis"], len(wire.axes) + forward["dimension"]
            part = np.moveaxis(heard, out.axes.index(axis), place)
            at = [slice(None)] * outputs[0].ndim
            at[place] = slice(forward["start"], forward["start"] + axis.size)
            outputs[0][tuple(at)] = part
        case op.stack_axis:
            (wire,), axis = forward.inputs, forward["axis"]
            place = len(wire.axes) - (axis in wire.axes)
            if axis in wire.axes:
                outputs[0][...] = np.moveaxis(heard, place, wire.axes.index(axis))
            else:
                outputs[0][...] = folded(heard, place)
        case op.index | op.where | op.stack:
            for row in rows(forward, values):
                said = heard[row.place]
                for array, at in zip(outputs, box["wanted"]):
                    routed(forward, array, at, row, said)
        case op.copy:
            for place in np.ndindex(*heard.shape):
                assign(outputs[0], place, ruled(heard[place], box.rule or (), roles, seed(f"copy:{forward.output.name}"),
                                                purpose(forward.inputs[0]), forward))
        case _:
            outputs[0][...] = heard
    return outputs


def routed(forward: Box, array: np.ndarray, at: int, row: Row, said: Any) -> None:
    match forward.op:
        case op.where:
            condition = row.inputs[0]
            if at == (1 if condition else 2):
                assign(array, row.place, said)
        case op.index if at == 0:
            where = place_of(forward, row.inputs[0], row.inputs[1:])
            if where is not None:
                assign(array, (*row.place, *where), said)
        case op.stack:
            assign(array, row.place, said[at] if isinstance(said, np.ndarray) else said)


def assign(array: np.ndarray, place: tuple, said: Any) -> None:
    """Put a tuple, or an array of tuples, where it belongs (NumPy would take a tuple for a row)."""
    if isinstance(said, np.ndarray):
        array[place] = said
    else:
        array.reshape(-1)[np.ravel_multi_index(place, array.shape) if place else 0] = said


def folded(array: np.ndarray, axis: int) -> np.ndarray:
    """The feedback merged along an axis."""
    rest = np.moveaxis(array, axis, -1)
    made = silence(rest.shape[:-1])
    for place in np.ndindex(*rest.shape[:-1]):
        assign(made, place, merge(*rest[place]))
    return made


# ---------------------------------------------------------------- where feedback meets


def gather(box: Box, values: Values, roles: Roles, seed: Callable[[str], int]) -> np.ndarray:
    """What all readers of a text say, over its own axes: axis after axis, innermost first, by the rules of its loop."""
    (output,) = box.outputs
    made = silence(shape_of(output))
    axes = (*output.axes, *box["over"])
    parts = [full(values[wire.name], wire, axes) for wire in box.inputs]
    meets = dict(box.get("rules", {}))
    for place in np.ndindex(*(axis.size for axis in output.axes)):
        for inner in np.ndindex(*output.type.shape):
            said = met([one(part, place, inner, len(box["over"])) for part in parts], box["over"], meets, roles, seed, output, box)
            assign(made, (*place, *inner), said)
    return made


def one(part: np.ndarray, place: tuple, inner: tuple, count: int) -> np.ndarray:
    """The feedback on one element of a text, over the axes that meet."""
    return part[(*place, *[slice(None)] * count, *inner)]


def met(parts: list[Any], over: Sequence[Axis], meets: Mapping[str, tuple], roles: Roles, seed: Callable[[str], int], wire: Wire,
        box: Box) -> tuple[Criticism, ...]:
    """All that is said of one element."""
    if over:
        axis, *rest = over
        slices = [[part[at] for part in parts] for at in range(axis.size)]
        found = merge(*(met(each, rest, meets, roles, seed, wire, box) for each in slices))
        return ruled(found, meets.get(axis.name, ()), roles, seed(f"gather:{wire.name}:{axis.name}"), purpose(wire), box)
    said = [part if isinstance(part, tuple) else part[()] for part in parts]
    return merge(*said)


def ruled(said: tuple[Criticism, ...], junction: Sequence[Any], roles: Roles, number: int, what: str, box: Box) -> tuple[Criticism, ...]:
    """Criticisms by the rules of a junction, left to right."""
    if not junction or not said:
        return said
    groups = [said]
    try:
        for rule in junction:
            groups = [group for group in rule.meet(roles.ask, number, groups, what) if group]
    except EngineError as error:
        raise error.at(box.span) from None
    return merge(*groups)
