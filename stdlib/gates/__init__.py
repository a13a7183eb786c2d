"""The gates of `pullback.gates`.  Angles are full turns: `Ry(0.5)` is a rotation by π."""
from pullback.stdlib.gates.basic import BASIC
from pullback.stdlib.gates.channels import CHANNELS
from pullback.stdlib.gates.rotations import ROTATIONS
from pullback.stdlib.gates.spiders import SPIDERS

GATES = {maker.name: maker for maker in (*BASIC, *ROTATIONS, *SPIDERS, *CHANNELS)}
