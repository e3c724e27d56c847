"""What `make` runs: the virtual environment, the message build, the lock. None of it is installed."""
