"""The notebook cell: a program becomes a name, what is wrong is said."""
import jax.numpy as jnp
import pytest

import pullback as pb


class Shell:
    def __init__(self):
        self.user_ns, self.cells = {"f": jnp.sin}, {}

    def register_magic_function(self, function, magic_kind, magic_name):
        self.cells[magic_kind, magic_name] = function


@pytest.fixture
def shell():
    shell = Shell()
    pb.load_ipython_extension(shell)
    return shell


def test_a_cell_defines_a_program(shell):
    cell = shell.cells["cell", "pullback"]
    cell("", "model m():\n    x ~ normal(0, 1)\n")
    cell("two", "extern f(x: real) -> real\n\nobjective o(a: real):\n    return f(a)\n")
    assert isinstance(shell.user_ns["program"], pb.Program)
    assert float(shell.user_ns["two"]["o"].compile()(0, {"a": 0.0})) == 0.0


@pytest.mark.parametrize("line, text, says", [("", "model m():\n    x ~ norml(0, 1)\n", "did you mean `normal`"), ("a b", "", "a name")])
def test_what_is_wrong_is_said(shell, capsys, line, text, says):
    shell.cells["cell", "pullback"](line, text)
    assert says in capsys.readouterr().err and "program" not in shell.user_ns
