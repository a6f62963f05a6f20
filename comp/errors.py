"""Every error that `comp` raises on purpose; all of them are CompError.

Their tree, and the exit code that each ends the command line with, is in `comp.core.errors`.
"""

from comp.core.errors import (
    CheckError,
    CompError,
    ConfigError,
    DamagedError,
    DataError,
    Interrupted,
    MetricError,
    ModelError,
    OutOfTime,
    PackError,
    PlanError,
    PredictionsError,
    RunError,
    SubmissionError,
    TrainError,
    TuneError,
    UsageError,
    WorkerError,
)
from comp.core.locks import HeldError

__all__ = [
    "CheckError",
    "CompError",
    "ConfigError",
    "DamagedError",
    "DataError",
    "HeldError",
    "Interrupted",
    "MetricError",
    "ModelError",
    "OutOfTime",
    "PackError",
    "PlanError",
    "PredictionsError",
    "RunError",
    "SubmissionError",
    "TrainError",
    "TuneError",
    "UsageError",
    "WorkerError",
]
