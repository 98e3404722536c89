"""The models of what a saltant server holds, and their managers."""
