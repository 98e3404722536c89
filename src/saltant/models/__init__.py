"""The models of the SDK, a module each, and the limits that types and instances take."""

from saltant.models._limits import Limits

__all__ = ["Limits"]
