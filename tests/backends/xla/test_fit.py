"""Runs: to the right place, bit for bit the same however they are cut up, and stopped where they must be."""
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback.backends.xla import fit as module
from pullback.backends.xla.fit import Plan, run
from pullback.backends.xla.interrupt import Interrupted
from pullback.backends.xla.state import Variable
from pullback.compiler import optimizer, schedule
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, FitError
from pullback.compiler.source import Source, Span
from pullback.compiler.type import Array, Constraint, Params

optimizer.library("pullback.stdlib.optimizers")
ROOT = Path(__file__).parents[3]
DATA = {"y": np.array([1.0, 2.0], np.float32)}
VARIABLES = (Variable("m", Array("real", (2,)), lambda key: jax.random.normal(key, (2,))),
             Variable("s", Array("real", (2,), Constraint("positive"))))


def value(key, params, data):
    """E log-ish: maximal at m = y, s = 1/√2."""
    x = params["m"] + params["s"] * jax.random.normal(key, (64, 2))
    return -jnp.mean(jnp.sum((x - data["y"]) ** 2, -1)) + jnp.sum(jnp.log(params["s"]))


def with_gradient(value):
    return lambda key, params, data: jax.value_and_grad(lambda params: value(key, params, data))(params)


def plan(steps=600, value=value, variables=VARIABLES, digest="cone", **more):
    adam, sgd = optimizer.find("adam")(schedule.Cosine(0.05)), optimizer.find("sgd")(0.01)
    options = {"optimizers": ((adam, ("m",)), (sgd, ("s",)))} | more
    return Plan("cone", with_gradient(value), value, True, variables, steps=steps, digest=digest, **options)


WHOLE = plan()


def bits(fit):
    return {name: array.tobytes() for name, array in fit.state.arrays().items()}


@pytest.fixture(scope="module")
def whole():
    return run(WHOLE, 0, DATA, progress=False)


def code(error):
    return {diagnostic.code for diagnostic in error.value.diagnostics}


def test_a_fit_arrives(whole):
    assert np.allclose(whole.params["m"], [1, 2], atol=0.05)
    assert np.allclose(whole.params["s"], 0.5 ** 0.5, atol=0.05)
    assert repr(whole).startswith("<cone: 600 of 600 steps")


def test_history_has_every_step(whole):
    history = whole.history
    assert list(history["step"]) == list(range(600))
    assert all(len(array) == 600 and np.isfinite(array).all() for array in history.values())
    assert (np.diff(history["seconds"]) > 0).all()
    assert list(run(WHOLE, 0, DATA, progress=False, every=100).history["step"]) == [0, 100, 200, 300, 400, 500]


def test_two_runs_of_one_key_are_equal(whole):
    assert bits(run(WHOLE, jax.random.key(0), DATA, progress=False)) == bits(whole)
    assert bits(run(WHOLE, 1, DATA, progress=False)) != bits(whole)


def test_one_compilation_serves_all_stretches(whole):
    assert module.stretch(WHOLE)._cache_size() == 1


def test_resumed_is_uninterrupted(whole, tmp_path):
    class Stop(Exception):
        pass

    def stop_at(number):
        saved = module.checkpoints.save

        def save(folder, checkpoint):
            saved(folder, checkpoint)
            if checkpoint.step >= number:
                raise Stop
        return save
    for number in (7, 200, 413):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module.checkpoints, "save", stop_at(number))
            with pytest.raises(Stop):
                run(WHOLE, 0, DATA, progress=False, checkpoint=tmp_path, resume=True, save_every=7)
    resumed = run(WHOLE, 0, DATA, progress=False, checkpoint=tmp_path, resume=True)
    assert bits(resumed) == bits(whole)
    for name in ("step", "objective", "gradient_norm"):
        assert (resumed.history[name] == whole.history[name]).all()
    assert (np.diff(resumed.history["seconds"]) >= 0).all()


def test_a_state_goes_on(whole):
    first = run(plan(steps=600, optimizers=WHOLE.optimizers), 0, DATA, progress=False)
    again = run(WHOLE, 0, DATA, init=first.state, progress=False)  # at its end: nothing left to do
    assert bits(again) == bits(whole) and len(again.history["step"]) == 0


