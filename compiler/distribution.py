"""What a distribution is: its parameters, its support, its density, how it is drawn and how it is differentiated.

All that the compiler knows of a distribution stands in its record; passes ask the record and keep no lists of names.
Densities and samplers are JAX functions over *leading* batch axes that broadcast: a parameter of event rank r has
shape [*batch, *event], a value [*batch, *event]; a log density has shape [*batch].

Records are found by name in the library (`pullback.stdlib.distributions`), whose name the face hands to `library`.
"""
from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any, Callable, Literal, Mapping

Smoothness = Literal["smooth", "continuous", "jump"]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of a distribution.

    `domain` is the name of the set that it lies in, as the types of the language call it (`real`, `positive`, `unit`,
    `simplex`, `cholesky`, `positive_definite`, `ordered`, `natural`, …); `rank` the number of its event dimensions.
    `kind` is "real" or "int".  `default` is what is taken where the program gives none (None: it must be given).
    """

    name: str
    domain: str = "real"
    rank: int = 0
    default: float | int | None = None
    kind: Literal["real", "int"] = "real"


@dataclass(frozen=True, slots=True)
class Support:
    """Where the values lie: `name` as the types of the language call it, `low`/`high` bounds where they are numbers.

    Names: real positive unit interval simplex cholesky corr_cholesky positive_definite ordered circular sphere
    boolean range natural (0, 1, 2, …) positive_int multinomial.  For `range`, values are the ints low ≤ x < high; a
    `high` of None means that it is known only from a parameter's value or size.
    `moves`: the parameters that the support itself depends on (`uniform` in low and high, `pareto` in scale).
    """

    name: str
    low: float | int | None = None
    high: float | int | None = None
    moves: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Law:
    """What is known of one number of noise: its mirror image, which has the same law; the value at a probability; the nodes
    and weights of its Gaussian quadrature (`nodes(n)`: [n] and [n], exact for polynomials up to degree 2n − 1)."""

    mirror: Callable[..., Any]
    quantile: Callable[..., Any]
    nodes: Callable[[int], tuple[Any, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Noise:
    """A draw split in two: noise that owes nothing to the parameters, and a map of noise and parameters to a value.

    `draw(key, shape, dtype, event)`: noise for a batch of `shape`; `event` is the event shape of the value.
    `push(noise, *parameters)`: the value, by broadcasting.  sample = push(draw).  `law`: of each number, where it is known.
    `log_density(noise, *parameters)`: log p(push(noise, *parameters)), where it is simpler than by the value.
    """

    draw: Callable[..., Any]
    push: Callable[..., Any]
    log_density: Callable[..., Any] | None = None
    law: Law | None = None


@dataclass(frozen=True, slots=True)
class Finite:
    """A finite support.  `size(shapes, values)`: the number of values, from the parameters' event shapes (a mapping
    field → tuple of sizes, possibly symbolic) and the values of those that are known before the run (field → number;
    absent if not known); None if it can't be told.  `values(size)`: the support, [size, *event].
    `probabilities(size, *parameters)`: [size, *batch], differentiable and right at 0 and 1 too (never exp(log p))."""

    size: Callable[..., Any]
    values: Callable[..., Any]
    probabilities: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Natural:
    """A density in its natural form: log p(x; θ) = x·η(θ) − A(θ) + h(x), for a value that is its own statistic.

    `parameter(*parameters)` is η, `normalizer(*parameters)` A, `base(value)` h: 0 inside the support, −∞ outside, or more.
    A sum over many elements is then a product of matrices.
    """

    parameter: Callable[..., Any]
    normalizer: Callable[..., Any]
    base: Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """One parametrization of a distribution: `bernoulli(probs)` and `bernoulli(logits)` are two records of one name."""

    name: str
    fields: tuple[Field, ...]
    support: Support
    kind: Literal["real", "int"]                    # of the values; a bernoulli's are the ints 0 and 1
    log_prob: Callable[..., Any]                    # (value, *parameters) -> [*batch]
    sample: Callable[..., Any]                      # (key, batch shape, *parameters) -> [*batch, *event]
    event: Callable[..., tuple]                     # (shapes of the parameters' events: field → tuple) -> event shape
    numpyro: Callable[..., Any]                     # (*parameters) -> a numpyro distribution
    rank: int = 0                                   # number of event dimensions of a value
    reparameterized: frozenset[str] = frozenset()   # fields through which a draw's pathwise derivative is right
    implicit: bool = False                          # the pathwise derivative is an implicit one (gamma, beta, …)
    noise: Noise | None = None
    finite: Finite | None = None
    natural: Natural | None = None                  # where the sum of x·η cancels nothing
    value_smooth: Smoothness = "smooth"             # of log p in the value, inside the support
    jumps_in: frozenset[str] = frozenset()          # fields in which log p is not continuous (uniform: low, high)
    refused: Mapping[str, str] = field(default_factory=dict)  # field → why no derivative may be asked in it
    mean: Callable[..., Any] | None = None          # (*parameters) -> the mean, where it has a closed form
    measures: Mapping[str, Callable[..., Any]] = field(default_factory=dict)  # field → its measure-valued derivative
    observed: str = ""                              # why it can only be observed, where it can't be drawn (censored values)
    periodic: bool = False                          # an angle: the pathwise derivative is right for periodic readers only
    doc: str = ""

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f.name for f in self.fields)})"


_packages: list[str] = []


def library(package: str) -> None:
    """Look for distributions in this package too: its `find(name)` gives the records of a name, its `names()` all."""
    if package not in _packages:
        _packages.append(package)


def find(name: str) -> tuple[Distribution, ...]:
    """Every parametrization of the distribution called `name`, the one of positional arguments first."""
    return tuple(record for package in _packages for record in importlib.import_module(package).find(name))


def names() -> list[str]:
    """Every distribution that can be named."""
    return sorted({name for package in _packages for name in importlib.import_module(package).names()})
