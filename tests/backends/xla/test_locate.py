"""Where a number stops being finite: on the way back from the result, through loops, and along derivatives."""
import jax
import pytest

import pullback as pb

pytestmark = pytest.mark.usefixtures("unoptimized")

CASES = {
    "plain": ("    b = a - 1\n    c = log(b)\n    return c * 2", 0.0, 3, "log(b)"),
    "division": ("    b = a * 0\n    return 1 / b + a", 1.0, 3, "1 / b"),
    "the first of two": ("    b = log(a)\n    c = b - b\n    return c", 0.0, 2, "log(a)"),
    "in a plate": ("    return sum i in 0..3: log(a - i)", 1.5, 2, "log(a - i)"),
    "in a scan": ("    s = a\n    for t in 0..4:\n        s = s * s\n        s = log(s - 1)\n    return s", 1.5, 5, "log(s - 1)"),
    "a derivative": ("    b = a * 2\n    return sqrt(b) + b", 0.0, 3, "sqrt(b)"),
    "not what a branch hides": ("    b = log(a) if a > 0 else 0.0\n    c = a + b\n    return sqrt(c)", -1.0, 4, "sqrt(c)")}


@pytest.mark.parametrize("name", CASES)
def test_the_line(name):
    body, at, line, text = CASES[name]
    f = pb.loads(f"objective o(a: real):\n{body}\n", name="o.pbk")["o"].compile()
    found, span = f.locate(jax.random.key(0), {"a": at}, {})
    assert span is not None and span.line == line
    assert found == text


def test_all_finite():
    f = pb.loads("objective o(a: real):\n    return a^2\n")["o"].compile()
    assert f.locate(jax.random.key(0), {"a": 1.0}, {}) is None
