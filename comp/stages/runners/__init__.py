"""Where folds are trained: here, on the devices of this machine, or on others."""
