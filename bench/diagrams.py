"""IQP circuits: the compiled diagram beside an einsum written by hand, its diagonal gates fused, and a state vector.

    python -m bench.diagrams [--rounds 200]

The probability p = |⟨0…0|U|0…0⟩|² of depth 3 on n qubits, value, and value and gradient; medians of interleaved rounds in one
process, quartile distance in brackets.
"""
from __future__ import annotations

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import opt_einsum

import pullback as pb

DEPTH = 3


def compiled(n: int):
    """From the language."""
    zeros = ", ".join("0" * n)
    program = pb.loads(f"""
from pullback.gates import ket, bra, iqp
diagram amplitude(x: real[{DEPTH}, {n - 1}]): ket({zeros}) >> iqp({n}, x) >> bra({zeros})
""")
    d = program["amplitude"]
    return lambda x: jnp.abs(d.array(x=x)) ** 2


def by_hand(n: int):
    """One index a qubit between two layers of H; a CRz is a matrix over the indices of its two qubits."""
    h = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    zero = np.array([1.0, 0.0])
    terms, fixed, turned = [], [], []
    now = list(range(n))
    for q in range(n):
        terms.append((now[q],))
        fixed.append(zero)
    count = n
    places = []
    for layer in range(DEPTH):
        after = list(range(count, count + n))
        count += n
        for q in range(n):
            terms.append((now[q], after[q]))
            fixed.append(h)
        for q in range(n - 1):
            places.append(len(terms))
            terms.append((after[q], after[q + 1]))
            fixed.append(None)
            turned.append((layer, q))
        now = after
    after = list(range(count, count + n))
    for q in range(n):
        terms.append((now[q], after[q]))
        fixed.append(h)
        terms.append((after[q],))
        fixed.append(zero)
    text = ",".join("".join(map(opt_einsum.get_symbol, term)) for term in terms) + "->"
    shapes = [(2,) * len(term) for term in terms]
    path, report = opt_einsum.contract_path(text, *shapes, shapes=True, optimize="auto-hq")

    def value(x):
        arrays = list(fixed)
        angle = jnp.pi * x
        plus = jnp.cos(angle) + 1j * jnp.sin(angle)
        one = jnp.ones_like(plus)
        crz = jnp.stack([jnp.stack([one, one], -1), jnp.stack([plus.conj(), plus], -1)], -2)
        for place, at in zip(places, turned):
            arrays[place] = crz[at]
        return jnp.abs(jnp.einsum(text, *arrays, optimize=path)) ** 2
    return value, report


def state_vector(n: int):
    """All 2ⁿ amplitudes, a scan over layers."""
    h = jnp.array([[1, 1], [1, -1]]) / np.sqrt(2)
    bits = (np.arange(2 ** n)[:, None] >> np.arange(n - 1, -1, -1)) & 1
    sign = jnp.asarray(bits[:, :-1] * (2 * bits[:, 1:] - 1))

    def spread(state):
        for _ in range(n):
            state = (h @ state.reshape(2, -1)).T.reshape(-1)
        return state

    def value(x):
        state = jnp.zeros(2 ** n, complex).at[0].set(1.0)
        state, _ = jax.lax.scan(lambda s, row: (spread(s) * jnp.exp(1j * jnp.pi * sign @ row), None), state, x)
        return jnp.abs(spread(state)[0]) ** 2
    return value


def measured(functions, x, rounds):
    """Median and quartile distance of each, in µs; and the seconds of the first call."""
    first, times = {}, {name: [] for name in functions}
    for name, f in functions.items():
        start = time.perf_counter()
        jax.block_until_ready(f(x))
        first[name] = time.perf_counter() - start
    for _ in range(rounds):
        for name, f in functions.items():
            start = time.perf_counter()
            for _ in range(10):
                out = f(x)
            jax.block_until_ready(out)
            times[name].append((time.perf_counter() - start) / 10 * 1e6)
    return {name: (np.median(t), *np.subtract(*np.percentile(t, [75, 25])[:, None]), first[name]) for name, t in times.items()}


def main(argv=None):
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=200)
    rounds = options.parse_args(argv).rounds
    jax.config.update("jax_enable_x64", True)
    for n in (8, 12):
        x = jnp.asarray(np.random.default_rng(0).uniform(size=(DEPTH, n - 1)))
        hand, report = by_hand(n)
        found = {"language": compiled(n), "by hand": hand, "state vector": state_vector(n)}
        values = {name: float(f(x)) for name, f in found.items()}
        assert np.ptp(list(values.values())) < 1e-12, values
        print(f"n = {n}: by hand {report.opt_cost:.0f} operations, widest {report.largest_intermediate:.0f}")
        for what, change in (("value", jax.jit), ("value and gradient", lambda f: jax.jit(jax.value_and_grad(f)))):
            table = measured({name: change(f) for name, f in found.items()}, x, rounds)
            for name, (middle, spread, first) in table.items():
                print(f"  {what:20} {name:14} {middle:9.1f} µs ({spread:.1f})   first call {first:.2f} s   "
                      f"{middle / table['by hand'][0]:.2f} × by hand")


if __name__ == "__main__":
    main()
