"""Spiders of the ZX calculus, with m inputs, n outputs and a phase in full turns.

    ZSpider(m, n, a) = |0…0⟩⟨0…0| + e^{2πia} |1…1⟩⟨1…1|;  XSpider is the same in the basis |+⟩, |−⟩
so that H·Z(a)·H = X(a).  ∂S = iπ [S(a) − S(a + ½)]; of the channel π [S(a + ¼) − S(a − ¼)].
Source: Coecke, Duncan (2011), New J. Phys. 13.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from pullback.compiler.gate import QUBIT, Gate, Maker
from pullback.stdlib.gates.rotations import TWO, phase, shifted, u1

H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)


def z_spider(m: int, n: int) -> Gate:
    return Gate("ZSpider", (QUBIT,) * m, (QUBIT,) * n, u1, (0,) * (m + n) if m + n else (),
                ("turns",), (m, n), derivative=shifted("ZSpider"), doubled=TWO) if m + n else Gate(
                "ZSpider", (), (), lambda t: 1 + phase(t), (), ("turns",), (0, 0), derivative=shifted("ZSpider"), doubled=None)


def x_spider(m: int, n: int) -> Gate:
    def array(t: Any) -> Any:
        """Σₖ e^{2πitk} Πₗ H[k, l]."""
        total: Any = u1(t)
        for leg in range(m + n):
            total = total[..., None] * H.reshape(2, *(1,) * leg, 2)
        return total.sum(0)
    return Gate("XSpider", (QUBIT,) * m, (QUBIT,) * n, array, tuple(range(m + n)), ("turns",), (m, n),
                derivative=shifted("XSpider"), doubled=TWO if m + n else None)


SPIDERS = (Maker("ZSpider", z_spider, "legs", ("turns",), "A Z spider: `ZSpider(m, n, turns)`."),
           Maker("XSpider", x_spider, "legs", ("turns",), "An X spider: `XSpider(m, n, turns)`."))
