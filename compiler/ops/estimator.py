"""What passes make: axes, points, terms.  Programs hold none of these; backends know their meaning.

    stack_axis(x)      an axis (attribute `axis`) becomes the first dimension
    spread(x)          the first dimension becomes an axis
    guard(x, taken)    x, whose derivative passes only where a branch is taken
    iota()             an axis' own index
    rows()             the rows of a plate that `subsample` drew
    values()           the values of a finite type, along its axis
    expectation(x)     the number that an objective denotes, where it was called
    baseline(x, b)     x, a choice whose rule was given b, computed in the run
    after(b, x)        b, as something that depends on the choice x
    estimate(x)        an estimate of a log density (attributes `side`: under, over or nothing, `name`)
    forward(α, …)      one step of forward filtering: the new weights of a finite carry
    points(θ, …)       what a draw becomes: values and weights
    score(x, θ, …)     the log weights of values that a draw in a loop gave
    running(a, x)      a + the sum of x over the steps before each, and over all steps
    terms(t, …)        the last box: the objective as a sum of terms
    lands(x)           1 where x is the value of an axis, else 0 (or the logarithm)
    level(α)           α less its top over some axes, and that top
    copies(w, …)       what each element of a junction reads of the parameters; its rules join the derivatives
    mix(x, y, …)       c₁·x + c₂·y + …, elementwise
    contract(c, w, …)  Σ over axes of costs times weights
"""
from __future__ import annotations

from pullback.compiler.op import Op, define

for _name in ("stack_axis", "spread", "rows", "values", "points", "terms", "forward", "contract", "iota", "lands", "mix", "level",
              "score", "running", "copies"):
    define(Op(_name, kind="estimator"))
define(Op("expectation", kind="estimator", infer=lambda types, attributes: (types[0],), linear=("all",)))
define(Op("baseline", kind="estimator", infer=lambda types, attributes: (types[0],), linear=((0,),)))
define(Op("after", lambda attributes, b, x: b, kind="estimator", infer=lambda types, attributes: (types[0],), smooth=("smooth", "jump")))
define(Op("estimate", kind="estimator", infer=lambda types, attributes: (types[0],), linear=("all",), elementwise=True))
define(Op("guard", kind="estimator", infer=lambda types, attributes: (types[0],), smooth=("smooth", "jump")))
