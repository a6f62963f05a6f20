"""The page of a run and the page of several runs: numbers, charts, words."""
