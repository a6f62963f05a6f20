"""`comp watch`: follow folds in training from the files that they write."""
