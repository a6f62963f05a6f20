"""Several tasks in one network (`task: several`).

Each task has a block of the columns that the network gives. A target is (N, C) float64 like the
answers: 0 and 1 for the class of an image, or numbers, and NaN where nobody said. So a target, a
prediction and an answer have the same columns, and everything that knows columns of numbers knows
these.
"""
