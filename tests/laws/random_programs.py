"""Random well-typed programs, and what they mean by enumeration.

    python -m tests.laws.random_programs 10000            a rotating seed, printed; PULLBACK_SEED fixes it
    python -m tests.laws.random_programs --show 17        the program of a seed
    python -m tests.laws.random_programs --shrink 17      the least that still fails of it

A program has finite choices (and now and then a normal one, on quadrature nodes), nested arithmetic, plates, scans with finite
and real carries and accumulators, branches, records, and calls of functions, objectives and models, in loops too; loops by
`subsample`, marginals of marginals, expectations that are read as numbers, and baselines that the run computes.  Every choice
gets a random rule.  Its value and gradient are compared with `exact`: to rounding where every choice is enumerated, else by a
z-test.  A test that exceeds `SUSPECT` is repeated with fresh keys and ten times the samples, and fails beyond the limit of
all tests together: chance alone would have to strike twice.
"""
from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import dataclass, field

import numpy as np

import pullback as pb
from pullback.testing import estimate, threshold
from tests.laws.exact import TooMany, exact

PATHS = 300        # of one program
SAMPLES = 4_000
SUSPECT = 3.5
ROUNDING = 2e-5    # relative, float32
RULES = ["", " by enum", " by reinforce", " by reinforce(k = 2, baseline = loo)", " by mvd", " by sum_and_sample(2)"]
COINS = [*RULES, " by disarm"]
NORMALS = ["", " by reparam", " by reinforce", " by mvd", " by antithetic", " by stratified(2)", " by importance(normal(0, 2), k = 2)"]
EVERY = [*COINS, *NORMALS[1:]]
REFUSALS = {"support", "cost"}   # what `enum` may be refused for
PARAMS = {"p": 0.3, "q": -0.4, "w": np.array([0.5, -0.8, 0.2])}
HELPERS = """function blend(x: real, y: real) -> real: return sin(x) * y + 0.3 * x

model pair(m: real):
    a ~ bernoulli(sigmoid(m)){}
    c ~ categorical(logits = [m * a, 0.2, -m]){}

objective part(m: real, u: real):
    h ~ bernoulli(sigmoid(m)){}
    return u * h + (0.5 if h == 1 else m)

objective sure(m: real):
    z = 0
    r = 0.3
    for t in 0..2:
        h ~ bernoulli(sigmoid(m + z)) by enum
        z = h
        r = r + h * (m - t)
    return r

model base(m: real):
    a ~ bernoulli(sigmoid(m))
    for i in 0..2:
        c ~ bernoulli(0.3 + 0.4 * a)
        y ~ normal(m * c + a, 1.0)

model half(m: real) = marginalize base(m) over c using enum

model whole(m: real) = marginalize half(m) over a using enum

"""


@dataclass
class Scope:
    """What can be read: finite choices with their sizes, reals, real arrays with their lengths."""

    finite: dict[str, int] = field(default_factory=dict)
    reals: list[str] = field(default_factory=list)
    arrays: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Scope:
        return Scope(dict(self.finite), list(self.reals), dict(self.arrays))


