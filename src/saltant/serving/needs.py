"""What `saltant server` cannot do without."""

from importlib.util import find_spec

from saltant.config import Settings, SettingsError, variable_of
from saltant.serving.database import parameters

SHORTEST_KEY = 32

_EXAMPLES = {
    "database_url": "postgresql://USER:PASSWORD@HOST:5432/NAME",
    "broker_url": "amqp://USER:PASSWORD@HOST:5672/VHOST",
    "secret_key": "$(openssl rand -base64 48)",
}


def check_needs(settings: Settings) -> None:
    """Look whether the settings are enough for a server.

    Raises:
        SettingsError: they are not.
    """
    for name, example in _EXAMPLES.items():
        if not getattr(settings, name):
            variable = variable_of(name)
            raise SettingsError(
                f"Set {variable} (or {variable}_FILE), for example to {example}. `saltant up` needs none of this."
            )
    if len(settings.secret_key) < SHORTEST_KEY:
        raise SettingsError(f"SALTANT_SECRET_KEY must have at least {SHORTEST_KEY} characters: openssl rand -base64 48")
    if settings.s3_bucket and find_spec("storages") is None:
        raise SettingsError("SALTANT_S3_BUCKET is set, and this needs more: pip install 'saltant-py[s3]'")
    parameters(settings)
