"""The kinds of task, their metrics and their losses."""
