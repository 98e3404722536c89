"""The errors themselves."""

import pickle

import pytest

from saltant import exceptions
from saltant.models.resource import ModelManager

KINDS = [
    kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, exceptions.SaltantError)
]
ANSWERS = {
    400: exceptions.BadRequest,
    401: exceptions.AuthenticationError,
    403: exceptions.PermissionDenied,
    404: exceptions.NotFound,
    405: exceptions.UnexpectedResponse,
    409: exceptions.Conflict,
    429: exceptions.RateLimited,
    500: exceptions.ServerError,
    503: exceptions.ServerError,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_drawn_in_the_tree(kind: type) -> None:
    assert f" {kind.__name__} " in f"{exceptions.__doc__} ".replace("\n", " ")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_has_a_default_message_and_takes_one(kind: type[Exception]) -> None:
    assert str(kind()).endswith((".", "/.")) or ";" in str(kind())
    assert str(kind("It rains.")) == "It rains."


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_can_be_pickled(kind: type[Exception]) -> None:
    error = kind("It rains.")
    error.__dict__["status_code"] = 418
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), copy.__dict__) == (kind, str(error), error.__dict__)


def test_errors_that_are_built_in_ones_too() -> None:
    assert issubclass(exceptions.BadEnvironmentError, ValueError)
    assert issubclass(exceptions.WaitTimeout, TimeoutError)
    assert issubclass(exceptions.RequestTimeout, TimeoutError)


@pytest.mark.parametrize(("status", "kind"), ANSWERS.items())
def test_validate_request_success(status: int, kind: type[exceptions.BadHttpRequestError]) -> None:
    with pytest.raises(exceptions.BadHttpRequestError) as caught:
        ModelManager.validate_request_success('{"detail": "No."}', "http://me:secret@host/api/", status, 200)
    assert type(caught.value) is kind
    assert (caught.value.status_code, caught.value.url, caught.value.detail) == (status, "http://host/api/", "No.")
    assert "secret" not in str(caught.value)


def test_validate_request_success_of_a_success() -> None:
    ModelManager.validate_request_success("{}", "http://host/api/", 200, 200)
    with pytest.raises(exceptions.UnexpectedResponse):
        ModelManager.validate_request_success("{}", "http://host/api/", 200, 201)
