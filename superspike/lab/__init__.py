"""What a person does: choose options, train, evaluate, keep runs in folders, sweep over many, draw pictures.

Imports everything below. Only :mod:`superspike.lab.plotting` imports matplotlib.
"""
