"""Data from files: what is read, and what is said of what can't be."""
import pickle

import numpy as np
import pytest

from pullback.compiler.diagnostic import ArgumentError
from pullback.data import collect, read


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("all.npz", x=np.arange(3), y=np.ones((2, 2)))
    np.savez("one.npz", z=np.arange(3.0))
    np.save("x.npy", np.arange(4))
    (tmp_path / "t.csv").write_text("price,rooms,city,on\n1.5,2,Ulm,true\n,3,Köln,false\n")
    (tmp_path / "bare.csv").write_text("1,2\n3,4\n")
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    (tmp_path / "q.jsonl").write_text('{"q": "why?", "n": 1}\n{"q": "how?", "n": 2}\n')
    return tmp_path


@pytest.mark.parametrize("name, place, value", [
    ("x", "all.npz", [0, 1, 2]), ("a", "all.npz:y", [[1.0, 1.0], [1.0, 1.0]]), ("a", "one.npz", [0.0, 1.0, 2.0]),
    ("a", "x.npy", [0, 1, 2, 3]), ("rooms", "t.csv", [2, 3]), ("a", "t.csv:rooms", [2, 3]),
    ("a", "t.csv:price", [1.5, np.nan]), ("a", "t.csv:on", [True, False]),
    ("a", "t.csv:rooms,price", [[2, 1.5], [3, np.nan]]), ("a", "bare.csv", [[1, 2], [3, 4]]), ("a", "q.jsonl:n", [1, 2])])
def test_arrays(folder, name, place, value):
    found = read(name, place)
    np.testing.assert_array_equal(found, value)
    assert found.dtype.kind == np.asarray(value).dtype.kind


@pytest.mark.parametrize("place, value", [
    ("t.csv:city", ["Ulm", "Köln"]), ("words.txt", ["one", "two"]), ("q.jsonl:q", ["why?", "how?"])])
def test_texts(folder, place, value):
    assert read("a", place) == value


@pytest.mark.parametrize("place, code, says", [
    ("al.npz", "file", "there is no file"), ("al.npz", "file", "did you mean `all.npz`"), ("x.pkl", "file", "must be one of"),
    ("all.npz:z", "data", "has no array `z`"), ("all.npz", "data", "it has `x`, `y`"),
    ("t.csv:rome", "data", "did you mean `rooms`"), ("t.csv", "data", "holds texts"),
    ("q.jsonl:k", "data", "has no field `k`"), (".", "file", "must be one of")])
def test_what_is_said(folder, place, code, says):
    with pytest.raises(ArgumentError, match=says) as error:
        read("a", place)
    assert [diagnostic.code for diagnostic in error.value.diagnostics] == [code]


@pytest.mark.parametrize("name, content", [
    ("bad.npz", b"no zip"), ("bad.npy", b"\x93NUMPYxx"), ("bad.csv", b"a,b\n1\n"), ("empty.csv", b""), ("bad.csv", b"\xff\xfe\x00"),
    ("bad.jsonl", b"{"), ("bad.parquet", b"PAR1"), ("bad.jsonl", b'{"a": 1}\n{"b": 1}\n'), ("bad.txt", b"\xff\xfe")])
def test_broken_files(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ArgumentError) as error:
        read("a", name)
    assert {diagnostic.code for diagnostic in error.value.diagnostics} <= {"file", "data"}


class Trap:
    def __reduce__(self):
        return (print, ("trapped",))


@pytest.mark.parametrize("name", ["trap.npy", "trap.npz"])
def test_pickles_are_refused(folder, name, capsys):
    trap = np.array([Trap()], dtype=object)
    (np.save if name.endswith("npy") else np.savez)(name, trap, allow_pickle=True)
    with pytest.raises(ArgumentError):
        read("arr_0", name)
    (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ArgumentError):
        read("a", name)
    assert "trapped" not in capsys.readouterr().out


def test_a_folder_in_the_place_of_a_file(folder):
    (folder / "d.npy").mkdir()
    with pytest.raises(ArgumentError, match="is a folder"):
        read("a", "d.npy")


def test_all_that_is_wrong_is_said_at_once(folder):
    with pytest.raises(ArgumentError) as error:
        collect(["xs=all.npz:x", "what", "y=gone.npy"], {"x": "int[n]", "y": "real[n, 2]", "k": "int"})
    said = str(error.value)
    assert "no `xs`" in said and "did you mean `x`" in said and "NAME=PATH" in said and "gone.npy" in said
    assert "data missing: `x: int[n]`, `k: int`" in said


def test_collect(folder):
    found = collect(["x=all.npz", "y=bare.csv"], {"x": "int[n]", "y": "real[n, 2]"})
    assert list(found) == ["x", "y"]
