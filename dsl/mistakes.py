"""Common syntax errors: a message, a mend, and bad programs that make the mistake.

A mistake is recognized in one of three ways:

    CHARACTERS   no token begins here: by the text that stands here
    WORDS        a habit of another language: by the line before the error, and from the error on
    PLACES       by what the parser would have accepted, and what it got; the programs of the table give the keys

The set of accepted tokens says where one is, however deep in blocks or brackets that is, so a few programs cover a
mistake wherever it is made.  The groups of the two patterns can be named in the texts; the group `mark` is what gets
underlined instead of the token at which the parser stopped.

The table is its own test: each program must be told its own message.
"""
from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mistake:
    message: str
    help: str
    programs: tuple[str, ...]
    before: str = ""
    after: str = ""
    code: str = "syntax"

    def fits(self, text: str, line: int, at: int) -> tuple[dict[str, str], tuple[int, int] | None] | None:
        """The words found and what to underline, if the text around offset `at`, on the line from `line`, fits."""
        before = re.compile(self.before, re.MULTILINE).search(text, line, at) if self.before else None
        after = re.compile(self.after, re.MULTILINE).match(text, at)
        if after is None or self.before and (before is None or before.end() != at):
            return None
        words, mark = {}, None
        for match in filter(None, (before, after)):
            words |= {name: word or "" for name, word in match.groupdict().items()}
            if match.groupdict().get("mark") is not None:
                mark = match.span("mark")
        return words, mark


def model(*lines: str) -> str:
    return "\n    ".join(("model m():",) + lines)


def fit(*lines: str) -> str:
    return "\n    ".join(("fit f:",) + lines)


def character(after: str, message: str, help: str, *programs: str) -> Mistake:
    return Mistake(message, help, tuple(map(model, programs)), after=after)


HEADS = r"model|objective|function|fit|diagram|functor|lexicon"
CLAUSES = r"maximize|minimize|improve|validate|over|using|given|draw|with|steps|particles|rollout|inner steps|batch"
TYPES = r"real|int|bool|float|double|vector|row_vector|matrix|array|simplex|ordered|tensor|string|str|text|number|integer"

CHARACTERS = (
    character(r"\*\*=?", "a power is written with `^`", "`x ** 2` is `x^2`", "x = y**2", "x **= 2"),
    character(r"&&?", "`and` joins two conditions", "write `a and b`", "x = a && b", "if a & b: x = 1"),
    character(r"\|\|", "`or` joins two conditions", "write `a or b`", "x = a || b"),
    character(r"\|", "`|` is no operator",
        "`abs(x)` is the absolute value, `a or b` joins conditions; what a density is "
              "conditioned on is an argument", "x = |y|", "x = p(a | b)"),
    character(r"!", "a condition is negated with `not`", "write `not c`, or `a != b`", "x = !y", "if !a: x = 1"),
    character(r";", "a line holds one statement", "begin a new line; nothing ends a statement but the end of its line",
              "x = 1; y = 2", "x = 1;"),
    character(r"\\", "a line is continued in brackets only", "put the expression in parentheses; a line in brackets "
              "stands deeper than its statement", "x = 1 + \\\n        2"),
    character("[\u201c\u201d\u201e\u00ab\u00bb]", "a string stands in straight quotes", "write `\"`",
              "x ~ llm(\u201cyes\u201d)"),
    character("['\u2018\u2019`]", "a string stands in double quotes", "write `\"text\"`; a transpose is `transpose(x)`",
              "x ~ llm('yes')", "x = y'"),
    character("[\u2212\u2013\u2014]", "this is not the minus sign of the keyboard", "write `-`", "x = a \u2212 b",
              "x = \u20131"),
    character("[\u00d7\u00b7\u22c5]", "this is not the `*` of the keyboard", "write `*`", "x = a \u00d7 b"),
    character("[\u2264\u2265\u2260]", "comparisons are `<=`, `>=`, `!=` and `==`",
        "write it with the keys of the keyboard",
              "if a \u2264 b: x = 1"),
    character("[\u223c\u02dc]", "this is not the `~` of the keyboard", "write `~`", "x \u223c normal(0, 1)"),
    character("[\u2192\u21a6\u2190]", "arrows are written `->` and `=>`",
        "`->` stands before a type, `=>` in a functor",
              "x \u2190 3"),
    character(r"\t", "a tab", "use spaces", "x =\t1"),
    character("[\u00a0\u2000-\u200b\u202f\u3000]", "this is not the blank of the keyboard", "use a plain space",
              "x =\u00a01"),
    character("\ufeff", "a byte-order mark", "save the text as UTF-8 without one", "x = \ufeff1"),
    character(r"\?", "a choice between two values is `a if c else b`", "write `a if c else b`", "x = c ? a : b"),
    character(r"\d[\d.]*_\d", "a number has no underscores", "write `1000000`", "x = 1_000_000"),
    character(r"\d+\.\d+\.", "a number has one point", "ranges are `a..b`", "x = 1.2.3"),
    character(r"0[xXbBoO]\w+", "numbers are written in decimals", "write the number in decimals", "x = 0x1F"),
    character(r"(?P<digits>\d+(\.\d+)?)[eE](?!\w)", "an exponent is missing", "write `{digits}e3`", "x = 1e + 2"),
    character(r"(?P<digits>\d+(\.\d+)?)(?P<name>[^\W\d]\w*)",
        "a product is written with `*`, and no name begins with a digit",
              "write `{digits} * {name}`", "x = 2y", "2x = 3", "x = 2.0y"),
    character(r"(?P<digits>\d+)\.[eE]?", "a number has digits on both sides of the point", "write `{digits}.0`",
              "x = 1.", "x = 1.e3 + 2"),
    character(r"\$", "`$` is no operator", "a field is `a.b`", "x = a$b"),
    character(r".", "`{found}` is no character of the language", "outside strings and comments a program has letters, "
              "digits and `+ - * / // % @ ^ ~ = == != < <= > >= >> -> => .. . , : ( ) [ ] {{ }} \" #`",
              "x = a \u222b b"),
)

