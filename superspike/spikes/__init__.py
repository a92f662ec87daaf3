"""Spike trains: the container, its files, and how one train is compared with another.

Imports the parameters of ``model`` and nothing else of the package.
"""
