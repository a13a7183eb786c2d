"""Checkpoints: killed, truncated, flipped, on a full disk, in a closed folder, of another program."""
import errno
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pullback.backends.xla import checkpoint as module
from pullback.backends.xla.checkpoint import Checkpoint, load, read, save
from pullback.compiler.diagnostic import Reported

ROOT = Path(__file__).parents[3]


def state(step, size=500):
    return Checkpoint(step, {"params/w": np.full((size, 3), step, np.float32), "step": np.array(step, np.int32)},
                      "a program", {"fit": "vae"})


def same(a, b):
    return a.step == b.step and all((a.arrays[name] == b.arrays[name]).all() for name in b.arrays)


def code(error):
    return {diagnostic.code for diagnostic in error.value.diagnostics}


@pytest.fixture
def two(tmp_path):
    """A folder with the checkpoints of steps 1 and 2."""
    save(tmp_path, state(1))
    save(tmp_path, state(2))
    return tmp_path


def test_what_is_saved_is_loaded(two):
    found = load(two, "a program", state(2).arrays)
    assert same(found, state(2)) and found.notes == {"fit": "vae"}
    assert found.arrays["step"].shape == ()


def test_only_the_last_two_are_kept(two):
    (two / ".00009.json.tmp").write_text("left by a killed run")
    (two / "mine.json").write_text("{}")
    for step in range(3, 8):
        save(two, state(step))
    assert sorted(path.name for path in two.iterdir()) == [
        "00006.json", "00006.safetensors", "00007.json", "00007.safetensors", "mine.json"]


def test_an_empty_folder_holds_none(tmp_path):
    assert load(tmp_path) is None and load(tmp_path / "missing") is None


def test_fifty_kills_at_random_moments_lose_nothing():
    ran = subprocess.run([sys.executable, "-m", "bench.kill", "50"], cwd=ROOT, capture_output=True, text=True)
    assert "none lost" in ran.stdout, ran.stderr


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_truncated_at_every_kilobyte(two, suffix):
    file = two / f"00002{suffix}"
    whole, heard = file.read_bytes(), []
    for length in range(0, len(whole), 1000 if suffix == ".safetensors" else 100):
        file.write_bytes(whole[:length])
        with pytest.raises(Reported) as error:
            read(two / "00002.json")
        assert code(error) == {"checkpoint"}
        assert same(load(two, notify=heard.append), state(1))
    assert heard and all("damaged" in diagnostic.message for diagnostic in heard)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_one_flipped_bit(two, suffix):
    file = two / f"00002{suffix}"
    whole = file.read_bytes()
    for at in np.random.default_rng(0).integers(0, 8 * len(whole), 60):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        file.write_bytes(flipped)
        with pytest.raises(Reported) as error:
            read(two / "00002.json")
        assert code(error) == {"checkpoint"}
        assert same(load(two), state(1))


def test_all_damaged_is_an_error(two):
    for path in two.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(Reported) as error:
        load(two)
    assert code(error) == {"checkpoint"} and len(error.value.diagnostics) == 2


def test_another_program(two):
    with pytest.raises(Reported, match="another program") as error:
        load(two, "another")
    assert code(error) == {"checkpoint"}


@pytest.mark.parametrize("like, says", [
    ({"params/w": np.zeros((500, 4), np.float32), "step": np.array(0, np.int32)}, "500, 4"),
    ({"params/w": np.zeros((500, 3), np.float64), "step": np.array(0, np.int32)}, "float64"),
    ({"params/w": np.zeros((500, 3), np.float32)}, "left over"),
    ({**state(0).arrays, "more": np.zeros(1)}, "`more` is missing")])
def test_other_arrays(two, like, says):
    with pytest.raises(Reported, match=says) as error:
        load(two, "a program", like)
    assert code(error) == {"checkpoint"}


def test_another_layout(two):
    path = two / "00002.json"
    path.write_text(json.dumps(module.sealed({**json.loads(path.read_text()), "schema": 99})))
    with pytest.raises(Reported, match="layout 99"):
        read(path)


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trapped",))


def test_nothing_in_a_checkpoint_is_run(two, monkeypatch):
    monkeypatch.chdir(two)
    path = two / "00002.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    described = json.loads((two / "00002.json").read_text())
    described |= {"bytes": path.stat().st_size, "sha256": module.hashlib.sha256(path.read_bytes()).hexdigest()}
    (two / "00002.json").write_text(json.dumps(module.sealed(described)))
    with pytest.raises(Reported):
        read(two / "00002.json")
    assert not (two / "trapped").exists()


def test_a_full_disk_leaves_the_old_ones(two, monkeypatch):
    write = os.fsync

    def full(handle):
        if os.fstat(handle).st_size > 1000:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(handle)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Reported, match="the disk is full") as error:
        save(two, state(3))
    assert code(error) == {"file"}
    assert sorted(path.name for path in two.iterdir()) == [
        "00001.json", "00001.safetensors", "00002.json", "00002.safetensors"]
    assert same(load(two), state(2))


@pytest.mark.skipif(os.name == "nt", reason="limits are the system's")
def test_a_file_that_the_system_refuses(two):
    """The same by a real limit of the system on the size of files."""
    program = f"""
import resource, signal, numpy as np
from pullback.backends.xla.checkpoint import Checkpoint, save
from pullback.compiler.diagnostic import Reported
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    save({str(two)!r}, Checkpoint(3, {{"a": np.zeros(5000)}}, "a program"))
except Reported as report:
    print(report.diagnostics[0].code)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.strip() == "file", ran.stderr
    assert same(load(two), state(2)) and not list(two.glob("*.tmp"))


def test_a_folder_that_can_not_be_written(two, monkeypatch):
    def closed(path, mode="r", *rest):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
    monkeypatch.setattr("builtins.open", closed)  # root may write anywhere, so that a mode would not do
    with pytest.raises(Reported, match="no permission") as error:
        save(two, state(3))
    monkeypatch.undo()
    assert code(error) == {"file"} and same(load(two), state(2))


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(Reported) as error:
        save(tmp_path / "taken", state(1))
    assert code(error) == {"file"}
    with pytest.raises(Reported) as error:
        load(tmp_path / "taken")
    assert code(error) == {"file"}
