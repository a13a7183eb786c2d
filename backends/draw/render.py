"""DOT text to pictures: by the system's `dot`, else by pygraphviz, which carries Graphviz; without both, how to get one."""
from __future__ import annotations

import shutil
import subprocess
import warnings

INSTALL = ("pictures need Graphviz: pip install 'pullback[draw]', or the program `dot` (apt install graphviz, "
           "brew install graphviz)")


class NoRenderer(RuntimeError):
    """There is no Graphviz here.  The DOT text is to be had without."""

    def __init__(self, message: str = INSTALL) -> None:
        super().__init__(message)


def render(dot: str, format: str = "svg", dpi: int = 96, pinned: bool = False) -> bytes:
    """The picture that Graphviz makes of DOT text (`svg`, `png`, `pdf`).  pinned: every place is given in it."""
    scale = [] if format == "svg" else [f"-Gdpi={dpi}"]
    program = shutil.which("dot")
    if program is not None:
        done = subprocess.run([program, *(["-Kneato", "-n2"] if pinned else []), f"-T{format}", *scale], input=dot.encode(), capture_output=True, check=False)
        if done.returncode or not done.stdout:
            raise RuntimeError(f"dot failed: {done.stderr.decode(errors='replace').strip()}")
        if done.stderr.strip():
            warnings.warn(done.stderr.decode(errors="replace").strip(), RuntimeWarning, stacklevel=2)
        return done.stdout
    try:
        import pygraphviz
    except ImportError:
        raise NoRenderer from None
    return pygraphviz.AGraph(string=dot).draw(prog="nop2" if pinned else "dot", format=format, args=" ".join(scale))


def available() -> bool:
    if shutil.which("dot") is not None:
        return True
    try:
        import pygraphviz  # noqa: F401
    except ImportError:
        return False
    return True
