"""The SDK for programs with an event loop. It takes the extra `async`: `pip install 'saltant-py[async]'`.

>>> from saltant.aio import AsyncClient
"""

from saltant.aio._streaming import File, Stream
from saltant.aio.client import AsyncClient, from_config, from_env

__all__ = ["AsyncClient", "File", "Stream", "from_config", "from_env"]
