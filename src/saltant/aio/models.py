"""The models and managers of an `AsyncClient`: those of the SDK, whose methods are awaited.

They are made of the SDK's classes when this is loaded. What a type checker reads is `models.pyi`, which is generated.
"""

from saltant.aio._twins import TWINS

globals().update({twin.__name__: twin for twin in TWINS.values()})
