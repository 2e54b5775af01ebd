r"""A sparse regression, ways to train on it, and its theory, for figures 1a, 1b, 4 and 5 of the preprint.

The problem has d = 40 observations of n = 100 weights, standard normal data, and 5 non-zero weights x*. Training starts
at weights x_init ~ N(0, I/√n), a variance of 1/√n for each weight, with m_0² − w_0² = 1 (so a_0 = u_0v_0 = 1/2) or, for
spred, with m_0² − w_0² = 0. All times are t = step × η, the unit of flow time.

The preprint's step is 1e-4. Steps here are 8e-3 for the loss ‖Zx − y‖²/(2d), which make the same moves as 1e-4
for ‖Zx − y‖². The flow beside training has no step at all: the curves agree to O(η).
"""
