"""The examples' estimators in plain JAX, as well as we can write them: oracles for tests, opponents in benchmarks.

Each module has the same face:

    data(...)                    the real data, as a dict by the names in the program's `given`
    init(key)                    a start, as a dict by the names in the program's `over`, constrained values
    noise(key, data)             every random number of one estimate
    value(params, noise, data)   the estimate on that noise; differentiate this
    estimate(key, params, data)  value(params, noise(key, data), data)

and, where it means something, `train(key, ...)` and `exact(...)`, the number in float64 by other means.
"""
