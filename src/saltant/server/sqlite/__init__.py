"""Django's backend for SQLite, but for how the threads of one process wait for each other."""
