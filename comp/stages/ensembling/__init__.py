"""What `comp ensemble` is made of: its members, what differs between tables and masks, its result."""
