"""`comp bundle`, `comp answer` and the other ways out of a workspace."""