@pytest.mark.parametrize("change, says", [
    ({"plan": plan(digest="another")}, "another program"),
    ({"key": 1}, "another key"),
    ({"data": {"y": np.zeros((3, 2), np.float32)}}, "other data"),
    ({"plan": plan(optimizers=((optimizer.find("sgd")(0.1), ("m", "s")),))}, "left over"),
    ({"plan": plan(variables=(VARIABLES[0], Variable("s", Array("real", (), Constraint("positive")))))}, r"params/s")])
def test_a_checkpoint_of_something_else(tmp_path, change, says):
    run(plan(steps=3), 0, DATA, progress=False, checkpoint=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    given = {"plan": WHOLE, "key": 0, "data": DATA} | change
    with pytest.raises(FitError, match=says) as error:
        run(**given, progress=False, checkpoint=tmp_path, resume=True)
    assert code(error) == {"checkpoint"}
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_starting_anew_in_a_used_folder_is_said(tmp_path):
    heard = []
    run(plan(steps=3), 0, DATA, progress=False, checkpoint=tmp_path)
    short = plan(steps=2)
    fit = run(short, 0, DATA, progress=False, checkpoint=tmp_path, notify=heard.append)
    assert [diagnostic.severity for diagnostic in heard] == ["warning"]
    assert bits(run(short, 0, DATA, progress=False, checkpoint=tmp_path, resume=True)) == bits(fit)


@pytest.mark.parametrize("part", ["value", "gradient"])
def test_a_step_that_is_not_finite(part, tmp_path):
    bad = Source("cone.pbk", "line one\nz = log(x)\n")

    def late(key, params, data):
        near = jnp.abs(jax.lax.stop_gradient(params["m"][0]) - 1) < 0.5
        fuse = jnp.where(near, 0.0, 1.0) * jnp.sum(params["m"] ** 2)
        return value(key, params, data) + (jnp.log(fuse) if part == "value" else jnp.sqrt(fuse))

    broken = plan(value=late, locate=lambda key, params, data: ("z", Span(bad, 9, 19)))
    with pytest.raises(FitError) as error:
        run(broken, 0, DATA, init={"m": np.array([3.0, 3.0])}, progress=False, checkpoint=tmp_path)
    report, fit = error.value, error.value.fit
    assert code(error) == {"step"} and report.step == int(fit.state.step) > 3
    said = "`z` is the first value" if part == "value" else "the derivative of `z`"
    assert "cone.pbk:2:1" in str(report) and said in str(report)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(fit.params))
    assert len(fit.history["step"]) == report.step and np.isfinite(fit.history["objective"]).all()
    kept = module.checkpoints.load(tmp_path)
    assert kept.step == report.step and (kept.arrays["params/m"] == fit.params["m"]).all()


@pytest.mark.parametrize("data, says", [({"y": np.array([np.nan, 2.0])}, "`y` has NaN in 1 of its 2 places")])
def test_data_with_nan(data, says):
    with pytest.raises(ArgumentError, match=says) as error:
        run(WHOLE, 0, data, progress=False)
    assert code(error) == {"data"}


@pytest.mark.parametrize("init, says", [
    ({"n": 0.0}, "which the fit is not over"), ({"m": np.zeros(3)}, r"shape \[3\]"), ({"s": -np.ones(2)}, "not inside")])
def test_starts_that_do_not_fit(init, says):
    with pytest.raises(ArgumentError, match=says) as error:
        run(WHOLE, 0, DATA, init=init, progress=False)
    assert code(error) == {"argument"}


def test_params_need_a_start():
    with pytest.raises(ArgumentError, match="has no start"):
        run(plan(variables=(*VARIABLES, Variable("w", Params()))), 0, DATA, progress=False)


