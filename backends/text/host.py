"""The meaning of host boxes: every box over its axes, an element at a time, and what is asked of engines all at once.

A text wire carries a NumPy array of objects, its axes first, then its own shape; a number comes and goes as an array.
`rows` are the elements of a box's axes, in order; an element whose branch was not taken, or whose question was lost (`on_error =
"skip"`), has no text (None) and no number (NaN), and nothing is asked for it.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np

from pullback.backends.text.roles import Roles
from pullback.compiler import ops as op
from pullback.compiler.contract import Answer, Question, Typed
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, EngineError
from pullback.compiler.engine import Request, seed
from pullback.compiler.ir import Axis, Box, Wire
from pullback.compiler.type import Array, is_text
from pullback.backends.text import judge

Values = Mapping[str, Any]
DTYPES = {"real": np.float32, "int": np.int32, "bool": np.bool_, "text": object, "feedback": object}


@dataclass(frozen=True, slots=True)
class Row:
    """One element of a box: its place along the axes, its inputs."""

    place: tuple[int, ...]
    inputs: tuple[Any, ...]

    def missing(self, box: Box) -> bool:
        """Does it lack what it reads?  A choice between two reads the one."""
        read = self.inputs[1:2] if box.op is op.where and self.inputs[0] else self.inputs[2:] if box.op is op.where else self.inputs
        if box.op in (op.index, op.stack):
            return False
        return any(value is None for value in read if not isinstance(value, np.ndarray)) or any(
            item is None for value in read if isinstance(value, np.ndarray) and value.dtype == object for item in value.flat)


def full(array: Any, wire: Wire, axes: Sequence[Axis]) -> np.ndarray:
    """The array broadcast to all of the axes."""
    array = np.asarray(array)
    sizes = dict(zip(wire.axes, array.shape))
    event = array.shape[len(wire.axes):]
    array = array.reshape((*(sizes.get(axis, 1) for axis in axes), *event))
    return np.broadcast_to(array, (*(axis.size for axis in axes), *event))


def rows(box: Box, values: Values) -> Iterator[Row]:
    """The elements that are evaluated; those of a branch that is not taken are left out."""
    arrays = [full(values[wire.name], wire, box.axes) for wire in box.inputs]
    if box.get("masked"):
        *arrays, taken = arrays
    for place in np.ndindex(*(axis.size for axis in box.axes)):
        if not box.get("masked") or taken[place]:
            yield Row(place, tuple(array[place] if array.dtype == object or array.ndim > len(place) else array[place].item()
                                   for array in arrays))


def blank(wire: Wire, box: Box) -> np.ndarray:
    """An array for the output of a box, with nothing in it yet: where a branch is not taken, numbers are 0."""
    dtype = DTYPES[wire.type.kind]
    if dtype is np.float32:
        import jax.numpy as jnp
        dtype = jnp.result_type(float)
    made = np.empty((*(axis.size for axis in wire.axes), *wire.type.shape), dtype)
    made[...] = None if dtype is object else np.nan if wire.type.kind == "real" and not box.get("masked") else 0
    return made


def put(array: np.ndarray, place: tuple[int, ...], value: Any) -> None:
    if isinstance(value, (np.ndarray, list, tuple)):
        array[place] = np.asarray(value, array.dtype)
    else:
        array[place] = value


def lose(outputs: Sequence[np.ndarray], row: Row) -> None:
    """Nothing is known of this element."""
    for array in outputs:
        if array.dtype.kind == "f":
            array[row.place] = np.nan


# ---------------------------------------------------------------- boxes without an engine


def evaluate(box: Box, values: Values) -> list[np.ndarray]:
    """The outputs of a box that asks nothing."""
    if box.op.name in MOVED:
        return [MOVED[box.op.name](box, values)]
    outputs = [blank(wire, box) for wire in box.outputs]
    function = call_of(box)
    for row in rows(box, values):
        if row.missing(box):
            lose(outputs, row)
            continue
        found = function(*row.inputs)
        for array, value in zip(outputs, found if len(outputs) > 1 else (found,)):
            put(array, row.place, value)
    return [whole(array, wire, box) for array, wire in zip(outputs, box.outputs)]


def whole(array: np.ndarray, wire: Wire, box: Box) -> np.ndarray:
    """Numbers of elements whose question was lost are the mean of the others, which is to leave them out of a mean."""
    if array.dtype.kind != "f" or box.op is op.number or not np.isnan(array).any() or np.isnan(array).all():
        return array
    return np.where(np.isnan(array), np.nanmean(array), array)


def call_of(box: Box) -> Callable[..., Any]:
    match box.op:
        case op.extern:
            return extern(box)
        case op.index:
            return lambda array, *indices: picked(box, array, indices)
        case op.where:
            return lambda condition, a, b: a if condition else b
        case op.stack:
            return lambda *items: np.array(items, object)
    return lambda *given: box.op.lower(box.attributes, *given)


def extern(box: Box) -> Callable[..., Any]:
    """A function from Python, called with texts and numbers; what it gives is checked."""
    function, types = box["function"], [wire.type for wire in box.outputs]

    def call(*given: Any) -> Any:
        try:
            found = function(*given)
        except Exception as error:
            raise ArgumentError(Diagnostic("data", f"`{box['name']}` failed: {type(error).__name__}: {error}", box.span,
                                           f"it was given {', '.join(shown(value) for value in given)}")) from error
        for value, type_ in zip(found if len(types) > 1 else (found,), types):
            checked(box, value, type_)
        return found
    return call


def checked(box: Box, value: Any, type: Array) -> None:
    if is_text(type):
        good = isinstance(value, str) if not type.shape else True
    else:
        low, high = judge.bounds(type)
        try:
            number = float(value) if not type.shape else 0.0
            good = not type.shape and number == number and (low is None or number >= low) and (high is None or number <= high) or bool(type.shape)
        except (TypeError, ValueError):
            good = False
    if not good:
        raise ArgumentError(Diagnostic("data", f"`{box['name']}` gave {shown(value)}, and it is declared to give a `{type}`", box.span))


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def picked(box: Box, array: np.ndarray, indices: Sequence[int]) -> Any:
    """An element or a slice; what is out of bounds is no text."""
    where = place_of(box, array, indices)
    return None if where is None else array[where]


def place_of(box: Box, array: np.ndarray, indices: Sequence[int]) -> tuple | None:
    rest, found = list(indices), []
    for part, size in zip(box["pattern"], array.shape):
        match part:
            case "i":
                at = int(rest.pop(0))
                if not 0 <= at < size:
                    return None
                found.append(at)
            case int():
                found.append(part)
            case "all":
                found.append(slice(None))
            case _:
                found.append(slice(part[1], part[2]))
    return tuple(found)


def constant(box: Box, values: Values) -> np.ndarray:
    return np.array(box["value"], object)


def spread(box: Box, values: Values) -> np.ndarray:
    (wire,), axis = box.inputs, box["axis"]
    place = len(wire.axes) + box["dimension"]
    array = np.take(values[wire.name], range(box["start"], box["start"] + axis.size), axis=place)
    return np.moveaxis(array, place, box.output.axes.index(axis))


def stack_axis(box: Box, values: Values) -> np.ndarray:
    (wire,), axis = box.inputs, box["axis"]
    array = np.asarray(values[wire.name], object)
    if axis in wire.axes:
        return np.moveaxis(array, wire.axes.index(axis), len(wire.axes) - 1)
    place = len(wire.axes)
    return np.repeat(np.expand_dims(array, place), axis.size, axis=place)


def same(box: Box, values: Values) -> np.ndarray:
    wire = box.inputs[0]
    return full(np.asarray(values[wire.name], object), wire, box.output.axes)


MOVED = {"constant": constant, "spread": spread, "stack_axis": stack_axis, "identity": same, "expectation": same, "guard": same,
         "stop": same, "copy": same}


def moves(box: Box) -> bool:
    """Does the box only move texts, so that what is said of them takes the same way back?"""
    return box.op.name in MOVED or box.op in (op.index, op.where, op.stack)


# ---------------------------------------------------------------- boxes that ask


def ask(box: Box, values: Values, roles: Roles, word: Callable[[str], int]) -> list[np.ndarray]:
    """The outputs of a box that asks an engine, all its rows at once.  `word`: the number behind a site's seeds."""
    outputs, todo = [blank(wire, box) for wire in box.outputs], []
    for row in rows(box, values):
        if row.missing(box):
            lose(outputs, row)
        else:
            todo.append(row)
    try:
        questions = [asked(box, row, roles, word) for row in todo]
        plain = all(isinstance(item, Request) for item in questions)
        found = roles.map(questions) if plain else roles.ask(questions)
    except EngineError as error:
        raise error.at(box.span) from None
    lost = [item for item in found if isinstance(item, EngineError)]
    if found and len(lost) == len(found):
        raise lost[0].at(box.span)
    for row, item in zip(todo, found):
        if isinstance(item, EngineError):
            lose(outputs, row)
        else:
            for array, value in zip(outputs, read(box, item)):
                put(array, row.place, value)
    return [whole(array, wire, box) for array, wire in zip(outputs, box.outputs)]


