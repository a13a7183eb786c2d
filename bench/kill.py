"""Kill a run that saves checkpoints without pause, many times, and see that each time the last one loads.

    python -m bench.kill 200

The victim counts: the checkpoint of step n holds arrays that are all n.  It is killed (-9) at a random moment, the
folder is read as a resumed run would, and the next victim goes on from there.  Whatever was reported as saved before
the kill must be there, or later.
"""
from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time

import numpy as np

from pullback.backends.xla.checkpoint import Checkpoint, load, save

SIZE = 20_000


def count(folder: str, said: int) -> None:
    """Save for ever, and say into the pipe `said` what is safe."""
    last = load(folder, program="count")
    step = last.step if last else 0
    os.write(said, f"{step}\n".encode())
    while True:
        step += 1
        arrays = {"a": np.full(SIZE, step, np.float32), "b": np.full((3, 5), step, np.int32)}
        save(folder, Checkpoint(step, arrays, "count", {"seconds": float(step)}))
        os.write(said, f"{step}\n".encode())


def kill_once(folder: str, wait: float) -> tuple[int, int]:
    """Start a victim, kill it after `wait` seconds of saving; the step it had reported, and the step that loads."""
    heard, said = os.pipe()
    victim = os.fork()
    if victim == 0:
        try:
            count(folder, said)
        finally:
            os._exit(1)
    os.close(said)
    with open(heard) as pipe:
        first = pipe.readline()
        time.sleep(wait)
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        lines = (first + pipe.read()).split("\n")[:-1]
    reported, found = int(lines[-1]), load(folder, program="count")
    if found is None:
        return reported, 0
    assert all((array == found.step).all() for array in found.arrays.values()), "arrays of another step"
    assert found.notes["seconds"] == found.step
    return reported, found.step


def kill(times: int, seed: int = 0) -> int:
    """Kill `times` victims one after another in one folder; the number of steps that they saved in all."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        last = 0
        for _ in range(times):
            reported, last_now = kill_once(folder, moments.uniform(0.0, 0.05))
            assert last <= reported <= last_now <= reported + 1, (last, reported, last_now)
            last = last_now
    return last


if __name__ == "__main__":
    times, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 200, random.randrange(2**32)
    start = time.perf_counter()
    saved = kill(times, seed)
    print(f"{times} kills, {saved} checkpoints, none lost, {time.perf_counter() - start:.0f} s (seed {seed})")