def test_a_full_disk_stops_the_run_with_its_state(tmp_path, monkeypatch):
    saved = module.checkpoints.write

    def full(path, data):
        if path.name > "00003":
            raise OSError(28, "No space left on device")
        saved(path, data)
    monkeypatch.setattr(module.checkpoints, "write", full)
    with pytest.raises(FitError, match="the disk is full") as error:
        run(WHOLE, 0, DATA, progress=False, checkpoint=tmp_path, save_every=50)
    assert code(error) == {"file"} and error.value.step == 150 == int(error.value.fit.state.step)
    monkeypatch.undo()
    assert bits(run(WHOLE, 0, DATA, progress=False, checkpoint=tmp_path, resume=True)) == bits(
        run(WHOLE, 0, DATA, progress=False))


@pytest.mark.skipif(os.name == "nt", reason="signals are the system's")
def test_ctrl_c_saves_and_says_so(tmp_path):
    long = plan(steps=50_000_000, digest="cone")
    timer = threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)  # whoever runs the tests may have set it
    timer.start()
    with pytest.raises(Interrupted, match="resume") as stopped:
        run(long, 0, DATA, progress=False, checkpoint=tmp_path, every=100_000)
    assert 0 < stopped.value.step == module.checkpoints.load(tmp_path).step
    assert signal.getsignal(signal.SIGINT) is before


def test_the_loop_reads_the_device_at_looks_only():
    """Not once a step: as many copies to the host for 4,000 steps as for 2,000, up to the few looks between."""
    looks = []

    class Counted(module.Line):
        def show(self, *figures):
            looks.append(figures[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Line", Counted)
        run(plan(steps=4000), 0, DATA, progress=False)
    assert len(looks) < 40


def test_lbfgs_looks_around():
    def bowl(key, params, data):
        return -jnp.sum((params["m"] - data["y"]) ** 4) - params["s"].sum() - (1 / params["s"]).sum()
    fit = run(plan(60, bowl, optimizers=((optimizer.find("lbfgs")(), ("m", "s")),)), 0, DATA, progress=False)
    assert np.allclose(fit.params["m"], [1, 2], atol=0.02) and np.allclose(fit.params["s"], 1, atol=1e-3)


def test_plot_and_arviz(whole, tmp_path):
    whole.plot().savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
    with pytest.raises(ArgumentError):
        whole.posterior(0)
    drawn = plan(steps=2, posterior=lambda key, params, data, draws, of: {
        "x": params["m"] + params["s"] * jax.random.normal(key, (draws, 2))})
    posterior = run(drawn, 0, DATA, progress=False).posterior(jax.random.key(1), draws=50)
    assert posterior["posterior"]["x"].shape == (1, 50, 2)


@pytest.mark.parametrize("version, grouped", [("0.23.4", False), ("1.3.0", True)])
def test_both_interfaces_of_arviz_are_spoken(monkeypatch, version, grouped):
    from types import SimpleNamespace

    from pullback.backends.xla.fitted import to_arviz
    said = []
    monkeypatch.setitem(sys.modules, "arviz", SimpleNamespace(
        __version__=version, from_dict=lambda *groups, **named: said.append((groups, named))))
    to_arviz({"x": np.zeros((1, 3))}, {"y": np.zeros(2)})
    (groups, named), = said
    assert set(groups[0] if grouped else named) == {"posterior", "constant_data"}


def test_notices_are_diagnostics():
    assert isinstance(module.unsound(plan(), run(plan(2), 0, DATA, progress=False).state, DATA, 2, np.nan, 1.0), Diagnostic)


def test_killed_and_resumed_through_a_process(tmp_path):
    """A real run, killed (-9) after its first checkpoint and gone on with: the bits of an uninterrupted one."""
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_fit as t
t.run(t.plan(steps=40_000), 0, t.DATA, progress=False, checkpoint=sys.argv[1], resume=True, save_every=500, every=100)
"""
    victim = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
    while not list(tmp_path.glob("0000[3-9].json")):
        assert victim.poll() is None
    victim.kill()
    victim.wait()
    long = plan(steps=40_000)
    assert 0 < module.checkpoints.load(tmp_path).step < 40_000
    resumed = run(long, 0, DATA, progress=False, checkpoint=tmp_path, resume=True, every=100)
    assert bits(resumed) == bits(run(long, 0, DATA, progress=False))
