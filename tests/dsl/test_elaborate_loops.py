"""Loops, branches, arrays filled by index: plates and scans, lags, what is carried, missing data."""
import re

import pytest

from elaborating import lines, load, model, objective

CHAIN = """
    model m(n: int):
        z[0] ~ categorical(probs = [0.5, 0.5])
        y[0] ~ normal(z[0], 1)
        for t in 1..n:
            z[t] ~ categorical(probs = [[0.9, 0.1], [0.2, 0.8]][z[t - 1]])
            y[t] ~ normal(z[t], 1)
"""


def heads(text):
    """The loops of a graph: `scan t: n - 1`, `plate i: n`."""
    return [f"{found[1]} {found[2]}" for line in lines(text)
            if (found := re.search(r"= (plate|scan)\[[^]]*\] (\w+: .*?) \(", line))]


def test_a_chain_is_drawn_by_a_scan_and_scored_by_a_plate():
    assert heads(model(CHAIN)) == ["scan t: 1..n - 1"]
    scored = model(CHAIN, mode="density")
    assert heads(scored) == ["plate t: 1..n - 1"]
    assert any(line.endswith("int(0..2) = z[sub]") for line in lines(scored))


def test_an_entry_of_a_trace_in_two_pieces_is_one_array():
    text = lines(model(CHAIN))
    assert "z3: int(0..2)[1] = stack(z)" in text and "z4: int(0..2)[n] = concat(z3, z1)" in text


@pytest.mark.parametrize("body, expected", [
    ("w[i] = x[i]", "plate i: n"),
    ("w[i] = x[i] + i", "plate i: n"),
    ("s = s + x[i]\n                w[i] = s", "scan i: n"),
    ("s = x[i]\n                w[i] = s", "plate i: n")])
def test_a_loop_is_a_scan_where_a_step_reads_another(body, expected):
    text = objective(f"""
        objective o(x: real[n]):
            s = 0.0
            for i in 0..n:
                {body}
            return sum(w) + s
    """)
    assert heads(text) == [expected]


def test_a_scan_carries_the_lags_that_are_read():
    text = objective("""
        objective o(n: int, a: real):
            x[0] = a
            x[1] = a
            x[2] = a
            for t in 3..n:
                x[t] = x[t - 1] - x[t - 3]
            return sum(x)
    """)
    assert any("carries = 3] t: 3..n - 3" in line for line in lines(text))


def test_a_loop_over_several_indices():
    text = objective("""
        objective o(x: real[n, m]):
            for i in 0..n, j in 0..m:
                w[i, j] = x[i, j]^2
            return sum(w)
    """)
    assert heads(text) == ["plate i: n", "plate j: m"] and any("w: real[n, m]" in line for line in lines(text))


def test_a_scan_in_a_plate_and_a_plate_in_a_scan():
    text = model("""
        model m(n: int, k: int):
            for i in 0..n:
                a[i, 0] ~ normal(0, 1)
                for t in 1..k:
                    a[i, t] ~ normal(a[i, t - 1], 1)
            for j in 0..n:
                b[0, j] ~ normal(0, 1)
            for t in 1..k:
                for j in 0..n:
                    b[t, j] ~ normal(b[t - 1, j], 1)
    """)
    assert [head.split(":")[0] for head in heads(text)] == ["plate i", "scan t", "plate j", "scan t", "plate j"]


def test_an_array_choice_is_a_plate():
    loop = model("model m(mu: real[n]):\n    for i in 0..n:\n        x ~ normal(mu[i], 1)\n")
    whole = model("model m(mu: real[n]):\n    x ~ normal(mu, 1)\n")
    assert heads(loop) == heads(whole) == ["plate i: n"]
    assert "x1: real ~ normal(mu_i, constant)  # x" in lines(loop)


def test_the_type_of_a_choice_gives_its_shape():
    text = model("model m(d: int):\n    x: real[d, 3] ~ normal(0, 1)\n")
    assert heads(text) == ["plate i: d", "plate i: 3"] and any("x: real[d, 3]" in line for line in lines(text))


def test_an_event_is_drawn_in_one_box():
    text = model("model m(a: positive[k], n: int):\n    for i in 0..n:\n        p ~ dirichlet(a)\n")
    assert heads(text) == ["plate i: n"]


