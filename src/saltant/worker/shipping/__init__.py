"""Ships what jobs leave to the server: their logs while they run, their results at their end."""

from saltant.worker.shipping.shipping import Shipping

__all__ = ["Shipping"]
