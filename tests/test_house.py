"""The house: every package and data file is shipped, imports run down, and inside the compiler they run down too."""
import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOOR = {"compiler": 0, "dsl": 1, "backends": 1, "stdlib": 1, "pullback": 2}
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
RANK = {name: rank for rank, names in enumerate([
    ["source"], ["diagnostic", "type", "criticism", "engine"], ["ir", "einsum", "gate"],
    ["op", "distribution", "rule", "constraint", "choice", "schedule", "optimizer", "contract", "predicate", "case", "first_order",
     "proposal"],
    ["revision"],
    ["network", "ops"], ["diagrams"], ["notation"], ["analyses"], ["weight"], ["forward"], ["passes"], ["ledger"], ["pipeline"]]) for name in names}
LISTS = {"dsl/syntax.py"}  # one form of the language after another: no shorter for being two files


def sources(folder):
    files = (ROOT / folder).glob("*.py") if folder == "pullback" else (ROOT / folder).rglob("*.py")
    return [(path, ast.parse(path.read_text())) for path in sorted(files)]


def imported(tree):
    """The modules that a file imports when it runs (what is only there for type checkers does not count)."""
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test):
        return
    if isinstance(tree, ast.ImportFrom):
        assert tree.level == 0, "write absolute imports"
        yield tree.module
        if tree.module.startswith("pullback"):
            yield from (f"{tree.module}.{alias.name}" for alias in tree.names)
    elif isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names)
    for node in ast.iter_child_nodes(tree):
        yield from imported(node)


def test_every_package_is_shipped():
    found = ["pullback"] + [
        ".".join(("pullback", *path.parent.relative_to(ROOT).parts))
        for folder in FLOOR if folder != "pullback"
        for path in (ROOT / folder).rglob("__init__.py")
    ]
    assert sorted(SETUP["packages"]) == sorted(found)


def test_every_module_is_in_a_package():
    for folder in FLOOR:
        for path, _ in sources(folder):
            assert (path.parent / "__init__.py").exists(), f"{path}: its folder has no __init__.py"


def test_every_data_file_is_shipped():
    shipped = {path for package, patterns in SETUP["package-data"].items() for pattern in patterns
               for path in (ROOT / SETUP["package-dir"].get(package, package)).glob(pattern)}
    for folder in FLOOR:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".lark", ".pbk", ".md", ".typed", ".css", ".js", ".json"} and path.name != "README.md":
                assert path in shipped, f"{path} is in no pattern of package-data"


def test_links_are_the_four():
    links = {path.name for path in (ROOT / "pullback").iterdir() if path.is_symlink()}
    assert links in ({"compiler", "dsl", "backends", "stdlib"}, set())  # none: a checkout on a system without links


def test_imports_run_down():
    up = []
    for folder, floor in FLOOR.items():
        for path, tree in sources(folder):
            for name in imported(tree):
                head, _, rest = name.partition(".")
                assert head not in FLOOR or head == "pullback", f"{path}: write pullback.{name}"
                target = rest.partition(".")[0]
                target = target if target in FLOOR else "pullback"
                if head == "pullback" and rest and target != folder and FLOOR[target] >= floor:
                    up.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not up


def test_the_compiler_imports_down():
    up = []
    for path, tree in sources("compiler"):
        here = path.relative_to(ROOT / "compiler").parts[0].removesuffix(".py")
        if here == "__init__":
            continue
        assert here in RANK, f"compiler/{here} has no rank here"
        for name in imported(tree):
            if name.startswith("pullback.compiler.") and name.count(".") == 2:
                there = name.split(".")[2]
                if there != here and RANK[there] > RANK[here]:
                    up.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not up


def test_a_pass_imports_no_pass():
    """The passes are what the pipeline names; what they share stands in modules that it does not name."""
    folder = "pullback.compiler.passes."
    passes = {name for name in imported(ast.parse((ROOT / "compiler/pipeline.py").read_text())) if name.startswith(folder)}
    for path, tree in sources("compiler/passes"):
        for name in imported(tree):
            assert name not in passes, f"{path.name} imports {name}"


@pytest.mark.parametrize("folder", FLOOR)
def test_modules_are_short(folder):
    long = {str(path.relative_to(ROOT)): count for path, _ in sources(folder)
            if (count := len(path.read_text().splitlines())) > 400 and str(path.relative_to(ROOT)) not in LISTS}
    assert not long, "past 400 lines: make two files"
