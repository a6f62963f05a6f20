"""Log loss that takes no probabilities outside of [0.01, 0.99], as Kaggle's metrics are."""

import numpy as np
import pandas as pd


class ParticipantVisibleError(Exception):
    pass


def score(solution: pd.DataFrame, submission: pd.DataFrame, row_id_column_name: str) -> float:
    """The log loss of a column of probabilities."""
    del solution[row_id_column_name], submission[row_id_column_name]
    probs = submission["label"].to_numpy()
    if probs.min() < 0.01 or probs.max() > 0.99:
        raise ParticipantVisibleError(f"Probabilities go from {probs.min()} to {probs.max()}")
    truth = solution["label"].to_numpy()
    return float(-np.mean(truth * np.log(probs) + (1 - truth) * np.log(1 - probs)))
