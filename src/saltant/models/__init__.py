"""The models of the SDK, a module each, and the limits that types and instances take."""

from saltant.models._container_options import ContainerOptions
from saltant.models._limits import Limits

__all__ = ["ContainerOptions", "Limits"]
