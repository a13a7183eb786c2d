"""The command line: results on stdout, errors on stderr, and the exit codes."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pullback.cli import main

pytestmark = pytest.mark.usefixtures("unoptimized")

LEAST = """\
objective loss(a: real, x: real[n], y: real[n]):
    return mean i in 0..n: (a * x[i] - y[i])^2

fit least:
    given x: real[n], y: real[n]
    minimize loss(a, x, y)
    over a: real
    using adam(0.1)
    steps 100
"""
BAD = "model m():\n    x ~ norml(0, 1)\n    return y\n"
DATA = ["--data", "x=d.csv:x", "--data", "y=d.csv:y"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "least.pbk").write_text(LEAST)
    (tmp_path / "bad.pbk").write_text(BAD)
    (tmp_path / "d.csv").write_text("x,y\n0,0\n1,2\n2,4\n")
    (tmp_path / "nan.csv").write_text("x,y\n0,0\n1,\n")
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    def run(*words):
        code = main(words)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err
    return run


def test_check(run):
    assert run("check", "least.pbk") == (0, "", "no errors in least.pbk\n")
    code, out, err = run("check", "least.pbk", "bad.pbk")
    assert code == 1 and "bad.pbk:2:9" in out and "did you mean `normal`" in out and "2 errors" in err
    code, out, _ = run("check", "--json", "bad.pbk")
    found = json.loads(out)
    assert code == 1 and [(d["code"], d["line"]) for d in found] == [("name", 2), ("name", 3)]
    assert run("check", "gone.pbk")[0] == 2


def test_fmt(run, folder):
    assert run("fmt", "--check", "least.pbk") == (0, "", "")
    (folder / "loose.pbk").write_text(LEAST.replace(" = ", "=").replace(", ", ","))
    code, out, _ = run("fmt", "--check", "loose.pbk")
    assert (code, out) == (1, "loose.pbk\n") and (folder / "loose.pbk").read_text() != LEAST
    assert run("fmt", "loose.pbk")[0] == 0 and (folder / "loose.pbk").read_text() == LEAST
    assert run("fmt", "bad.pbk")[0] == 0  # a layout has no opinion on names


def test_fit(run, folder):
    code, out, err = run("fit", "least.pbk", *DATA)
    assert code == 0 and "objective" in out and "a  2" in out and err == ""
    code, out, err = run("fit", "least.pbk:least", *DATA, "--out", "o", "--set", "steps=60")
    assert (code, out) == (0, "o\n")
    written = {path.name for path in (folder / "o").iterdir()}
    assert {"params.safetensors", "history.csv", "plot.png", "ledger.txt", "checkpoints"} <= written
    assert written & {"estimator.svg", "estimator.dot"}
    assert len((folder / "o" / "history.csv").read_text().splitlines()) == 61
    code, out, err = run("fit", "least.pbk", *DATA, "--out", "o", "--resume")
    assert code == 0 and len((folder / "o" / "history.csv").read_text().splitlines()) == 101
    code, out, err = run("fit", "least.pbk", *DATA, "--out", "o", "--resume", "--seed", "1")
    assert code == 2 and "another key" in err
    code, out, err = run("eval", "least.pbk:loss", *DATA, "--params", "o/params.safetensors", "--draws", "2")
    assert code == 0 and "gradient norm, a" in out


@pytest.mark.parametrize("words, code, says", [
    (["fit", "gone.pbk"], 2, "there is no file `gone.pbk`"), (["fit", "bad.pbk"], 1, "error[name]"),
    (["fit", "least.pbk"], 2, "data missing: `x: real[n]`, `y: real[n]`"),
    (["fit", "least.pbk:last", *DATA], 2, "did you mean `least`"),
    (["fit", "least.pbk", "--data", "x=nan.csv:x", "--data", "y=nan.csv:y"], 2, "`y` has NaN in 1 of its 2"),
    (["fit", "least.pbk", "--data", "x=d.csv:z", "--data", "y=gone.csv"], 2, "there is no file `gone.csv`"),
    (["fit", "least.pbk", *DATA, "--set", "steps"], 2, "NAME=NUMBER"),
    (["fit", "least.pbk", *DATA, "--set", "stps=3"], 2, "did you mean `steps`"),
    (["fit", "least.pbk", *DATA, "--resume"], 2, "--out DIR"),
    (["fit", "least.pbk", *DATA, "--out", "d.csv"], 2, "a file"),
    (["eval", "least.pbk:loss", *DATA, "--params", "gone"], 2, "can't read the parameters"),
    (["check", "least.pbk", "--extern", "f=no.such:thing"], 2, "there is no module `no`"),
    (["check", "least.pbk", "--extern", "f=math:sinn"], 2, "did you mean `sin`"),
    (["fit", "least.pbk", *DATA, "--set", "particles=0"], 2, "`particles` is a positive int, and this is 0"),
    (["fit", "least.pbk", *DATA, "--set", "steps=0"], 2, "`steps` is a positive int, and this is 0"),
    (["eval", "least.pbk:loss", *DATA, "--set", "c=1"], 2, "nothing called `c` to set"),
    (["draw", "least.pbk", "--stage", "estimater"], 2, "did you mean `estimator`"), (["draw", "least.pbk", "-o", "x.bmp"], 2, ".svg"),
    (["explain", "reparm"], 2, "did you mean `reparam`"), (["tuna"], 2, "invalid choice"), ([], 2, "COMMAND")])
def test_what_is_said(run, words, code, says):
    found, out, err = run(*words)
    assert found == code and says in err and out == ""


def test_a_step_that_is_not_finite(run, folder):
    (folder / "log.pbk").write_text(LEAST.replace("(a * x[i] - y[i])^2", "log(a * x[i] - 1)"))
    code, out, err = run("fit", "log.pbk", *DATA)
    assert code == 1 and "error[step]" in err and "log.pbk:2" in err


def test_draw_and_ledger(run, folder):
    code, out, _ = run("draw", "least.pbk")
    assert code == 0 and out.startswith("least(")
    code, out, _ = run("draw", "least.pbk:loss", "-o", "x.dot")
    assert code == 0 and (folder / "x.dot").read_text().lstrip().startswith("digraph")
    code, out, _ = run("draw", "least.pbk", *DATA, "-o", "x.html")
    assert (code, out) == (0, "x.html\n") and "jaxpr" in (folder / "x.html").read_text()
    code, out, _ = run("ledger", "least.pbk")
    assert code == 0 and "exact" in out


def test_tune(run, folder):
    (folder / "coin.pbk").write_text("objective f(p: real):\n    b ~ bernoulli(p) by reinforce\n    return (b - 0.3)^2\n")
    code, out, _ = run("tune", "coin.pbk:f", "--set", "p=0.4", "--draws", "50")
    assert code == 0 and "reinforce" in out and out.strip().endswith(("with {b: enum}", "with {b: mvd}"))


def test_methods_and_explain(run):
    code, out, _ = run("methods")
    assert code == 0 and all(word in out for word in ("rules", "distributions", "optimizers", "reparam", "adam", "elbo"))
    assert "Source:" in run("methods", "reinforce")[1]
    assert "from pullback.objectives import elbo" in run("explain", "elbo")[1]


def test_the_module_is_the_command(folder):
    ran = subprocess.run([sys.executable, "-m", "pullback", "--version"], capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.startswith("pullback ")


@pytest.mark.skipif(os.name == "nt", reason="signals are the system's")
def test_ctrl_c_saves_and_exits_with_130(folder):
    words = ["fit", "least.pbk", *DATA, "--set", "steps=100000000", "--out", "o"]
    fit = subprocess.Popen([sys.executable, "-c", INTERRUPTED, *words], stderr=subprocess.PIPE, text=True)
    fit.wait(timeout=120)
    assert fit.returncode == 130 and "`resume` goes on" in fit.stderr.read()
    assert list((folder / "o" / "checkpoints").glob("*.json"))


INTERRUPTED = """
import os, signal, sys, threading
from pullback.backends.xla import fit
from pullback.cli import main
show = fit.Line.show
def once(line, *figures):
    if figures[0] > 100:
        os.kill(os.getpid(), signal.SIGINT)
    show(line, *figures)
fit.Line.show = once
sys.exit(main(sys.argv[1:]))
"""


def test_numbers_are_read_back(folder):
    from pullback.outputs import flat, nested
    tree = {"w": {"0": {"weight": np.ones(2)}, "2": np.zeros(1)}, "b": np.ones(())}
    assert dict(flat(nested(dict(flat(tree))))).keys() == dict(flat(tree)).keys()


@pytest.mark.parametrize("words", [("fit",), ("eval", "--draws", "3")])
def test_a_number_among_the_data_is_set(run, folder, words):
    """What the error for missing data offers, `--set y=NUMBER`, is taken."""
    (folder / "one.pbk").write_text("objective near(m: real, y: real):\n    return (m - y)^2\n\nfit one:\n    given y: real\n"
                                    "    minimize near(m, y)\n    over m: real\n    using adam(0.1)\n    steps 3\n")
    command, *rest = words
    code, _, said = run(command, "one.pbk:one")
    assert code == 2 and "--set y=NUMBER" in said
    code, shown, said = run(command, "one.pbk:one", "--set", "y=2.0", *rest)
    assert code == 0, said
