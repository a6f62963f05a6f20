"""The mean over patients of the share of their images that is right, as Kaggle's metrics are."""

import pandas as pd
import pandas.api.types


class ParticipantVisibleError(Exception):
    pass


def score(
    solution: pd.DataFrame, submission: pd.DataFrame, row_id_column_name: str, weight: float = 1.0
) -> float:
    """The mean over patients."""
    if not pandas.api.types.is_numeric_dtype(submission["label"]):
        raise ParticipantVisibleError("Submission column label must be numeric")
    merged = solution.merge(submission, on=row_id_column_name, suffixes=("", "_pred"))
    if len(merged) != len(solution):
        raise ParticipantVisibleError("Submission ids are not those of the solution")
    merged["hit"] = merged["label"] == merged["label_pred"]
    return float(weight * merged.groupby("patient")["hit"].mean().mean())
