"""`import pullback` and `pullback --help` load nothing heavy."""
import subprocess
import sys

import pytest

HEAVY = {"jax", "numpy", "numpyro", "optax", "equinox", "rich", "lark", "networkx", "safetensors", "matplotlib", "arviz"}


def loaded(program):
    program += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ran.stdout.split("\n")[-2].split())


@pytest.mark.parametrize("program", [
    "import pullback", "import pullback; dir(pullback); pullback.ProgramError",
    "from pullback.cli import main; main(['--help']); main(['fit', '--help']); main(['--version'])"])
def test_nothing_heavy_is_imported(program):
    assert not loaded(program) & HEAVY


def test_every_public_name_is_there():
    import pullback
    for name in pullback.__all__:
        assert getattr(pullback, name) is not None
    assert set(pullback.__all__) <= set(dir(pullback))
    with pytest.raises(AttributeError):
        pullback.nothing


def test_the_names_for_type_checkers_are_the_same():
    import ast
    from pathlib import Path

    import pullback
    tree = ast.parse(Path(pullback.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    repeated = {alias.name: node.module for node in block.body for alias in node.names}
    assert repeated == pullback.PUBLIC
