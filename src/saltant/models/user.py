"""Users."""

from __future__ import annotations

from typing import Any

from saltant.models._encoding import segment
from saltant.models.resource import Model, ModelManager


class User(Model):
    """A user.

    Attributes:
        username (str): The user's name, by which everything else names the user.
        email (str): The user's e-mail address.
        manager (UserManager): The manager that made this model.
    """

    manager: UserManager

    _identity = "username"
    _shown = ("username",)
    _datetimes = ()

    def __init__(self, username: str, email: str, manager: UserManager, **unknown: Any) -> None:
        super().__init__(manager, unknown)
        self.username = username
        self.email = email


class UserManager(ModelManager[User]):
    """Looks up users.

    >>> client.users.get("ada")  # doctest: +SKIP
    User(username='ada')
    """

    list_url = "users/"
    detail_url = "users/{username}/"
    model = User

    def get(self, username: str) -> User:
        """Get a user by name.

        Raises:
            ValueError: Such a name no user has.
            NotFound: There is no such user.
            BadHttpRequestError: The request failed otherwise.
        """
        data = self._request("GET", self.detail_url.format(username=segment(username)))
        return self.response_data_to_model_instance(data)
