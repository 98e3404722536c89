from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "saltant.server.accounts"
