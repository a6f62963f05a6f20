"""The machines of judges: what each takes, and the contract under which it runs it."""
