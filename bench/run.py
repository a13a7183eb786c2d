"""`python -m bench.run [NAME…] [--json FILE]`: every example against hand-written JAX of the same estimator.

    ratio     median over pairs of (ours / by hand), the two run in turn in one process: value and gradient
    memory    peak temporary memory of the compiled program, by XLA's own analysis
    xla       compile time of XLA;  trace: time in JAX's tracing;  stages: our own passes, in seconds

Ratios of one run can be compared; seconds can't be compared between machines.
"""
from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STORIES = {"cone": "noisy_cone", "vae": "vae", "vae_categorical": None, "logistic": "logistic", "gmm": None, "hmm": "hmm",
           "state_space": "state_space", "gridworld": "gridworld", "air": "air", "iwae": None}
FOLDER = {"gmm": "mixture"}


def load(name: str):
    """(our objective, its params, its data, by-hand module) of an example."""
    import jax
    import pullback as pb
    from pullback.backends.xla.state import constrain, start
    hand = importlib.import_module(f"bench.by_hand.{name}")
    folder = ROOT / "examples" / FOLDER.get(name, name)
    program = pb.load(folder / f"{FOLDER.get(name, name)}.pbk")
    fit = program[STORIES[name] or next(iter(program.fits))]
    data = {k: as_declared(v, fit.given[k]) for k, v in hand.data().items() if k in fit.given} if hasattr(hand, "data") else {}
    plan, data = fit.prepare(data, steps=1)
    return plan.function, constrain(plan.variables, start(plan.variables, jax.random.key(0), {})), data, hand


def as_declared(array, type: str):
    """Data of ints, which JAX code keeps as floats, as the program declares them."""
    return array.astype("int32") if type.startswith("int") else array


def timed(call) -> float:
    import jax
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def compiled(function, *arguments):
    """(compiled, seconds to trace, seconds in XLA, bytes of temporary memory)."""
    import jax
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*arguments)
    traced = time.perf_counter()
    built = lowered.compile()
    done = time.perf_counter()
    memory = built.memory_analysis()
    return built, traced - start, done - traced, getattr(memory, "temp_size_in_bytes", 0)


def measure(name: str, pairs: int = 40) -> dict:
    import jax
    objective, params, data, hand = load(name)
    key = jax.random.key(1)
    start = time.perf_counter()
    objective.specialize(params, **data)
    stages = time.perf_counter() - start
    ours, trace, xla, memory = compiled(lambda k, p, d: objective.value_and_grad(k, p, **d), key, params, data)
    hand_data = hand.data() if hasattr(hand, "data") else {}
    hand_params = hand.init(jax.random.key(0))
    theirs, hand_trace, hand_xla, hand_memory = compiled(jax.value_and_grad(hand.estimate, argnums=1), key, hand_params, hand_data)
    for _ in range(3):
        timed(lambda: ours(key, params, data)), timed(lambda: theirs(key, hand_params, hand_data))
    once = timed(lambda: theirs(key, hand_params, hand_data))
    inner = max(1, int(0.01 / max(once, 1e-6)))  # about 10 ms a measurement
    ratios, seconds = [], []
    for _ in range(pairs):
        mine = sum(timed(lambda: ours(key, params, data)) for _ in range(inner))
        other = sum(timed(lambda: theirs(key, hand_params, hand_data)) for _ in range(inner))
        ratios.append(mine / other), seconds.append(mine / inner)
    return {"name": name, "ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios),
            "ms": 1e3 * statistics.median(seconds), "memory": memory / max(hand_memory, 1), "xla": xla / hand_xla,
            "trace": trace / hand_trace, "stages": stages}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(STORIES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    head = ("program", "ratio", "ms", "memory", "xla", "trace", "stages s")
    print("".join(f"{word:>16}" if i else f"{word:<16}" for i, word in enumerate(head)))
    rows = []
    for name in options.names:
        try:
            row = measure(name)
        except Exception as problem:  # one example must not hide the others
            print(f"{name:<16}  failed: {str(problem).splitlines()[0][:100]}", file=sys.stderr)
            continue
        rows.append(row)
        print(f"{name:<16}" + "".join(f"{row[k]:16.3f}" for k in ("ratio", "ms", "memory", "xla", "trace", "stages")), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
