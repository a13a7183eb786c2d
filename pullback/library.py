"""The library's places, handed to those who look things up by name.  Nothing of it is imported here."""
from __future__ import annotations

from pathlib import Path

ERRORS = Path(__file__).parent / "errors"


def open_library() -> None:
    """Let rules, distributions, gates, layers and optimizers be found by their names in `pullback.stdlib`."""
    from pullback.compiler import distribution, gate, network, optimizer, rule
    distribution.library("pullback.stdlib.distributions")
    gate.library("pullback.stdlib.gates")
    network.library("pullback.stdlib.networks")
    optimizer.library("pullback.stdlib.optimizers")
    rule.library("pullback.stdlib.rules")


def root() -> Path:
    """The folder of the library, wherever it is installed."""
    from importlib.util import find_spec
    return Path(find_spec("pullback.stdlib").submodule_search_locations[0])


def programs() -> dict[str, Path]:
    """The library's programs by their paths in an import: `objectives.elbo` is `objectives/elbo.pbk`."""
    return {".".join(path.relative_to(root()).with_suffix("").parts): path for path in sorted(root().rglob("*.pbk"))}
