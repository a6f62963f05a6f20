"""The submission file: in the sample's columns and order, checked before it is written."""

from comp.submission.formats import FORMATS, Answers, Competition, Format
from comp.submission.gate import check_submission, diff_submissions, open_format
from comp.submission.submission_warnings import submission_warnings
from comp.submission.write import write_submission

__all__ = [
    "FORMATS",
    "Answers",
    "Competition",
    "Format",
    "check_submission",
    "diff_submissions",
    "open_format",
    "submission_warnings",
    "write_submission",
]
