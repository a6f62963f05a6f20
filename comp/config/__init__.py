"""One frozen object for the whole experiment: schema, loading, messages, folders."""
