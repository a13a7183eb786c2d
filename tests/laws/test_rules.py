"""Every rule alone, every pair of rules over two dependent sites in every place, and a user's own rule of ten lines.

The exact values are those of `tests.laws.exact` (enumeration and quadrature) and of `pullback.testing`.  The false-alarm
rate of all z-tests of this file together is below 1e-3: 3e-4 for the pairs, `ALARM` for each of the eight calls of
`check_rule`, 1e-4 for what is left.
"""
import itertools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax import stop_gradient

import pullback as pb
from pullback.testing import check_rule, estimate, threshold
from tests.laws.exact import exact

MOST = 5_000
ALARM = 5e-5
ALONE = [("reinforce(k = 3, baseline = loo)", "normal"), ("reinforce", "bernoulli"), ("reinforce(baseline = loo)", "poisson"),
         ("reparam", "normal"), ("reparam", "gamma"), ("enum", "bernoulli")]


@pb.rule("twins")
@dataclass(frozen=True)
class Twins:
    """A coin and its opposite: the score of a coin, with two points whose noise is mirrored."""

    bias = pb.Bias.none

    def admits(self, box, facts):
        return None if box["distribution"].name == "bernoulli" else facts.refuse(box, "rule", "`twins` is for coins")

    def points(self, key, choice, state):
        drawn = stop_gradient(choice.sample(key, (1,)))
        values = jnp.concatenate([drawn, 1 - drawn])
        weights = jnp.exp(choice.log_prob(values))
        return pb.Points(values, weights=weights)


@pb.rule("scored")
@dataclass(frozen=True)
class Scored:
    """A score of two independent draws."""

    bias = pb.Bias.none

    def points(self, key, choice, state):
        values = stop_gradient(choice.sample(key, (2,)))
        score = choice.log_prob(values)
        return pb.Points(values, log_weights=score - stop_gradient(score) - jnp.log(2))


PAIR = """objective inner(p: real, q: real):
{two}
    return (a + 1.5 * b)^2 * q

objective f(p: real, q: real):
{body}
"""
FIRST, SECOND = "a ~ bernoulli(sigmoid(p)) by {one}", "b ~ normal(q * a, 0.8) by {other}"
COINS = "b ~ bernoulli(sigmoid(q + a)) by {other}"
BODIES = {
    "plate": "    for i in 0..2:\n        {first}\n        {second}\n        v[i] = (a + 1.5 * b)^2 * (i + q)\n    return sum(v)",
    "scan": "    s = 0.0\n    r = 0.0\n    for t in 0..2:\n        {first}\n        {second}\n        r = r + (a + 1.5 * b)^2 * (s + 1.0)\n"
            "        s = 0.5 * s + t * q\n    return r + s",
    "branch": "    {first}\n    if a == 1:\n        {second}\n        v = b^2 * q\n    else:\n        v = p * q\n    return v + a",
    "call": "    return 2 * inner(p, q) - p"}
LOO = "reinforce(k = 2, baseline = loo)"
KINDS = [(one, other, SECOND) for one in ("enum", "reinforce", LOO) for other in ("reparam", LOO)]
KINDS += [(one, other, COINS) for one, other in itertools.product(("enum", "reinforce", LOO), repeat=2)]
PAIRS = [(place, *kind) for place in BODIES for kind in KINDS]


def pair(place, one, other, second):
    """A program of two dependent sites in a place."""
    first, second = FIRST.format(one=one), second.format(other=other)
    return PAIR.format(two=f"    {first}\n    {second}", body=BODIES[place].format(first=first, second=second))


@pytest.mark.parametrize("rule,name", ALONE, ids=lambda x: x)
def test_alone(rule, name, unoptimized):
    """A rule in every place: alone, plate, mixed plate, scan, branch, call."""
    places = [place for place in pb.testing.PLACES if not (rule == "enum" and place == "scan")]
    check_rule(rule, on=[name], places=places, particles=(3,) if "baseline" in rule else (1,), most=MOST, alarm=ALARM)


@pytest.mark.parametrize("place,one,other,second", PAIRS,
                         ids=[f"{p}-{a}-{b}-{'normal' if s is SECOND else 'coin'}" for p, a, b, s in PAIRS])
def test_pair(place, one, other, second, unoptimized):
    """Two dependent sites under every pair of rules."""
    text, params = pair(place, one, other, second), {"p": 0.3, "q": 0.7}
    seen = estimate(pb.loads(text)["f"].compile(), params, most=MOST, batch=MOST)
    z = seen.z(*exact(text, params))
    assert np.abs(z).max() < threshold(3 * len(PAIRS), 3e-4), (z, seen)


def test_own_rule(unoptimized):
    """Rules of ten lines, defined here, where the built-in ones are tried; one with a weight that is no score not in all."""
    check_rule(Scored(), on=["bernoulli"], particles=(3,), most=MOST, alarm=ALARM)
    check_rule(Twins(), on=["bernoulli"], places=["alone", "plate", "branch", "call"], particles=(3,), most=MOST, alarm=ALARM)


@pytest.mark.parametrize("place", ["mixed plate", "scan"])
def test_points_that_go_together_are_refused_where_they_would_multiply(place):
    with pytest.raises(pb.ProgramError) as error:
        check_rule(Twins(), on=["bernoulli"], places=[place], most=MOST, alarm=ALARM)
    assert error.value.diagnostics[0].code == "support"


def test_own_rule_by_name_and_in_rules(unoptimized):
    """In a program's text, beside another rule, in a plate and a scan; and in `rules=`."""
    for place, rules in (("plate", {}), ("scan", {}), ("scan", {"a": Scored(), "b": Twins()})):
        text, params = pair(place, "twins", "scored", COINS), {"p": 0.3, "q": 0.7}
        seen = estimate(pb.loads(text)["f"].compile(rules=rules), params, most=MOST, batch=MOST)
        assert np.abs(seen.z(*exact(text, params))).max() < threshold(9, 1e-4)


def test_own_rule_in_the_ledger_and_in_a_drawing():
    f = pb.loads(pair("plate", "twins", "scored", COINS))["f"].compile()
    f.specialize({"p": 0.3, "q": 0.7})
    assert "twins" in str(f.ledger) and "scored" in str(f.ledger)
    assert "twins" in f.graph("checked").svg()


def test_own_rule_is_refused_where_it_says_so():
    with pytest.raises(pb.ProgramError, match="for coins"):
        pb.loads(pair("plate", "enum", "twins", SECOND))["f"].compile().specialize({"p": 0.3, "q": 0.7})