WORDS = (
    Mistake("ranges and slices are written `a..b`", "write `{a}..{b}`; the end is left out, as in Python",
            (model("for i in 0:n:", "    x = 1"), model("x = sum i in 1:n: y[i]"), model("for i in 1:n {")),
            before=r"\bin +(?P<mark>(?P<a>\w+) *: *(?P<b>\w+)) *:?$", after=r""),
    Mistake("ranges are written `a..b`", "write `in 0..n`", (model("for i in 0, n:", "    x = 1"),
            model("x = sum i in 0, 10: i")), before=r"\bin +(?P<mark>\w+ *, *\w*) *$", after=r":|\d"),
    Mistake("there is no `while`", "`for t in 0..n until c:` is a loop that may end sooner", (model("while x > 0:"),
            model("while (x > 0):"), model("while not c:", "    y = 1")), before=r"^ *(?P<mark>while)\b *$"),
    Mistake("there is no `{mark}`",
        "`function f(x: real): return e` is a function, `model` a random one, `objective` one "
            "that denotes an expectation", ("def f(x):\n    return x", "class A:\n    x = 1",
            model("def f(x): return x"),
            "fn f(x):"), before=r"^ *(?P<mark>def|class|func|fn|fun|proc|struct|subroutine)\b *$"),
    Mistake("there is no `lambda`", "name it: `function f(x: real): return e`",
            (model("x = f(lambda y: y + 1)"), model("x = lambda y: y")), before=r"\b(?P<mark>lambda) *$"),
    Mistake("a name needs no `{mark}`", "write `x = e`", (model("let x = 3"), "const x = 3", model("var x = 3")),
            before=r"^ *(?P<mark>let|var|const|val|auto|local|set) +$"),
    Mistake("an import names what it takes", "write `from library import name`; functions, distributions, rules and "
            "optimizers need no import", ("import numpy", "import numpy as np"), before=r"^ *(?P<mark>import) +$"),
    Mistake("an import names what it takes", "write `from library import a, b`: no `*`, no brackets",
            ("from models.cone import *", "from models.cone import (cone, blob)"),
            before=r"^ *from\b.*\bimport +$", after=r"[*(]"),
    Mistake("an import does not rename", "leave out `as`", ("from models.cone import cone as c",),
            before=r"^ *from\b.*$", after=r"as\b"),
    Mistake("a program prints nothing", "`validate e` in a fit records a value at each step",
            (model("print(x)"), "print(3)"), before=r"^ *(?P<mark>print) *$", after=r"\("),
    Mistake("there is no `{mark}`", "a block ends where its indentation ends; a loop may end sooner by `until`",
            (model("pass"), model("for i in 0..n:", "    break"), model("end")),
            before=r"^ *(?P<mark>pass|break|continue|end|endif|endfor|done|fi|begin) *$", after=r"$"),
    Mistake("there is no `{mark}`", "a model draws, a function computes, an objective returns a number: nothing else "
            "happens in a program", (model("assert x > 0"), model("raise e"), model("yield x"), model("del x")),
            before=r"^ *(?P<mark>assert|raise|yield|global|del|async|await|throw|goto) *$"),
    Mistake("a type stands after its name", "write `{name}: {mark}`", (model("real x = 3"), "real x = 3",
            model("vector[3] x"), "model m(real x):\n    y = 1", model("int n ~ poisson(3)")),
            before=r"(^|[(,]) *(?P<mark>(" + TYPES + r")(\[[^\]]*\]|<[^>]*>)?) +$", after=r"(?P<name>[^\W\d]\w*)"),
    Mistake("there is no block `{mark}`",
        "data are named by `given` in a fit, parameters by `over`, a model draws by `~`",
            ("data {\n    int n;\n}", "parameters {", "transformed data {"),
            before=r"^(?P<mark>data|parameters|transformed|"
            r"generated) +$", after=r"\{|data\b|parameters\b|quantities\b"),
    Mistake("a block begins with `:` and is indented", "write `:` for the brace, and indent the block by four spaces",
            (model("if (a) {"), model("for i in 0..n {"), "model m() {", "function f(x: real) -> real {", "fit f {",
             model("if a: x = 1", "else {")), before=r"^ *(for|if|elif|else|group|" + HEADS + r")\b.*$", after=r"\{"),
    Mistake("a block begins with `:`", "write `:` for `{mark}`",
        (model("if a then x = 1"), model("for i in 0..n do x = 1")),
            before=r"^ *(for|if|elif|group)\b.*$", after=r"(?P<mark>then|do)\b"),
    Mistake("`else if` is one word", "write `elif`", (model("if a: x = 1", "else if b: x = 2"),),
            before=r"^ *else +$", after=r"if\b"),
    Mistake("`{mark}` is written `elif`", "write `elif c:`", (model("if a: x = 1", "elsif b: x = 2"),
            model("if a: x = 1", "elseif b:", "    x = 2")), before=r"^ *(?P<mark>elsif|elseif|elf|else_if) *$"),
    Mistake("`else` begins a line of its own", "or write `x = a if c else b`", (model("if a: x = 1 else: x = 2"),),
            before=r"^ *(if|elif)\b.*:.*$", after=r"else\b"),
    Mistake("there is no `{mark}`", "write `{name} = {name} {sign} …`; a total over a plate is `sum i in 0..n: e`",
            (model("x += 1"), model("x -= 2"), model("x[i] *= 2"), model("x /= 2")),
            before=r"^ *(?P<name>\w+(\[[^\]]*\])?) *$", after=r"(?P<mark>(?P<sign>[-+*/%@^]|//)=)"),
    Mistake("there is no `{mark}`", "write `x = x + 1`", (model("x++"), model("i--")), before=r"^ *\w+ *$",
            after=r"(?P<mark>\+\+|--)"),
    Mistake("a name is bound by `=`", "write `=`; `~` draws", (model("x := 3"), "x := 3"), before=r"^ *[\w\[\], ]+:$",
            after=r"="),
    Mistake("a name is bound by `=`", "write `=` for `<-`; `~` draws", (model("x <- 3"), "x <- 3", model("x[i] <- 3")),
            before=r"^ *\w+(\[[^\]]*\])? *$", after=r"(?P<mark><-)"),
    Mistake("a string has no prefix", "`{{name}}` is a hole in every string, `\\n` a new line",
            (model('x ~ llm(f"{y}")'), model('x = r"a"')), before=r"(?<!\w)(?P<mark>[fFrRbBuU]{1,2})$", after=r'"'),
    Mistake("no parentheses stand round a loop's range", "write `for i in 0..n:`",
            (model("for (i in 0..n):", "    x = 1"), model("for (i in 1:n) {")), before=r"^ *(for|group) *\( *\w+ *$",
            after=r"in\b"),
    Mistake("a reduction has no parentheses", "write `{name} i in 0..n: e`", (model("x = sum(i in 0..n: y[i])"),),
            before=r"(?P<name>\w+)\( *\w+ +$", after=r"in\b"),
    Mistake("a reduction names its range first", "write `{name} i in 0..n: e`, or a list `[e for i in 0..n]`",
            (model("x = sum(y[i] for i in 0..n)"), model("x = a + max(f(i) for i in 0..n)")),
            before=r"(?P<name>\w+)\((\([^()]*\)|[^()])*$", after=r"for\b"),
    Mistake("a list has no filter", "choose inside: `[e if c else 0 for i in 0..n]`",
            (model("x = [i for i in 0..n if c]"), model("x = [i for i in xs if i > 0]")),
            before=r"\bfor\b.*\bin\b.*$", after=r"\]|(?P<mark>if)\b"),
    Mistake("a loop stands above what it repeats", "write `for i in 0..n:` and indent the line below; a list is "
            "`[e for i in 0..n]`", (model("x[i] ~ normal(0, 1) for i in 0..n"), model("x = i for i in 0..n")),
            before=r"^ *[\w\[\]., ]+(~|=).*$", after=r"for\b"),
    Mistake("there is no test of membership", "compare: `x == a or x == b`", (model("if x in xs: y = 1"),
            model("x = a not in b")), before=r"^(?!.*\b(for|draw|group)\b).*$", after=r"(?P<mark>not +in|in)\b"),
    Mistake("`==` compares", "write `==` for `{mark}`", (model("x = y is z"), model("if y is not z: x = 1")),
            before=r"[\w)\]] +$", after=r"(?P<mark>is( +not)?)\b"),
    Mistake("`{mark}` stands after the name of a fit, or after an objective's parameters", "`fit f allow biased:`, "
            "`objective f(…) allow biased:`", (fit("minimize f(w) allow biased"), model("return x allow biased")),
            before=r"^ +\w+\b.*$", after=r"(?P<mark>allow +biased)\b"),
    Mistake("each clause of a fit stands on a line of its own", "begin a new line at `{mark}`",
            (fit("minimize f(w) over w: params"), fit("using adam(0.1) steps 3"), fit("over w: params = w0 steps 4"),
             fit("steps 4 particles 3"), fit("given x: real using sgd(1.0)")),
            before=r"^ +(" + CLAUSES + r")\b.*$", after=r"(?P<mark>" + CLAUSES + r")\b"),
    Mistake("each clause of a fit stands on a line of its own", "begin a new line at `{mark}`",
            (fit("using adam(0.1), steps 3"),), before=r"^ +using\b.*, *(?P<mark>" + CLAUSES + r") +$", after=r"\d"),
    Mistake("the rule of a reduction stands before its colon",
        "write `sum i in 0..n by r: e`, `argmin v from z by r: e`",
            (model("x = argmin v from z: f(v) by r"), model("return mean i in 0..n: f(i) by r")),
            before=r"\b\w+ +\S+ +(in|from)\b.*:.*$", after=r"(?P<mark>by)\b"),
    Mistake("a rule ends its line, or stands in parentheses with its call", "write `(f(x) by r)`",
            (model("x = a + f(y by r)"), model("x = [f(y) by r]"), model("if f(x) by r: y = 1"), "x = f(y) by r"),
            before=r"^(?!.*\bwith *\{).*$", after=r"(?P<mark>by)\b"),
    Mistake("one value is returned", "put several in parentheses, `return (a, b)`, or in a record, `return {{a, b}}`",
            (model("return a, b"), model("return f(x), y")), before=r"^ *return\b.*$", after=r","),
    Mistake("names that take one value apart stand in parentheses", "write `({first}{others}) = …`",
            (model("x, y = f(z)"), model("a, b, c = t")), before=r"^ *(?P<first>\w+) *$",
            after=r"(?P<others>( *, *\w+)+) *="),
    Mistake("a line holds one statement", "begin a new line",
        (model("x = 1, y = 2"), model("x ~ normal(0, 1), y ~ normal(0, 1)")),
            before=r"^ *[\w\[\]., ]+(~|=)[^=].*$", after=r", *\w+(\[[^\]]*\])? *[~=]"),
    Mistake("a fit has no parameters", "name its data by a clause, `given x: real[n]`, and what it optimizes by `over`",
            ("fit f(x):\n    steps 3",), before=r"^fit +\w+ *$", after=r"\("),
    Mistake("`{name}` lacks its parentheses", "write `{kind} {name}():`, also where there are no parameters",
            ("model m:\n    x = 1", "objective f:\n    return 1", "function f -> real: return 1", "extern f -> real",
             "model m = f()"), before=r"^(?P<kind>model|objective|function|extern) +(?P<name>\w+) *$",
             after=r":|->|=|$"),
    Mistake("a network has types, and no parameters", "write `network f: real[10] -> real[2] = dense(2)`",
            ("network f(x: real[10]):\n    return x",), before=r"^network +\w+ *$", after=r"\("),
    Mistake("there are no decorators", "Python marks a rule by `@rule`, a program needs none", ("@jit",),
            before=r"^ *$", after=r"@"),
    Mistake("a field can't be assigned", "make a new record: `t = {{t, x = e}}`", (model("t.x = 3"),),
            before=r"^ *\w+ *$", after=r"\.[\w.]+ *="),
    Mistake("a number has digits on both sides of the point", "write `0{number}`",
        (model("x = .5"), model("x = f(a, .25)"),
            model("x = a + .5")), before=r"", after=r"(?P<number>\.\d+)"),
)

