"""`pb.variance`: the table, its best, and what it refuses."""
import numpy as np
import pytest

import pullback as pb

TEXT = """
objective f(m: real, t: real):
    b ~ bernoulli(sigmoid(t))
    x ~ normal(m + b, 1)
    return x^2 + b

objective still(m: real):
    return m^2
"""
AT = {"m": .3, "t": .2}


def test_given_assignments():
    found = pb.variance(pb.loads(TEXT)["f"], AT, draws=200, assignments=[
        {"b": "reinforce", "x": "reparam"}, {"b": "enum", "x": "antithetic"}, {"b": "reparam", "x": "reparam"}])
    assert [row.text for row in found.rows] == ["with {b: enum, x: antithetic}", "with {b: reinforce, x: reparam}"]
    assert found.best.variance < found.rows[1].variance / 5 and found.best.seconds > 0
    assert np.isclose(found.best.value, 1.09 + 1.6 * .549834 + .549834, atol=10 * found.best.error + .01)
    assert len(found.refused) == 1 and "discrete" in found.refused[0][1]
    assert "antithetic" in str(found) and found.plot() is not None


def test_the_automatic_assignment_is_admissible():
    from pullback.tune import Bench
    import jax
    bench = Bench(pb.loads(TEXT)["f"], AT, {}, jax.random.key(0), 10, {})
    assert all(bench.automatic[name] in found for name, found in bench.candidates.items())
    assert "reparam" not in bench.candidates["b"] and "enum" not in bench.candidates["x"]
    assert len(bench.every()) == 0 or len(bench.every()) == np.prod([len(c) for c in bench.candidates.values()])


def test_nothing_to_tune():
    with pytest.raises(pb.ArgumentError, match="no choices"):
        pb.variance(pb.loads(TEXT)["still"], {"m": 1.0})
