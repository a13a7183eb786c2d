"""What XLA gets wrong is kept away, on its CPU backend under `jit(vmap)` over many keys."""
import os
import warnings

import jax
import jaxlib
import numpy as np
import pytest

import pullback as pb
from pullback.backends.xla import faults

NESTED = """objective f(w: real[2]):
    x ~ normal(0.0, 1.0) by reparam
    for i in 0..2:
        for j in 0..2:
            u[j] = sin(w[j]) * sin(i + 0.5)
        v[i] = sin(x - sum(u))
    return sum(v)
"""


def test_the_gradient_under_many_keys_is_that_under_each():
    f = pb.loads(NESTED)["f"].compile()
    w = np.array([0.5, -0.8], np.float32)
    keys = jax.random.split(jax.random.key(0), 4096)
    together = jax.jit(jax.vmap(lambda key: f.value_and_grad(key, {"w": w})[1]["w"]))(keys)
    for key, found in zip(keys[:8], together):
        assert np.allclose(found, f.value_and_grad(key, {"w": w})[1]["w"], atol=1e-5)


def test_the_users_flags_are_kept_and_a_late_import_warns(monkeypatch):
    monkeypatch.setattr(faults, "WRONG_SUMS", (jaxlib.__version__,))
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=1")
    jax.devices()
    with pytest.warns(RuntimeWarning, match="gives wrong sums"):
        faults.avoid()
    assert os.environ["XLA_FLAGS"] == f"--xla_a=1 {faults.FLAG}=-reduce"
    for said in (f"{faults.FLAG}=", None):
        monkeypatch.setenv("XLA_FLAGS", said or "")
        if said is None:
            monkeypatch.setattr(faults, "WRONG_SUMS", ())
        with warnings.catch_warnings(action="error"):
            faults.avoid()
        assert os.environ["XLA_FLAGS"] == (said or "")
