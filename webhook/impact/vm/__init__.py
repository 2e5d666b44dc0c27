"""Questions about one VM: how a request is decided, whether it may migrate, with which settings."""
