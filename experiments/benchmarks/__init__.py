"""Time and memory of the library beside other solvers, measured in turn on one machine.

``python -m experiments.benchmarks`` measures, saves and draws; timings differ from machine to machine, so none of this
is part of the figures.
"""
