"""No program, however it is wrong or however large, ends in anything but an answer: soon, and without a traceback.

A program is data.  Reading and compiling it runs none of its text as Python, opens no file but those that it may import,
and reaches no network.
"""
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback.library import ERRORS

PROGRAMS = Path(__file__).parent / "dsl" / "programs"
TOKEN = re.compile(r"\w+(?:\.\d+)?|\"[^\"\n]*\"|\n *|[^\w\s]+|[ \t]+")


def answer(text: str, name: str = "program") -> list:
    """What is said of a program: nothing, or what is wrong.  Anything else that is raised fails the test."""
    try:
        pb.loads(text, name)
    except pb.ProgramError as error:
        return error.diagnostics
    return []


# ------------------------------------------------------------------ too much

HEAD = "objective f(p: unit):\n"
LARGE = {
    "50 MB": ("# " + "x" * 49 + "\n") * 1_000_000,
    "a long line": "x = " + "1 + " * 10_000 + "1",
    "brackets": "x = " + "(" * 100_000 + "1" + ")" * 100_000,
    "brackets left open": "x = " + "(" * 100_000,
    "lists": "x = " + "[" * 100_000 + "]" * 100_000,
    "minus": "x = " + "-" * 100_000 + "1",
    "not": "x = " + "not " * 100_000 + "true",
    "powers": "x = " + "2^" * 100_000 + "1",
    "calls": HEAD + "    return " + "sin(" * 100_000 + "p" + ")" * 100_000,
    "ifs": "model m():\n" + "".join("    " * i + "if true:\n" for i in range(1, 400)) + "    " * 400 + "x = 1\n",
    "elifs": HEAD + "    if p > 1: x = 1.0\n" + "    elif p > 1: x = 1.0\n" * 1_000 + "    else: x = 2.0\n    return x",
    "fields": HEAD + "    return p" + ".x" * 100_000,
    "types": "objective f(x: " + "(real, " * 5_000 + "int" + ")" * 5_000 + "): return 1.0",
    "strings": 'x = "' + "{" * 100_000 + '"',
    "a long loop": HEAD + "    for i in 0..10^12:\n        x[i] ~ bernoulli(p)\n    return sum(x)",
    "a long scan": HEAD + "    s = p\n    for i in 0..10^12:\n        x ~ bernoulli(p) by enum\n        s = s * x\n    return s",
    "a long sum": HEAD + "    return sum i in 0..10^12: p * i",
    "an enumeration": HEAD + "    for i in 0..40:\n        x[i] ~ bernoulli(p) by enum\n    return 1.0 * max(x)",
    "an enumeration by hand": HEAD + "".join(f"    x{i} ~ bernoulli(p) by enum\n" for i in range(40)) +
                              "    return exp(" + " + ".join(f"x{i}" for i in range(40)) + ")",
    "an array": HEAD + "    return p * sum(zeros(10^6, 10^6))",
    "a list of all": HEAD + "    return sum([p for i in 0..10^6, j in 0..10^6])",
    "a power": "x = 10^10^10\n" + HEAD + "    return p",
    "a number": "x = " + "9" * 100_000 + "\n" + HEAD + "    return p",
    "an exponent": "x = 1.0e999999999\n" + HEAD + "    return p",
    "doubled calls": "function f0(x: real) -> real: return x\n" + "".join(
        f"function f{i}(x: real) -> real: return f{i - 1}(x) + f{i - 1}(x)\n" for i in range(1, 40)) +
        HEAD + "    return f39(p)",
    "a chain of calls": "function f0(x: real) -> real: return x\n" + "".join(
        f"function f{i}(x: real) -> real: return f{i - 1}(x)\n" for i in range(1, 300)) + HEAD + "    return f299(p)",
    "a wide network": "network net: real[10] -> real[2] = dense(10^12) >> dense(2)\n",
    "a size": HEAD.replace("p: unit", "p: real[10^12, 10^12]") + "    return sum(p)",
}


@pytest.mark.parametrize("what", LARGE)
def test_large(what):
    answer("model m():\n    x ~ normal(0, 1)\nobjective f(m: real): return m\n")  # the grammar and JAX are there
    started = time.process_time()
    found = answer(LARGE[what])
    seconds = time.process_time() - started
    assert all(d.severity == "error" and d.code and d.message for d in found)
    assert seconds < 3, f"{seconds:.1f} s: {found and found[0].message[:80]}"
    if what in MUST_FAIL:
        assert found, "nothing was said"