def test_missing_data_are_branches():
    text = model("""
        model m(seen: bool[n]):
            for i in 0..n:
                if seen[i]:
                    y[i] ~ normal(0, 1)
    """, mode="density")
    assert heads(text) == ["plate i: n"]
    assert any(line.endswith("| constant, constant1)  # m.if.y") for line in lines(text))


def test_names_of_both_sides_stand_after_a_branch():
    text = objective("""
        objective o(x: real):
            k = 1
            if x > 0:
                y = x
                k = 2
            elif x < -1:
                y = 2.0
            else:
                y = -x
            return y * k
    """)
    assert sum("= branch[" in line for line in lines(text)) == 2
    assert any("k: int(1..3)" in line for line in lines(text))


def test_a_known_condition_takes_one_side():
    text = objective("""
        objective o(x: real, k: int):
            if len(zeros(k)) == 3:
                y = x
            else:
                y = 2 * x
            return y
    """, sizes={"k": 3})
    assert "branch" not in text


def test_choices_on_both_sides():
    text = model("""
        model m():
            b ~ bernoulli(0.5)
            if b:
                x ~ normal(0, 1)
                u ~ normal(0, 1)
            else:
                x ~ normal(5, 1)
    """)
    assert "x1: real ~ normal(constant1, constant2)  # if.x" in lines(text)
    assert any(line.endswith("# else.x") for line in lines(text))


def test_a_bounded_counter_keeps_its_range():
    text = objective("""
        objective o(n: int):
            s = 0
            for t in 0..n:
                s = min(s + 1, 40)
            u = 0
            for t in 0..n:
                u = u + 1
            return s + u
    """)
    assert any("s: int(0..41)" in line for line in lines(text)) and any("u: int =" in line for line in lines(text))


def test_an_int_becomes_real_where_the_loop_makes_it_so():
    text = objective("objective o(x: real[n]):\n    s = 0\n    for i in 0..n:\n        s = s + x[i]\n    return s\n")
    assert any(line.startswith("s: real = scan") for line in lines(text)) and "constant: real = 0.0" in lines(text)


def test_slices_and_pieces():
    text = objective("""
        objective o(a: real[3], n: int):
            y[..3] = a
            for t in 3..n:
                y[t] = y[t - 1] + y[t - 2]
            return sum(y[1..])
    """)
    assert any(line.startswith("y1: real[n] = concat(a, y)") or line.startswith("y2: real[n] = concat(a, y)") for line in lines(text))


def test_loops_over_arrays():
    text = objective("""
        objective o(x: real[n]):
            m = 0.0
            for v in x:
                m = max(m, v)
            return m + sum v in x: v^2
    """)
    assert heads(text) == ["scan v: n", "plate v: n"]


def test_a_lag_under_a_condition_may_have_no_start():
    text = model("""
        model m(n: int):
            for t in 0..n:
                if t == 0:
                    z[t] ~ normal(0, 1)
                else:
                    z[t] ~ normal(z[t - 1], 1)
    """)
    assert heads(text) == ["scan t: n"] and "constant: real = nan" in lines(text)


def test_traces_of_models_in_loops_are_stacked():
    text = model("""
        model part(a: real):
            x ~ normal(a, 1)
        model m(n: int):
            for i in 0..n:
                t ~ part(1.0)
            s = t2(n)
            y ~ normal(s, 1)
        function t2(n: int) -> real: return 1.0 * n
    """, mode="density")
    assert lines(text)[0] == "m(t.x: real[n], y: real) {"


def test_empty_loops_are_nothing():
    text = CHAIN.replace("model m(n: int):", "model chain(n: int):") + """
    model m() = marginalize chain(1) over z using enum
    """
    assert load(text)


def test_symbolic_loops_are_not_unrolled():
    assert len(lines(objective("objective o():\n    s = 0.0\n    for i in 0..10^12:\n        s = s + i\n    return s"))) < 20


def test_a_lag_may_be_a_trace():
    text = model("""
        model part(m: real):
            x ~ normal(m, 1)
            v: real[2] ~ normal(x, 1)
        model m(n: int):
            t[0] ~ part(0.0)
            for i in 1..n:
                t[i] ~ part(t[i - 1].x + t[i - 1].v[1])
            w ~ normal(sum(t.x) + t[0].x + t.v[1, 0], 1)
    """)
    assert lines(text)[-2] == "return t.x4, t.v4, w" and any("carries = 2] i: 1..n - 1 (t.x, t.v)" in line for line in lines(text))