PLACES = (
    Mistake("a diagram's line is the diagram itself", "leave out `return`, or write a block",
            ("diagram d: return f", "diagram d(): x = f"), before=r"^diagram\b.*:( *return +$|.*$)",
            after=r"(?<=return )|="),
    Mistake("the type of a box has an arrow", "write `box f: a * b -> c`; either side may be empty",
        ("box f: n", "box f",
            "box f = n", "box f -> n", "box f(x: real) -> n", "box f: real[n]"), before=r"^box\b.*$"),
    Mistake("a rule has a name", "write `by reinforce`, `by [a, b]` only after a colon in `with {{…}}`",
            (model("x ~ d by"), model("x ~ d by 3"), model('x ~ d by "a"'), model("x ~ d by [a, b]"),
            model("x ~ d by (a)")), before=r"\bby$|\bby +$"),
    Mistake("`{mark}` has no `if` above it in this column", "`elif` and `else` stand below their `if`, as deep as it",
            (model("else:", "    x = 1"), model("elif a: x = 1"), "else:\n    x = 1"),
            before=r"^ *(?P<mark>elif|else)\b.*$"),
    Mistake("the colon is missing", "a block begins with `:`", (model("if x > 0"), model("for i in 0..n"),
            model("group g in 0..n"), model("if a: x = 1", "else"), model("for i in 0..n by r"), "model m()",
            "objective f()",
            "function f() -> real", "fit f", "diagram d", "functor F", "functor F()", "lexicon x -> s",
            model("x = sum i in 0..n"), model("x = argmin v from z"), model("for i in xs until c"),
            "objective f() allow biased",
            model("x = argmin v from z by r(1)"), model("if f(x)"), model("if a: x = 1", "elif y"),
            model("x = combine by r"),
            "fit f allow biased", "diagram d()"), after=r"$"),
    Mistake("the colon is missing", "write `sum i in 0..n: e`", (model("x = sum i in 0..n y[i]"),
            model("x = mean w in ws 3"), model("x = f(sum i in 0..n y)"), model("x = argmin v from z f(v)")),
            after=r"."),
    Mistake("`==` compares", "write `a == b`; `=` binds a name",
        (model("if x = 1: y = 2"), model("if a and f(x) = 1: y = 2"),
            model("for t in 0..n until y[t] = EOS:"), model("x = a if b = c else d")), after=r"="),
    Mistake("one line binds one name", "write a line for each, or compare by `==`", (model("x = y = 0"), "x = y = 0",
            model("x = a + b = c"), model("return x = 1"), model("x ~ f(y) = 3")), after=r"="),
    Mistake("this value is not used",
        "a line binds (`x = e`), draws (`x ~ d`), adds to the density (`factor e`) or returns",
            (model("normal(0, 1)"), model("x + y"), model("x.y"), model("3 + x"), model("x"), model("-x"),
            model("(x + y)"),
             model("x[0]"), model("f(x) ~ d"), model("x[0] + y"), model("x * y"), model("[a, b]"), model("true"),
             model("(x)"),
             model("x == y"), model("x >> y"))),
    Mistake("a text stands alone here", "the docstring is the first line of a declaration; a comment begins with `#`",
            (model("x = 1", '"a text"'), model("x = 1", '"""a text"""'))),
    Mistake("two values stand side by side", "an operator is missing, or a comma, or a new line", (model("x = a b"),
            model("x = 2 y"), model("x = f(a b)"), model("x = f(a) g(b)"), model("x = [a b]"),
            model("x = {{a b}}".replace("{{", "{")
            .replace("}}", "}")), model("if a b: x = 1"), model('x ~ llm("a" "b")'), model("return a b"),
            model("x = a 2"),
            model("x ~ normal(0, 1) y"), "x = a b", model("x[i j] = 3"), model("x = y[i j]"), model("factor a b"),
            model("x = (a b)"), model("x = f(k = a b)"), model("x = (a, b c)"), model("x = f(a 2)"), model("x = [a 2]"),
            model("x = (a 2)"), model('x = "a" "b"'), model("x = f(k = a 2)"), "x = a 2", fit("maximize f(w) g"),
            "model m() = a b",
            "network f: real -> real = a b")),
    Mistake("slices are written `a..b`", "write `x[a..b]`, `x[a..]`, `x[..b]`; `x[..]` is the whole axis",
            (model("x = y[1:3]"), model("x = y[:3]"), model("x = y[i, 1:]"), model("x = y[a:b]"), model("x[1:3] = z"),
             model("x = y[a + 1:b]"), model("x = y[i, :]")), after=r":"),
    Mistake("a range stands after `in` and in an index",
        "write `for i in a..b`, `x[a..b]`, or a list `[i for i in a..b]`",
            (model("x = 0..n"), model("x = f(0..n)"), model("x ~ d(a, 0..n)"), "x = 0..n", model("x = [0..n]"),
             model("x = (0..n)"), model("if 0..n: x = 1"), model("x = f(k = 0..n)"), model("return 0..n")),
             after=r"\.\."),
    Mistake("a value stands after `=` in a record", "write `{{x = 1}}`",
        (model("x = {y: 1}"), model("x = {y = 2, z: 1}"),
            model('x = {"y": 1}'), model("x = f({y: 1})"), model("x = {y = 2, 3: 1}")), after=r":"),
    Mistake("an argument is named by `=`", "write `f(x = 1)`", (model("x = f(y: 1)"), model("x = f(1, y: 1)"),
            fit("using adam(lr: 1)"), model("x = f(1, 2: 1)")), after=r":"),
    Mistake("`{found}` is no type",
        "a type is `real`, `int`, `real[n, d]`, `positive`, `{{x: real}}`, `(real, int)`, …",
            (model("x: 3 = y"), "model m(x: 3):", model("x: [3] ~ d"), 'model m(x: "a"):', "x: 3 = y",
            "function f(x: real) -> 3:"),
            after=r"[\d\[\"]"),
    Mistake("`{name}` has a type and no value",
        "write `{name}: T ~ d` or `{name}: T = e`; what comes from outside is a "
            "parameter", (model("x: real"), "x: real", model("x: real[n]"), model("x: interval(0, 1)"),
            model("x[i]: real"),
            model("x: n.r * s")), before=r"^ *(?P<mark>(?P<name>\w+)(\[.*\])? *:.*)$", after=r"$"),
    Mistake("a choice stands in a model or an objective", "put it into a block: `model m():`", ("x ~ normal(0, 1)",
            "x: real ~ normal(0, 1)"), after=r"~"),
    Mistake("`{mark}` stands in the block of a declaration", "at the margin stand imports, constants and declarations",
            ("for i in 0..n:\n    x = 1", "if a:\n    x = 1", "return x", "factor x"),
            before=r"^(?P<mark>for|if|group|return|factor) +$"),
    Mistake("this stands in the block of a declaration", "at the margin stand imports, constants and declarations",
            ("x[0] = 3", "f(x)", "(a, b) = c", "x.y"), after=r"[(\[.]"),
    Mistake("`{mark}` is a clause of a fit", "write it into the block of a `fit`", ("maximize f(w)", "over w: params",
            model("maximize f(w)"), model("steps 5"), "using adam(0.1)", model("over w: params = w0")),
            before=r"^ *(?P<mark>" + CLAUSES + r") +$"),
    Mistake("two names stand side by side",
        "a line binds (`x = e`), draws (`x ~ d`) or begins with a word of the language",
            (model("foo x = 3"), "foo x = 3")),
    Mistake("a fit has clauses only",
        "a clause begins with a word: " + ", ".join(f"`{word}`" for word in CLAUSES.split("|")) +
            "; values are bound at the margin or in an objective",
            (fit("x = 3"), fit("x ~ normal(0, 1)"), fit("x: real = 3"),
            fit("for i in 0..n: x = 1"), fit("return x"), fit("if a: x = 1"), fit("steps = 3"),
            fit("steps: 3"), fit('"a"', '"b"')),
            before=r"^ *(?P<word>\w*) *$"),
    Mistake("a clause of a fit has no `{found}`", "write `{word} …`",
        (fit("using: adam(0.1)"), fit("using = adam(0.1)"),
            fit("maximize = f(w)"), fit("minimize: f(w)"), fit("over: w"), fit("over = w")),
            before=r"^ *(?P<word>\w+) *$",
            after=r"[=:]"),
    Mistake("the choice between two values lacks its `else`", "write `a if c else b`, or the block `if c: …`",
            (model("x = y if c"), model("x = f(y if c)"), model("x = [y if c, z]"), model("x ~ d if c"), "x = y if c",
             model("x = (y if c) + 1")), after=r"$|[,)\]]"),
    Mistake("this line is deeper than the one above, which opens no block", "put both in the same column; a line is "
            "continued in brackets only", (model("x = 1", "    y = 2"), "x = 1\n    y = 2",
            fit("steps 3", "    steps 4"),
            model("x = y", "    + z"), model("return a", "    + b"), "type n\n    x = 3",
            model("x = f(a)", "    y = 2"),
            model("x ~ d(a) by r", "    y = 2"), "from a import b\n    x = 3",
            fit("using adam(1)", "    for w"), fit("over w: params", "    steps 3")), code="layout"),
    Mistake("a block holds more than a text", "add a statement below the docstring",
        (model('"a text"'), fit('"a text"'), model("for i in 0..n:", '    "a text"'))),
    Mistake("nothing follows a rule but a comma, or the end", "arithmetic goes before it: `x = 2 * (f(y) by r)`",
            (model("x = f(y) by r * 2"), model("x = f(y) by r(1) + 2"), model("x = (f(y) by r + 1)")), after=r"[-+*/]"),
    Mistake("a loop's variable is a name", "write `for i in 0..n`, or `for (a, b) in pairs`", (model("for 3 in xs:"),
            model("x = [y for 3 in xs]"), model("for a, b in pairs:"))),
    Mistake("`in` and a range are missing", "write `for i in 0..n:`", (model("for i:"), model("for i = 0..n:"),
            model("for i 0..n:"), model("for i:", "    x = 1"))),
    Mistake("a functor's line is `x => image`", "write `=>`", ("functor F:\n    n = 2", "functor F:\n    n -> 2",
            "functor F:\n    n: 2", "functor F:\n    n", "functor F:\n    f(x) = 2", "functor F:\n    f(x): 2")),
    Mistake("a `with` after a value has braces", "write `e with {{x: r}}`; snapshots, `with old = w`, are a clause",
            (fit("maximize f(w) with x: r"), fit("maximize f(w) with old = w")), before=r"\bwith +$"),
    Mistake("a rule stands after `:`", "write `with {{x: reinforce}}`", (fit("maximize f(w) with {x = r}"),
            fit("maximize f(w) with {x by r}"), fit("maximize f(w) with {x}")), after=r"=|by\b|\}"),
    Mistake("no comma begins or doubles here", "leave one out", (model("x = f(, a)"), model("x = f(a,, b)"),
            model("x = [, a]"), model("x = [a,, b]"), model("x = {, a}"), model("x = (, a)"), "model m(, x):"),
            after=r","),
)