MUST_FAIL = {"50 MB", "brackets", "brackets left open", "lists", "calls", "fields", "an enumeration", "an array", "a wide network",
             "an enumeration by hand", "a list of all", "doubled calls", "a chain of calls"}


# ------------------------------------------------------------------ several at once

def test_independent_errors_are_told_together():
    found = answer('''
model m():
    x ~ norml(0, 1)

function f(x: real) -> real:
    y ~ normal(x, 1)
    return y

objective g(x: real[n], y: real[m]):
    return sum(x + y)

objective h(m: real):
    k ~ normal(m, 1) by reparam
    return k

fit one:
    minimize (w - 3)^2
    over w: real, v: real
    using adam(0.1)
    steps 10
''')
    assert [d.code for d in found] == ["name", "kind", "size", "unused"]


def test_later_stages_tell_all():
    found = answer('''
objective f(m: real):
    k ~ normal(m, 1) by reparam
    j ~ poisson(exp(m)) by enum
    u ~ uniform(0, exp(m)) by reinforce
    return 1.0 * j * u if k > 0 else 0.0
''')
    assert sorted(d.code for d in found) == ["smoothness", "support", "support"]


# ------------------------------------------------------------------ mutants

def sources() -> list[str]:
    pages = [match[1] for page in sorted(ERRORS.glob("*.md")) for match in re.finditer(
        r"```pbk\n((?:(?!```).)*)```", page.read_text("utf-8"), re.S)]
    return [path.read_text("utf-8") for path in sorted(PROGRAMS.glob("*.pbk"))] + pages


def mutant(text: str, luck: random.Random) -> str:
    """A program with one or two tokens dropped, doubled, swapped, or taken from elsewhere."""
    tokens = TOKEN.findall(text)
    for _ in range(luck.choice((1, 1, 2))):
        at, other = luck.randrange(len(tokens)), luck.randrange(len(tokens))
        match luck.randrange(4):
            case 0:
                tokens[at] = ""
            case 1:
                tokens[at] = tokens[other]
            case 2:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = luck.choice(("0", "-1", "1.5", "x", "n", "by enum", "[0]", "zeros(3)", "true", '"a"', "normal(0, 1)",
                                          "real", ".x", "~", "=", "(", "i", "10^30", "params", "stop", "sum", "len", "logp"))
    return "".join(tokens)


@pytest.mark.parametrize("seed", range(4))
def test_mutants(seed):
    """Whatever a user mistypes, the answer is a `ProgramError` or a program."""
    luck = random.Random(seed)
    texts = sources()
    for _ in range(MUTANTS):
        text = mutant(luck.choice(texts), luck)
        try:
            assert all(d.code in CODES for d in answer(text))
        except BaseException as error:
            error.add_note(f"in this program:\n{text}")
            raise


MUTANTS = 100
CODES = {page.stem for page in ERRORS.glob("*.md")}


# ------------------------------------------------------------------ programs are data

ATTACKS = [
    "x = __import__", "x = __builtins__", 'x = eval("1")', 'x = exec("import os")', "x = open", 'x = getattr(1, "__class__")',
    HEAD + "    return p.__class__.__mro__", HEAD + "    return sum.__globals__", HEAD + "    return normal.__init__",
    HEAD + "    __class__ ~ normal(0, 1)\n    return __class__", "from os import system", "from os.path import join",
    "from pullback.cli import main", "from pullback import os", "from pullback.compiler.rule import rule",
    "from ..secret import a", "from .. import secret", "from /etc/passwd import root", 'from "/etc/passwd" import root',
    "from etc.passwd import root", "from link import a", "from folder.link import a", "from loop_a import f", "from self import f",
    "from pullback.stdlib.rules.enum import Enum", "from pullback.__init__ import x", "from __main__ import x",
    HEAD + '    x ~ llm("{p.__class__}", "{0.__globals__}")\n    return p', 'x = "{__import__(\'os\').system(\'true\')}"',
    'x = "%s%s%n"', "normal = 3\n" + HEAD + "    x ~ normal(p, 1)\n    return x", "model sum(): x ~ normal(0, 1)\n" + HEAD +
    "    return sum([p, p])", "model normal(loc: real, scale: real): x ~ normal(loc, scale)",
    "objective elbo(p: unit): return elbo", "x = x", "function exp(x: real) -> real: return exp(x)",
    "extern system(command: text) -> real\n" + HEAD + '    return system("true")', "extern __import__(x: real) -> real",
    HEAD + "    x ~ normal(p, 1) by __class__\n    return x", HEAD + "    x ~ normal(p, 1) by os\n    return x",
    HEAD + "    x ~ __init__(p, 1)\n    return x", HEAD + "    x ~ numerics(p, 1)\n    return x",
    "fit f:\n    minimize w^2\n    over w: real\n    using __import__(0.1)\n    steps 3",
    "fit f:\n    minimize w^2\n    over w: real\n    using table(0.1)\n    steps 3",
    "network n: real[1] -> real[1] = __class__(3)", "network n: real[1] -> real[1] = os >> dense(1)",
    HEAD + "    return p\x00", "x = \u202e1", "x\u200b = 1", "\ufeffx = 1", HEAD + "    return ｐ", "x = 'a'", "x = `ls`", "!ls", "%run x.py",
    "@pb.rule\nclass A: pass", "import os", "lambda: 1", "x = (lambda: 1)()", "x = [].__class__", "x = {}.__class__",
]

