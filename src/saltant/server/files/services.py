"""What workers do with files, however they reach the server: endpoints and the worker of `saltant up` call these."""

from saltant.server.files.logs import append_logs
from saltant.server.files.results import offer_results, put_result

__all__ = ["append_logs", "offer_results", "put_result"]
