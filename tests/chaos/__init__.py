"""Chaos: instances are submitted while what serves and runs them is killed and cut off. See `run.py`."""
