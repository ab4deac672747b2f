"""Learning-curve and scaling laws, and their ensemble for any curve or surface of errors.

They serve `fit_curve` and `fit_surface` alone, and the command `budgetsim curve`: one learner's errors at some sizes,
whatever it is. Answers about a budget do not use them: `fitting` has forms of its own, with a known floor, an onset and
what labels of LLMs, teachers and other tasks bring. docs/method/fitting.md compares the two on the same cells.
"""
