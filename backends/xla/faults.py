"""Faults of XLA that give wrong numbers, kept away.

In some versions of jaxlib, a CPU's sum over a middle dimension of products, one factor of which has no later dimension, is
handed to YNNPACK, which reads beyond that factor: the sum is wrong, and nothing says so (jax-ml/jax issues 39103, 39257, 40412).

    jit(lambda c, s: (broadcast_to(c[:, :, None], (n, 2, 2)) * s[None, :, None]).sum(1))      n ≥ 1024, float32

XLA reads its flags once, when it starts.
"""
from __future__ import annotations

import os
import sys
import warnings

WRONG_SUMS = ("0.10.2", "0.11.0")  # jaxlib
FLAG = "--xla_cpu_experimental_ynn_fusion_type"


def avoid() -> None:
    """Tell XLA to compute its reductions itself, where its version needs that and the user's `XLA_FLAGS` do not say otherwise; a
    warning if it has started."""
    from jaxlib.version import __version__
    flags = os.environ.get("XLA_FLAGS", "")
    if __version__ not in WRONG_SUMS or FLAG in flags:
        return
    os.environ["XLA_FLAGS"] = f"{flags} {FLAG}=-reduce".strip()
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and bridge.backends_are_initialized():
        warnings.warn(f"jaxlib {__version__} gives wrong sums on CPUs, and JAX has started: import pullback before its first array, "
                      f"set XLA_FLAGS={FLAG}=-reduce, or take another version", RuntimeWarning, stacklevel=3)
