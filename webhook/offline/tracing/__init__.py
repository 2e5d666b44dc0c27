"""How one request is decided, step by step, for people who want to know why."""
