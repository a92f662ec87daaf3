"""How it is simulated: state in flat arrays, the clock-driven and the event-driven engine, and what drives them.

The only room that configures Numba (:mod:`superspike.engine.jit`). Imports ``model`` and ``tasks``. The clock engine is the
reference; whatever it learns, the event engine must learn, to 1e-9. What the rule leaves out of a gradient is in plain NumPy
(:mod:`superspike.engine.gradient`).
"""