class Writer:
    """Writes one random program."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.paths = 1.0
        self.count = 0
        self.linear: list[str] = []
        self.normal = self.random.random() < 0.15
        self.particles = self.random.choice([1, 3])

    def text(self) -> str:
        scope = Scope({}, ["p", "q", "w[0]", "w[1]"])
        for _ in range(self.random.randint(2, 4)):
            self.statement(scope, "    ", 1, 0)
        sums = [f"sum({name})" for name in scope.arrays] + self.linear
        ends = [self.real(scope, 2), self.reader(scope), *sums]
        value = " + ".join(ends)
        head = HELPERS.format(*(self.random.choice(rules) for rules in (COINS, RULES, COINS)))
        return f"{head}objective f(p: real, q: real, w: real[3]):\n" + "\n".join(self.lines) + f"\n    return {value}\n"

    def reader(self, scope: Scope) -> str:
        """Something that reads a whole array non-linearly, where there is one."""
        if not scope.arrays:
            return self.real(scope, 1)
        name = self.random.choice(list(scope.arrays))
        return self.random.choice([f"sum({name})^2", f"tanh(sum({name}))", f"{name}[0] * {name}[1]", f"logsumexp({name})"])

    def fresh(self, base: str) -> str:
        self.count += 1
        return f"{base}{self.count}"

    def say(self, indent: str, line: str) -> None:
        self.lines.append(indent + line)

    # ------------------------------------------------------------ expressions

    def real(self, scope: Scope, depth: int) -> str:
        pick = self.random.random()
        if depth == 0 or pick < 0.15:
            leaves = [*scope.reals, *scope.reals[-2:], *(f"{b} * 0.7" for b in scope.finite), *(f"{b}" for b in scope.finite)]
            leaf = self.random.choice([*leaves, f"{self.random.uniform(-1, 1):.2f}"])
            return f"({leaf})" if leaf.startswith("-") or " " in leaf else leaf
        a, b = self.real(scope, depth - 1), self.real(scope, depth - 1)
        forms = [f"({a} + {b})", f"({a} - {b})", f"{a} * {b}", f"sin({a})", f"tanh({a}) * {b}", f"sigmoid({a})", f"blend({a}, {b})"]
        if self.random.random() < 0.12:
            forms = [f"tanh(sure({a}))", f"sure({a}) * {b}", f"sigmoid({a} * sure({b}))", f"logp(whole({a}), {{y = [0.4, -0.7]}})",
                     f"tanh(logp(half({a}), {{a = 1, y = [{b}, 0.2]}}))"]
        if scope.finite:
            c = self.condition(scope)
            forms += [f"({a} if {c} else {b})"] * 2
            threes = [name for name, size in scope.finite.items() if size == 3]
            forms += [f"w[{name}]" for name in threes]
        return self.random.choice(forms)

    def condition(self, scope: Scope) -> str:
        name = self.random.choice(list(scope.finite))
        other = self.random.choice(list(scope.finite))
        return self.random.choice([f"{name} == 1", f"{name} > 0", f"{name} == {other}", f"{name} <= {other}"])

    # ------------------------------------------------------------ statements

    def statement(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        kinds = [self.draw, self.draw, self.assign]
        if depth < 2:
            kinds += [self.branch, self.plate, self.scan] * (2 if depth == 0 else 1)
        if depth == 0:
            kinds += [self.objective, self.model, self.linear_plate, self.linear_scan]
        self.random.choice(kinds)(scope, indent, times, depth)

    def allowed(self, size: int, times: int) -> bool:
        if self.paths * size ** times > PATHS:
            return False
        self.paths *= size ** times
        return True

    def draw(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        size = self.random.choice([2, 2, 3])
        rule = self.random.choice(COINS if size == 2 else RULES)
        if self.random.random() < 0.1:
            rule = f" by reinforce(baseline = {self.random.choice([name for name in scope.reals if name.isalnum()])})"
        if self.normal and times == 1 and self.allowed(12, 1):
            self.normal, name = False, self.fresh("x")
            rule = self.random.choice(NORMALS)
            self.say(indent, f"{name} ~ normal({self.real(scope, 1)}, 0.5){rule}")
            scope.reals.append(name)
        elif not self.allowed(size, times):
            self.assign(scope, indent, times, depth)
        elif size == 2:
            name = self.fresh("b")
            self.say(indent, f"{name} ~ bernoulli(sigmoid({self.real(scope, 2)})){rule}")
            scope.finite[name] = 2
        else:
            name = self.fresh("k")
            logits = ", ".join(self.real(scope, 1) for _ in range(3))
            self.say(indent, f"{name} ~ categorical(logits = [{logits}]){rule}")
            scope.finite[name] = 3

    def assign(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        name = self.fresh("v")
        self.say(indent, f"{name} = {self.real(scope, 2)} + 0.0")
        scope.reals.append(name)

    def branch(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        if not scope.finite:
            return self.draw(scope, indent, times, depth)
        name = self.fresh("v")
        self.say(indent, f"if {self.condition(scope)}:")
        for word in ("", "else:"):
            if word:
                self.say(indent, word)
            inner = scope.copy()
            for _ in range(self.random.randint(0, 2)):
                self.statement(inner, indent + "    ", times, depth + 1)
            self.say(indent + "    ", f"{name} = {self.real(inner, 2)} + 0.0")
        scope.reals.append(name)

    def plate(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        n, index, name = self.random.choice([2, 2, 3]), self.fresh("i"), self.fresh("u")
        inner = scope.copy()
        inner.arrays = {}
        inner.reals += [f"w[{index}]", f"({index} + 0.5)"]
        for array, size in scope.arrays.items():
            if size >= n:
                inner.reals.append(f"{array}[{index}]")
        self.say(indent, f"for {index} in 0..{n}:")
        for _ in range(self.random.randint(1, 2)):
            self.statement(inner, indent + "    ", times * n, depth + 1)
        self.say(indent + "    ", f"{name}[{index}] = {self.real(inner, 2)} + 0.0")
        if depth == 0:
            scope.arrays[name] = n
        else:
            scope.reals.append(f"sum({name})")

    def scan(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        n, index, inner = self.random.choice([2, 2, 3]), self.fresh("t"), scope.copy()
        carried: list[tuple[str, str]] = []
        for kind in self.random.sample(["finite", "real", "total", "count"], self.random.randint(1, 2)):
            name = self.fresh({"finite": "z", "real": "s", "total": "r", "count": "c"}[kind])
            carried.append((name, kind))
            self.say(indent, f"{name} = {'0' if kind in ('finite', 'count') else self.real(scope, 1) + ' + 0.0'}")
            if kind == "finite":
                inner.finite[name] = 2
            elif kind == "real":
                inner.reals += [name, name]
        inner.arrays = {}
        self.say(indent, f"for {index} in 0..{n}:")
        for _ in range(self.random.randint(1, 2)):
            self.statement(inner, indent + "    ", times * n, depth + 1)
        twos = [name for name, size in inner.finite.items() if size == 2 and name.startswith("b")]
        for name, kind in carried:
            step = {"real": f"0.5 * {name} + {self.real(inner, 2)}", "total": f"{name} + {self.real(inner, 2)}",
                    "count": f"{name} + {self.random.choice(twos or ['1'])}", "finite": self.random.choice(twos or [name])}[kind]
            if kind == "finite" and twos and self.random.random() < 0.4:
                step = f"{self.random.choice(twos)} if {self.condition(inner)} else {name}"
            self.say(indent + "    ", f"{name} = {step}")
        for name, kind in carried:
            if kind == "finite":
                scope.finite[name] = 2
            else:
                scope.reals.append(name if kind != "count" else f"({name} * 0.4)")

    def objective(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        if self.linear:
            return self.assign(scope, indent, times, depth)
        self.linear.append(f"0.6 * part({self.real(scope, 1)}, {self.real(scope, 1)})")

    def linear_plate(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        """A loop whose array is only added up, by minibatches or with expectations in it."""
        n, index, name = self.random.choice([3, 3, 4]), self.fresh("i"), self.fresh("l")
        drawn = self.random.choice(["", f" by subsample({self.random.randint(1, n)})"])
        inner = scope.copy()
        inner.arrays = {}
        inner.reals += [f"({index} + 0.5)", *([f"w[{index}]"] if n == 3 else [])]
        if not drawn and self.random.random() < 0.3:
            self.linear.append(f"({self.random.choice(['sum', 'mean'])} {index} in 0..{n} by subsample(2): {self.real(inner, 2)})")
            return
        self.say(indent, f"for {index} in 0..{n}{drawn}:")
        if self.random.random() < 0.6:
            self.draw(inner, indent + "    ", n, 2)
        else:
            self.assign(inner, indent + "    ", n, 2)
        call = f" + 0.6 * part({self.real(inner, 1)}, {self.real(inner, 1)})" if self.random.random() < 0.5 else ""
        self.say(indent + "    ", f"{name}[{index}] = {self.real(inner, 2)}{call} + 0.0")
        self.linear.append(f"{self.random.choice(['sum', 'mean'])}({name})")

    def linear_scan(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        """A loop that adds up expectations, beside a carry that they depend on."""
        n, index, total, carry = self.random.choice([2, 3]), self.fresh("t"), self.fresh("r"), self.fresh("s")
        self.say(indent, f"{total} = 0.0")
        self.say(indent, f"{carry} = {self.real(scope, 1)} + 0.0")
        self.say(indent, f"for {index} in 0..{n}:")
        inner = scope.copy()
        inner.arrays = {}
        inner.reals += [carry, carry]
        if self.random.random() < 0.5:
            self.draw(inner, indent + "    ", n, 2)
        self.say(indent + "    ", f"{total} = {total} + part({self.real(inner, 1)}, {self.real(inner, 1)})")
        self.say(indent + "    ", f"{carry} = 0.5 * {carry} + {self.real(inner, 1)}")
        self.linear.append(f"0.7 * {total}")

    def model(self, scope: Scope, indent: str, times: int, depth: int) -> None:
        if any(name.startswith("y") for name in scope.finite) or not self.allowed(6, 1):
            return self.assign(scope, indent, times, depth)
        name = self.fresh("y")
        self.say(indent, f"{name} ~ pair({self.real(scope, 1)})")
        scope.finite |= {f"{name}.a": 2, f"{name}.c": 3}
        value = self.fresh("v")
        self.say(indent, f"{value} = logp(pair({self.real(scope, 0)}), {name})")
        scope.reals.append(value)


@dataclass(frozen=True)
class Outcome:
    """What became of a program: `exact`, `sampled`, or why it failed."""

    seed: int
    text: str
    kind: str
    worst: float = 0.0
    why: str = ""


def program(seed: int) -> tuple[str, int]:
    writer = Writer(seed)
    return writer.text(), writer.particles


def without(text: str, *rules: str) -> str:
    """The text without some rules, other than those that the fixed helpers need."""
    fixed = set(HELPERS.split("\n"))
    for rule in rules:
        text = "\n".join(line if line in fixed else line.removesuffix(rule) for line in text.split("\n"))
    return text


def compiled(text: str, particles: int) -> tuple[str, object]:
    """The text and its function; where rules are refused, without the written `enum`s, then without others, then without any."""
    for gone in ((), RULES[1:2], (RULES[1], RULES[5]), (RULES[1], *RULES[4:], COINS[-1]), EVERY[1:]):
        now = without(text, *gone)
        try:
            f = pb.loads(now, name="random")["f"].compile(particles=particles)
            return now, f.specialize(PARAMS)
        except pb.ProgramError as error:
            if {d.code for d in error.diagnostics} - REFUSALS or gone == EVERY[1:]:
                raise
    raise AssertionError


def tried(seed: int, limit: float) -> Outcome:
    """Compile the program of a seed and compare it with what it means."""
    text, particles = program(seed)
    return compared(seed, text, particles, limit)


def compared(seed: int, text: str, particles: int, limit: float) -> Outcome:
    try:
        value, gradient = exact(text, PARAMS, most=4 * PATHS)
    except TooMany:
        return Outcome(seed, text, "skipped")
    try:
        text, f = compiled(text, particles)
        rules = {type(box.rule).__name__ for box in f.stages(PARAMS)["checked"].walk() if box.op.name == "draw"}
        if rules <= {"Enum"} and not any(box.op.name == "rows" for box in f.stages(PARAMS)["loops"].walk()):
            seen = estimate(f, PARAMS, seed=seed, most=1, batch=1)
            size = np.concatenate([[value], gradient])
            off = np.abs(np.concatenate([[seen.value], seen.gradient]) - size) / max(1.0, np.linalg.norm(size))
            kind, worst, allowed = "exact", float(off.max()), ROUNDING
        else:
            kind, allowed = "sampled", limit
            seen = estimate(f, PARAMS, seed=seed, most=SAMPLES, batch=SAMPLES)
            worst = float(np.abs(seen.z(value, gradient)).max())
            if not worst < SUSPECT:
                seen = estimate(f, PARAMS, seed=seed + 1, relative=0.0, most=10 * SAMPLES, batch=SAMPLES)
                worst = float(np.abs(seen.z(value, gradient)).max())
    except pb.ProgramError as error:
        return Outcome(seed, text, "failed", why=f"refused: {error}")
    except Exception as error:  # a crash of the compiler is what is looked for
        return Outcome(seed, text, "failed", why=f"{type(error).__name__}: {error}")
    if worst < allowed:
        return Outcome(seed, text, kind, worst)
    why = f"{kind}: {worst:.3g} for at most {allowed:.3g}; value {seen.value:.6g} for {value:.6g}, gradient {seen.gradient} for {gradient}"
    return Outcome(seed, text, "failed", worst, why + f" (± {seen.gradient_error}); particles {particles}")


def shrunk(found: Outcome, particles: int, limit: float) -> Outcome:
    """The failing program without the lines (each with its block) and the terms of its value that the failure does not need."""
    lines, place = found.text.rstrip().split("\n"), 0
    while place < len(lines):
        depth = len(lines[place]) - len(lines[place].lstrip())
        end = place + 1
        while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > depth:
            end += 1
        now = smaller(found, [*lines[:place], *lines[end:]], particles, limit)
        if now is None and end > place + 1 and lines[place].lstrip().startswith(("for", "if")):
            inner = [line[4:] for line in lines[place + 1:end]]
            now = smaller(found, [*lines[:place], *inner, *lines[end:]], particles, limit)
        if now is None:
            place += 1
        else:
            found, lines = now, now.text.rstrip().split("\n")
    head, _, value = lines[-1].partition("return ")
    parts = value.split(" + ")
    for part in list(parts):
        fewer = [p for p in parts if p is not part]
        now = smaller(found, [*lines[:-1], f"{head}return {' + '.join(fewer)}"], particles, limit) if fewer else None
        if now is not None:
            found, parts = now, fewer
    return found


def smaller(found: Outcome, lines: list[str], particles: int, limit: float) -> Outcome | None:
    """The outcome of a smaller program, if it fails in the same way."""
    try:
        now = compared(found.seed, "\n".join(lines) + "\n", particles, limit)
    except Exception:  # not a program
        return None
    same = now.why.partition(":")[0] == found.why.partition(":")[0]
    return now if now.kind == "failed" and same and not now.why.startswith("refused") else None


def run(count: int, start: int) -> list[Outcome]:
    """`count` programs from the seed `start` on."""
    limit = threshold(count * (1 + sum(np.size(v) for v in PARAMS.values())))
    return [tried(seed, limit) for seed in range(start, start + count)]


def main(arguments: list[str]) -> int:
    import jax
    jax.config.update("jax_disable_most_optimizations", True)
    if arguments[:1] == ["--show"]:
        print(program(int(arguments[1]))[0])
        return 0
    if arguments[:1] == ["--shrink"]:
        seed, limit = int(arguments[1]), threshold(1000)
        found = shrunk(tried(seed, limit), program(seed)[1], limit)
        print(f"{found.why}\n{found.text}")
        return 0
    count = int(arguments[0]) if arguments else 200
    start = int(os.environ.get("PULLBACK_SEED", time.time_ns() // 10**6 % 10**9))
    print(f"{count} programs from PULLBACK_SEED={start}")
    limit = threshold(count * (1 + sum(np.size(v) for v in PARAMS.values())))
    kinds: dict[str, int] = {}
    for seed in range(start, start + count):
        found = tried(seed, limit)
        kinds[found.kind] = kinds.get(found.kind, 0) + 1
        if found.kind == "failed":
            print(f"\nseed {found.seed}: {found.why}\n{found.text}", flush=True)
        if seed % 50 == 49:
            jax.clear_caches()
    print(", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
    return 1 if kinds.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
