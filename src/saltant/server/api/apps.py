from django.apps import AppConfig
from django.db.backends.signals import connection_created


class ApiConfig(AppConfig):
    name = "saltant.server.api"

    def ready(self) -> None:
        from saltant.server.api.regexes import install

        connection_created.connect(install, dispatch_uid="saltant.regexes")
