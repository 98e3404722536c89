"""Users."""

from __future__ import annotations

from typing import Any, Self

from saltant.models._encoding import segment
from saltant.models._limits import require_version_2
from saltant.models.resource import Model, ModelManager


class User(Model):
    """A user.

    Attributes:
        username (str): The user's name, by which everything else names the user.
        email (str): The user's e-mail address.
        max_running (int | None): How many of the user's instances run at once at most; None: no limit, or a server of
            version 1.
        manager (UserManager): The manager that made this model.
    """

    manager: UserManager

    _identity = "username"
    _shown = ("username",)
    _datetimes = ()

    def __init__(
        self, username: str, email: str, manager: UserManager, *, max_running: int | None = None, **unknown: Any
    ) -> None:
        super().__init__(manager, unknown)
        self.username = username
        self.email = email
        self.max_running = max_running

    def limit(self, max_running: int | None = None) -> Self:
        """Let so many of this user's instances run at once; None takes the limit away. Admins may do this.

        Returns:
            This very user.

        Raises:
            UnsupportedByServer: The server, of version 1, knows no limits.
            PermissionDenied: You are no admin.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(self.manager.limit(self.username, max_running))


class UserManager(ModelManager[User]):
    """Looks up users, and limits what they run.

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

    def me(self) -> User:
        """The user whose token the client has.

        Raises:
            UnsupportedByServer: The server, of version 1, does not tell.
            BadHttpRequestError: The request failed.

        >>> client.users.me()  # doctest: +SKIP
        User(username='ada')
        """
        require_version_2(self._client, "answer to who you are")
        return self.response_data_to_model_instance(self._request("GET", "me/"))

    def limit(self, username: str, max_running: int | None = None) -> User:
        """Let so many of a user's instances run at once; None takes the limit away. Admins may do this.

        Raises:
            UnsupportedByServer: The server, of version 1, knows no limits.
            NotFound: There is no such user.
            PermissionDenied: You are no admin.
            BadRequest: The number makes no sense.
            BadHttpRequestError: The request failed otherwise.
        """
        require_version_2(self._client, "limits of users")
        path = self.detail_url.format(username=segment(username))
        return self.response_data_to_model_instance(self._request("PATCH", path, body={"max_running": max_running}))
