"""The submission file: in the sample's columns, order and form, checked before it is written."""

from comp.submission.form import Form, make_form
from comp.submission.gate import check_submission
from comp.submission.sample import Sample, make_sample, read_sample
from comp.submission.write import render, write_submission

__all__ = [
    "Form",
    "Sample",
    "check_submission",
    "make_form",
    "make_sample",
    "read_sample",
    "render",
    "write_submission",
]
