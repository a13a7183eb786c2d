"""Text → graph."""
from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Callable, Mapping

from pullback.compiler import distribution as distributions
from pullback.compiler import ops as op
from pullback.compiler import rule as rules
from pullback.compiler.ir import Ancestor, Axis, Box, Graph, Wire
from pullback.compiler.notation.write import LOOPS, OURS, WHOLE, WORDS, captured, index_wire
from pullback.compiler.op import OPS, Op
from pullback.compiler.type import Array, Constraint, Params, Size, Type, symbol

TOKEN = re.compile(r"""
      (?P<end>\n) | (?P<space>[ \t]+) | (?P<comment>\#[^\n]*)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) | (?P<string>"(?:[^"\\]|\\.)*") | (?P<size>'[^'\n]*')
    | (?P<name>`[^`\n]*`|[^\W\d]\w*(?:[.\#]\w+)*) | (?P<sign>\.\.|\|\||.)""", re.X)
KINDS = ("real", "int", "bool", "complex", "text", "feedback", "pullback")


def read(text: str, externs: Mapping[str, Any] = {}) -> Graph:
    """The graph that a text shows; `externs`: the objects that it calls `$name`.  `ValueError` with the line if there
    is none."""
    return Reader(text, externs).graph()


def record(name: str) -> type | None:
    """The dataclass of this name that a module of the compiler defines (`Weight(…)` among a pass's attributes)."""
    for path, module in list(sys.modules.items()):
        found = vars(module).get(name) if path.startswith(OURS) else None
        if isinstance(found, type) and is_dataclass(found):
            return found
    return None


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int

    @property
    def name(self) -> str:
        return self.text.strip("`")


