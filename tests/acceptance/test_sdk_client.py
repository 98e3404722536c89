"""The SDK's client, against a real server."""

import pytest

from saltant import AuthenticationError, Client, from_env
from saltant.exceptions import BadHttpRequestError, UnexpectedResponse
from tests.acceptance.system import Site

pytestmark = pytest.mark.everywhere


def test_a_client_from_the_environment(up: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALTANT_API_URL", up.url.rstrip("/"))
    monkeypatch.setenv("SALTANT_AUTH_TOKEN", up.token)
    with from_env() as client:
        assert client.base_api_url == up.url
        assert client.server_version == 2
        assert client.task_queues.get(name="default").whitelists


def test_a_wrong_token(up: Site) -> None:
    with pytest.raises(AuthenticationError) as caught:
        Client(up.url, "wrong-token")
    assert caught.value.status_code == 401
    with pytest.raises(AuthenticationError):
        Client(up.url, "wrong-token", test_if_authenticated=False).task_queues.list()


@pytest.mark.parametrize("path", ["", "api/users/", "nowhere/"])
def test_a_wrong_base_url(up: Site, path: str) -> None:
    url = up.url.removesuffix("api/") + path
    with pytest.raises(BadHttpRequestError, match="base URL") as caught:
        Client(url, up.token)
    assert not isinstance(caught.value, AuthenticationError)


def test_a_server_that_knows_version_1_alone(up: Site) -> None:
    client = Client(up.url, up.token)
    client.session.headers["Accept"] = "application/json"
    made = up.submit(up.executable("true"))
    found = client.executable_task_instances.wait_until_finished(made.uuid, 0.01)
    assert (found.state, found.reason, found.exit_code, found.extra) == ("successful", None, None, {})


def test_no_method_is_an_error(up: Site) -> None:
    with pytest.raises(UnexpectedResponse, match="405"):
        up.client.users._request("PUT", "users/admin/", body={})
