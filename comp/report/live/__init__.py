"""Pictures of folds in training: a page, a terminal, a notebook."""
