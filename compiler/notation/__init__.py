"""Graphs as text, and back: `show(read(text)) == text`.

    elbo(mean: real[2], w: params) {
      a: real = mean[0]                                an element; a constant is its number: `k: int(2..3) = 2`
      b: real = where(c, a, h)                         an op by its name, then its inputs
      s: real[2] = sum[axis = 0](x)                    attributes in brackets
      q.x: real ~ normal(a, h) by reparam  # q.x       a choice, its rule, its address
      l: real = logp normal(q.x | a, h)  # p.x         a log density
      z: real[3] = plate i: 3 (w, a) {                 a region: what it captures, then its body
        v: real {k: 4} = mul(w, a)                     axes stand after the type
        return v
      }
      return l
    }

What a region binds itself stands between bars behind its brace: a scan's index and carries (a plate's index is told by
its head).  A name that is no word stands in backquotes, a size among attributes in quotes (`'n + 1'`).  `$f` is an
object that only `externs` can give back.
"""
from pullback.compiler.notation.read import read
from pullback.compiler.notation.write import show

__all__ = ["read", "show"]
