"""How fast the compiled programs are, against the best JAX that we can write by hand."""
