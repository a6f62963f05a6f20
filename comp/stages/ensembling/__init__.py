"""The parts of `comp ensemble`: members, what differs between tables and masks, the result."""
