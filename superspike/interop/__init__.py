"""The rule in other people's loops, and networks to and from NIR.

Brian2's face, ``superspike.brian2``, stands on this room. Imports ``engine`` and ``model``.
"""
