"""A program without text loads nothing of this."""
import subprocess
import sys

PROGRAM = """
import pullback as pb
f = pb.loads('''
objective g(w: real):
    x ~ normal(w, 1) by reparam
    return x^2
''')["g"].compile()
f.value_and_grad(__import__("jax").random.key(0), {"w": 1.0})
import sys
print(*[name for name in sys.modules if name.startswith(("httpx", "xllamacpp", "pullback.backends.text", "pullback.engines", "sqlite3"))])
"""


def test_a_program_without_text_loads_no_engine():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_engines_are_loaded_one_by_one():
    program = ("import pullback as pb, sys; pb.engines.scripted; "
               "print(*[name for name in ('httpx', 'xllamacpp', 'jax', 'numpy', 'sqlite3') if name in sys.modules])")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
    import pullback as pb
    assert all(getattr(pb.engines, name) for name in pb.engines.__all__) and dir(pb.engines) == pb.engines.__all__