def asked(box: Box, row: Row, roles: Roles, word: Callable[[str], int]) -> Request | Question:
    """What is asked for one element."""
    options: dict[str, Any] = {"role": box.get("engine_role") or box.op.engine}
    options |= {name: box[name] for name in ("temperature", "max_tokens", "stop") if name in box.attributes}
    if options.get("temperature") and box.op is op.llm:
        options["seed"] = seed(word(box["address"]), *row.place)
    if box.op is op.judge:
        *shown_, instruction = row.inputs if len(row.inputs) > 1 else (*row.inputs, "Is it right and complete?")
        names = titles(box)
        type = box["reply"]
        return judge.question(list(zip(names, shown_)), instruction, None if is_text(type) else type, **options)
    turns = row.inputs[:-1] if box.op is op.likelihood else row.inputs
    speakers = ["user"] if len(turns) == 1 else ["system", *(("user", "assistant")[at % 2] for at in range(len(turns) - 1))]
    messages = tuple(zip(speakers, turns))
    if box.op is op.likelihood:
        return Request(messages, choices=(row.inputs[-1],), logprobs=True, **{**options, "temperature": 0.0})
    if box.op is op.options:
        return Request(messages, choices=box["options"], logprobs=True, **{**options, "temperature": 0.0})
    return typed(box["reply"], Request(messages, **options), roles)