GUARD = '''
import sys
import warnings

import jax
import numpy as np

import pullback as pb
from pathlib import Path

def answer(load, *given):
    try:
        program = load(*given)
        for fit in program.fits.values():
            fit.objective.stages()
    except (pb.ProgramError, pb.ArgumentError) as error:
        str(error)

root = Path(sys.argv[1])
attacks = sorted(root.glob("attack*.pbk"))
# What reading programs imports, and what JAX opens, is there before anybody watches.
for example in sorted(Path(sys.argv[2]).glob("*.pbk")) * 2:
    answer(pb.load, example)
pb.catalog = __import__("pullback.catalog", fromlist=["entries"]).entries()
for path in attacks:
    answer(pb.load, path)

allowed = [str(root), str(Path(sys.argv[3]))]
wrong = []

def watch(event, args):
    if event == "open":
        path = str(args[0])
        if not any(path == one or path.startswith(one + "/") for one in allowed) or args[1] and set(args[1]) & set("wax+"):
            wrong.append((event, path))
    elif event in ("compile", "exec") or event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn",
                                                 "os.fork", "ctypes.dlopen", "os.remove", "os.rename", "os.mkdir", "shutil.")):
        wrong.append((event, str(args)[:300]))
    elif event == "import" and args[0] not in sys.modules:
        wrong.append((event, args[0]))

sys.addaudithook(watch)
for path in attacks:
    answer(pb.load, path)
    answer(pb.loads, path.read_text("utf-8", errors="surrogateescape").encode("utf-8", "replace").decode())
for one in wrong:
    print(*one)
print("watched", len(attacks))
'''


def test_attacks(tmp_path):
    """An audit hook sees each file that is opened, each module, each piece of Python, and each socket."""
    folder = tmp_path / "project"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "secret.pbk").write_text("a = 1\n")
    (folder / "link.pbk").symlink_to("/etc/passwd")
    (folder / "folder" / "link.pbk").symlink_to("../../secret.pbk")
    (folder / "loop_a.pbk").write_text("from loop_b import g\nfunction f(x: real) -> real: return g(x)\n")
    (folder / "loop_b.pbk").write_text("from loop_a import f\nfunction g(x: real) -> real: return f(x)\n")
    (folder / "self.pbk").write_text("from self import f\n")
    for number, text in enumerate(ATTACKS):
        (folder / f"attack{number:02}.pbk").write_text(text + "\n", "utf-8")
    from pullback.library import root
    done = subprocess.run([sys.executable, "-c", GUARD, str(folder), str(PROGRAMS), str(root())],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == f"watched {len(ATTACKS)}", done.stdout[:3000]


@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_attack_is_answered(number):
    for diagnostic in answer(ATTACKS[number]):
        assert diagnostic.code in CODES and str(diagnostic)


def test_python_objects_are_never_loaded(tmp_path):
    """An array of objects could run anything when it is read."""
    from pullback.data import collect
    ran = []

    class Trap:
        def __reduce__(self):
            return ran.append, (1,)
    np.save(tmp_path / "trap.npy", np.array([Trap()], object), allow_pickle=True)
    np.savez(tmp_path / "trap.npz", x=np.array([Trap()], object))
    for name in ("trap.npy", "trap.npz"):
        with pytest.raises(pb.ArgumentError, match="never loaded"):
            collect([f"x={tmp_path / name}"], {"x": "real[n]"})
    assert not ran