class Reader:
    def __init__(self, text: str, externs: Mapping[str, Any]):
        self.text, self.externs, self.place = text, externs, 0
        self.tokens = [Token(m.lastgroup or "", m.group(), m.start()) for m in TOKEN.finditer(text)
                       if m.lastgroup != "space"]
        self.tokens.append(Token("stop", "the end", len(text)))
        self.wires: dict[str, Wire] = {}

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def ahead(self, count: int = 1) -> Token:
        return self.tokens[min(self.place + count, len(self.tokens) - 1)]

    def take(self, text: str = "", kind: str = "") -> Token:
        token = self.now
        if text and token.text != text or kind and token.kind != kind:
            raise self.wrong(f"{text or 'a ' + kind} is due here, not {token.text!r}")
        self.place += 1
        return token

    def maybe(self, text: str) -> bool:
        if self.now.text == text and self.now.kind in ("sign", "name"):
            self.place += 1
            return True
        return False

    def lines(self) -> None:
        """Ends of lines, and comments on lines of their own."""
        while self.now.kind in ("end", "comment"):
            self.place += 1

    def wrong(self, why: str) -> ValueError:
        return ValueError(f"line {self.text.count(chr(10), 0, self.now.at) + 1}: {why}")

    def many(self, item: Callable[[], Any], end: str) -> list[Any]:
        """Items with commas between them, up to `end`."""
        found = []
        while not self.maybe(end):
            found.append(item())
            if self.now.text != end:
                self.take(",")
        return found

    # -------------------------------------------------------------- graphs and boxes

    def graph(self) -> Graph:
        self.lines()
        token = self.take(kind="name")
        self.take("(")
        inputs = tuple(self.many(self.declared, ")"))
        self.take("{")
        boxes, outputs = self.body()
        self.lines()
        if self.now.kind != "stop":
            raise self.wrong("one graph is due")
        return Graph(inputs, boxes, outputs, "" if token.text == "graph" else token.name)

    def body(self) -> tuple[tuple[Box, ...], tuple[Wire, ...]]:
        boxes = []
        self.lines()
        while not (self.now.text == "return" and self.ahead().text not in (":", ",")):
            boxes.append(self.box())
            self.lines()
        self.take("return")
        outputs = []
        while self.now.kind == "name":
            outputs.append(self.known())
            self.maybe(",")
        self.lines()
        self.take("}")
        return tuple(boxes), tuple(outputs)

    def declared(self) -> Wire:
        name = self.take(kind="name").name
        self.take(":")
        wire = Wire(name, self.type())
        if self.maybe("{"):
            wire = replace(wire, axes=tuple(self.many(self.axis, "}")))
        if self.maybe("<"):
            wire = replace(wire, ancestors=frozenset(self.many(self.ancestor, ">")))
        self.wires[name] = wire
        return wire

    def known(self) -> Wire:
        token = self.take(kind="name")
        if token.name not in self.wires:
            raise self.wrong(f"there is no wire {token.name}")
        return self.wires[token.name]

    def box(self) -> Box:
        outputs = []
        if self.maybe("("):
            self.take(")")
        else:
            outputs = [self.declared()]
            while self.maybe(","):
                outputs.append(self.declared())
        box = self.random(op.draw) if self.maybe("~") else self.take("=") and self.made()
        regions = []
        while self.now.text == "{" or self.now.kind == "name" and self.ahead().text == "{":
            regions.append(self.region(box))
        rule = self.rule() if self.maybe("by") else None
        if self.maybe("@"):
            self.take(kind="number"), self.take(":"), self.take(kind="number")
        attributes = dict(box.attributes)
        if self.now.kind == "comment":
            attributes["address"] = self.take().text.removeprefix("#").strip()
        return replace(box, outputs=tuple(outputs), regions=tuple(regions), attributes=attributes, rule=rule)

    def region(self, box: Box) -> Graph:
        name = self.take().name if self.now.kind == "name" else ""
        self.take("{")
        outer = box.inputs[len(box.inputs) - captured(box):]
        if self.maybe("||"):
            inputs = tuple(self.many(self.declared, "||"))
        elif self.maybe("|"):
            inputs = (*self.many(self.declared, "|"), *outer)
        elif box.op in LOOPS:
            index = index_wire(box)
            self.wires[index.name] = index
            inputs = (index, *outer)
        else:
            inputs = outer
        return Graph(inputs, *self.body(), name)

    def made(self) -> Box:
        """What stands right of `=`."""
        token, after = self.now, self.ahead()
        if token.kind in ("number", "string") or token.text in ("[", "-", "inf", "nan", "true", "false", "complex"):
            return Box(op.constant, (), (), attributes={"value": self.number()})
        if token.text == "logp" and after.text not in ("(", "["):
            self.take()
            return self.random(op.density)
        if after.text == "[" and self.is_index():
            return self.index()
        found = OPS.get(self.take(kind="name").text)
        if found is None:
            raise self.wrong(f"there is no op {token.text}")
        attributes = {**self.attributes(), **(self.loop() if found in LOOPS else {})}
        self.take("(")
        return Box(found, tuple(self.many(self.known, ")")), (), attributes=attributes)

    def is_index(self) -> bool:
        """Is `x[…]` the whole of what is made?  An op's attributes are followed by its inputs or its loop."""
        count, depth = 1, 0
        while count == 1 or depth and self.ahead(count).kind != "stop":
            depth += (self.ahead(count).text in ("(", "[", "{")) - (self.ahead(count).text in (")", "]", "}"))
            count += 1
        after, then = self.ahead(count), self.ahead(count + 1)
        return after.text != "(" and not (after.kind == "name" and then.text == ":")

    def index(self) -> Box:
        inputs, pattern = [self.known()], []
        self.take("[")

        def part() -> Any:
            if self.maybe(":"):
                return ("slice", None, None)
            if self.maybe(".."):
                return "all" if self.now.text in (",", "]") else ("slice", None, self.size())
            if self.now.kind == "size":
                return self.value()
            if self.now.kind == "name" and self.ahead().text in (",", "]"):
                inputs.append(self.known())
                return "i"
            low = self.size()
            if not self.maybe(".."):
                return low
            return ("slice", low, None if self.now.text in (",", "]") else self.size())
        pattern = self.many(part, "]")
        return Box(op.index, tuple(inputs), (), attributes={"pattern": tuple(pattern)})

    def loop(self) -> dict[str, Any]:
        """`i: 3`, `t: 1..n`."""
        index = self.take(kind="name").name
        self.take(":")
        size, start = self.size(), 0
        if self.maybe(".."):
            start, size = size, self.size()
        return {"index": index, "start": start, "size": size}

    def random(self, made: Op) -> Box:
        outside = self.maybe("$")
        name = self.take(kind="name").name
        attributes = self.attributes()
        self.take("(")
        inputs = [self.known()] if made is op.density and self.ahead().text == "|" else []
        if made is op.density:
            self.take("|")
        named: list[str] = []

        def argument() -> Wire:
            if self.ahead().text == "=":
                named.append(self.take().name)
                self.take("=")
            return self.known()
        inputs += self.many(argument, ")")
        law = self.extern(name) if outside else self.law(name, named)
        onto = None
        if self.maybe("onto"):
            onto = self.constraint() if self.now.kind == "name" else self.value()
        return Box(made, tuple(inputs), (), attributes={**attributes, "distribution": law, "onto": onto})

    def law(self, name: str, named: list[str]) -> distributions.Distribution:
        """The distribution of this name with these parameters; with none given, the one that positions mean."""
        for found in distributions.find(name):
            if not named or [field.name for field in found.fields][:len(named)] == named:
                return found
        raise self.wrong(f"there is no distribution {name}({', '.join(named)})")

    def attributes(self) -> dict[str, Any]:
        return self.pairs("]", False) if self.maybe("[") else {}

    # -------------------------------------------------------------- types, sizes, axes

    def type(self) -> Type:
        word = self.take(kind="name").name
        if word == "params":
            return Params()
        constraint = None
        if word not in KINDS:
            self.place -= 1
            constraint = self.constraint()
        elif word == "int" and self.maybe("("):
            low = self.size()
            self.take("..")
            constraint = Constraint("range", (low, self.size()))
            self.take(")")
        elif self.now.kind == "name":
            constraint = self.constraint()
        shape = tuple(self.many(self.size, "]")) if self.maybe("[") else ()
        whole = constraint is not None and constraint.name in WHOLE
        return Array(word if word in KINDS else "int" if whole else "real", shape, constraint)

    def constraint(self) -> Constraint:
        name = self.take(kind="name").name
        return Constraint(name, tuple(self.many(self.value, ")")) if self.maybe("(") else ())

    def size(self) -> Size:
        start = self.place
        self.sum()
        words = [token.text for token in self.tokens[start:self.place]]
        return int("".join(words)) if not any(w[0].isalpha() or w in "(+*^" for w in words) else symbol(" ".join(words))

    def sum(self) -> None:
        self.maybe("-")
        while True:
            if self.maybe("("):
                self.sum()
                self.take(")")
            elif self.take().kind not in ("number", "name"):
                self.place -= 1
                raise self.wrong("a size is due here")
            elif self.now.text == "(" and self.text[self.now.at - 1] != " ":
                self.take("(")
                self.many(self.sum, ")")
            if self.now.text not in ("+", "-", "*", "^"):
                return
            self.take()

    def axis(self) -> Axis:
        kind = self.take().text if self.ahead().kind == "name" else "plate"
        name = self.take(kind="name").name
        self.take(":")
        size = self.size()
        return Axis(kind, name, size, self.size() if self.maybe("of") else None)

    def ancestor(self) -> Ancestor:
        site = self.take(kind="name").name
        mixed = frozenset(self.many(self.axis, "}")) if self.maybe("{") else frozenset()
        return Ancestor(site, mixed, self.maybe("past"))

    # -------------------------------------------------------------- attributes and rules

    def number(self) -> Any:
        return tuple(self.many(self.number, "]")) if self.maybe("[") else self.value()

    def extern(self, name: str) -> Any:
        if name not in self.externs:
            raise self.wrong(f"`externs` has no {name}")
        return self.externs[name]

    def rule(self) -> Any:
        if self.maybe("["):
            return tuple(self.many(self.rule, "]"))
        name = self.take(kind="name").name
        made = rules.find(name) or self.externs.get(name)
        if made is None:
            raise self.wrong(f"there is no rule {name}")
        return made(**self.options(True)) if self.now.text == "(" else made()

    def options(self, bare: bool) -> dict[str, Any]:
        self.take("(")
        return self.pairs(")", bare)

    def pairs(self, end: str, bare: bool) -> dict[str, Any]:
        """`name = value, …`"""
        def pair() -> tuple[str, Any]:
            key = self.take(kind="name").name
            self.take("=")
            return key, self.value(bare)
        return dict(self.many(pair, end))

    def value(self, bare: bool = False) -> Any:
        token = self.take()
        item = lambda: self.value(bare)  # noqa: E731
        match token.kind, token.text:
            case "string", text:
                return json.loads(text)
            case "size", text:
                return symbol(text.strip("'"))
            case "number", text:
                return int(text) if text.isdigit() else float(text)
            case _, "-":
                return -self.value()
            case _, "(":
                return tuple(self.many(item, ")"))
            case _, "[":
                return self.many(item, "]")
            case _, "{":
                return self.pairs("}", bare)
            case _, "%":
                return self.known()
            case _, "$":
                return self.extern(self.take(kind="name").name)
            case "name", text if text in WORDS:
                return WORDS[text]
            case "name", ("complex" | "set" | "law" | "type" | "axis" | "site" | "by" | "onto") as text if self.maybe("("):
                match text:
                    case "complex":
                        return complex(*self.many(item, ")"))
                    case "set":
                        return frozenset(self.many(item, ")"))
                    case "law":
                        name, *named = self.many(lambda: self.take(kind="name").name, ")")
                        return self.law(name, named)
                found = {"type": self.type, "axis": self.axis, "site": self.ancestor, "by": self.rule,
                         "onto": self.constraint}[text]()
                self.take(")")
                return found
            case "name", text if self.now.text == "(" and record(text) is not None:
                return record(text)(**self.options(False))
            case "name", _ if bare:
                return token.name
        self.place -= 1
        raise self.wrong(f"a value is due here, not {token.text!r}")