def typed(reply: Any, request: Request, roles: Roles) -> Request | Question:
    """The request, kept to the type of its reply."""
    if isinstance(reply, Array) and is_text(reply):
        return request
    if isinstance(reply, Array):
        if reply.words and roles.engine(request.role).capabilities.choices:
            return replace(request, choices=reply.words)
        return Question(request, Typed(judge.leaf(reply)))
    return Question(request, Typed({"type": "object", "properties": {name: judge.leaf(type) for name, type in reply},
                                    "required": [name for name, _ in reply], "additionalProperties": False}))


def read(box: Box, item: Any) -> Sequence[Any]:
    """The values of a box's outputs, from one answer."""
    if box.op is op.likelihood:
        return (float(item.logprobs[0]),)
    if box.op is op.options:
        return (np.array(item.logprobs, float) / box["temperature"],)
    if box.op is op.judge:
        value = item.value
        return (value["score"], value["why"]) if "score" in value else (value["value"],)
    reply = box["reply"]
    value = item.value if isinstance(item, Answer) else item.text
    if isinstance(reply, Array):
        return (coded(value, reply),)
    return tuple(coded(value[name], type) for name, type in reply)


def coded(value: Any, type: Array) -> Any:
    """A value of a reply as its wire carries it."""
    return type.words.index(value.strip()) if type.words else value


def titles(box: Box) -> list[str]:
    """The inputs of a box by name, each its own; the turns of a question by who speaks."""
    found: list[str] = []
    for place, wire in enumerate(box.inputs):
        base = title(wire)
        if box.op in (op.llm, op.options, op.likelihood) and place < len(box.inputs) - (box.op is op.likelihood):
            turns = len(box.inputs) - (box.op is op.likelihood) - bool(box.get("masked"))
            base = "user" if turns == 1 or place % 2 else "system" if place == 0 else "assistant"
        count = sum(name.partition("#")[0] == base for name in found)
        found.append(base if not count else f"{base}#{count + 1}")
    return found


def title(wire: Wire) -> str:
    """What the program calls a wire: without the number that keeps several of one name apart."""
    bare = wire.name.rstrip("0123456789").rstrip("_")
    return bare if bare and bare != wire.name and not mentioned(wire) else wire.name


def mentioned(wire: Wire) -> bool:
    return wire.span is not None and re.search(rf"\b{re.escape(wire.name)}\b", wire.span.source.text) is not None
