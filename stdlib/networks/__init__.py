"""The layers of networks, by name: a module lists its own in `LAYERS`; there is no other register.

A layer is made by a function of the shape that goes in and of its own arguments.  It raises `TypeError` with a sentence
for the user where the two don't fit.
"""
