"""The second level: models over the out-of-fold answers of runs, and over further columns."""
