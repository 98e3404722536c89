from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "saltant.server.web"
