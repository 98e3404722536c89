from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "saltant.server.files"
