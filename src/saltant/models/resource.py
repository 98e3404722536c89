"""What all models and managers share. Managers act; models hold data, and delegate to their manager."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from saltant._http_errors import error_for_answer
from saltant.constants import HTTP_200_OK, HTTP_201_CREATED
from saltant.exceptions import NotFound, UnexpectedResponse
from saltant.models._encoding import Query, encode_filters, parse_datetime, segment
from saltant.models._limits import require_version_2

if TYPE_CHECKING:
    from saltant.client import Client

PAGE_SIZE = 500
"""How many items a list fetches at a time."""
IGNORED = frozenset({"label", "schedule", "ordering", "cursor", "archived"})
"""What narrows or orders lists in version 2 alone."""
REMEMBERED = 50_000
"""So many items back it is known that one comes again, pushed on by new ones. More would make long lists grow."""


class Model:
    """Something that a saltant server holds.

    Two models are equal if they stand for the same thing on the same server, whatever they know about it.

    Attributes:
        manager (ModelManager): The manager that made this model.
        extra (dict): The fields of a newer server that this version does not know. They can be read as
            attributes too, as far as nothing else has their name.
    """

    manager: ModelManager[Any]
    extra: dict[str, Any]

    _identity: ClassVar[str] = "id"
    _shown: ClassVar[tuple[str, ...]] = ("id", "name")
    _datetimes: ClassVar[tuple[str, ...]] = ("datetime_created",)

    def __init__(self, manager: ModelManager[Any], extra: dict[str, Any] | None = None) -> None:
        self.manager = manager
        self.extra = extra or {}

    def sync(self) -> Self:
        """Bring this model up to date with the server.

        Returns:
            This very model.

        Raises:
            NotFound: The server has it no more.
            BadHttpRequestError: The request failed otherwise.
        """
        return self._take(self.manager.get(getattr(self, self._identity)))

    def _take(self, other: Model) -> Self:
        """Become as `other` is."""
        self.__dict__.update(other.__dict__)
        return self

    def _key(self) -> tuple[object, ...]:
        client = getattr(self.manager, "_client", None)
        return type(self), getattr(client, "base_api_url", None), str(getattr(self, self._identity))

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Model) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._shown)
        return f"{type(self).__name__}({shown})"

    if not TYPE_CHECKING:  # so that a type checker still sees a mistyped name

        def __getattr__(self, name: str) -> Any:
            # Through __dict__, as a copy or a pickle asks before anything is there.
            extra = self.__dict__.get("extra", {})
            if name in extra:
                return extra[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


M = TypeVar("M", bound=Model)


class ModelManager(Generic[M]):
    """Acts on the models of one kind.

    Attributes:
        _client (Client): The client whose server it acts on.
        list_url (str): Where they are listed, below the base URL.
        detail_url (str): The format of where one of them is.
        model (type): Their class.
    """

    list_url: str = ""
    detail_url: str = ""
    model: type[M]

    def __init__(self, _client: Client) -> None:
        self._client = _client

    def get(self, *args: Any, **kwargs: Any) -> M:
        """Get one of them."""
        raise NotImplementedError

    def list(self, filters: Mapping[str, Any] | None = None) -> builtins.list[M]:
        """List them all, or those that match filters. Fetched page by page.

        Args:
            filters: API filters, such as `{"name__startswith": "azure", "state__in": ["failed", "terminated"]}`.
                `__in` and `__range` take lists. Datetimes need a time zone. With `page` or `page_size` the list
                is that one page.

        Raises:
            ValueError: A value cannot be told in a query.
            NotFound: There is no such page.
            BadHttpRequestError: The request failed otherwise.

        >>> client.task_queues.list({"active": True})  # doctest: +SKIP
        [TaskQueue(id=1, name='default')]
        """
        return [*self.iterate(filters)]

    def iterate(self, filters: Mapping[str, Any] | None = None, *, page_size: int = PAGE_SIZE) -> Iterator[M]:
        """Like `list`, but one after another, each page fetched when it is needed.

        What comes or goes meanwhile may or may not be seen, but nothing comes twice, unless tens of thousands of
        others came while one page was looked through.

        Args:
            filters: As for `list`.
            page_size: How many to fetch at a time.

        Raises:
            ValueError: A value cannot be told in a query. This is raised at once.
            BadHttpRequestError: A request failed.
        """
        if page_size < 1:
            raise ValueError(f"page_size must be at least 1, not {page_size!r}")
        query = encode_filters(filters)
        if query is None:
            return iter(())
        named = dict(query).keys()
        for name in IGNORED & named:  # a server of version 1 would ignore it, and list too much
            require_version_2(self._client, f"{name} in lists")
        if {"page", "page_size", "cursor"} & named:
            return iter(self.response_data_to_model_instances_list(self._page(query)))
        return self._pages([*query, ("page_size", str(page_size))])

    def _pages(self, query: Query) -> Iterator[M]:
        """Every page: by cursors, as deep pages are slow by number; but a server of version 1 has no others."""
        first, by_number = query, (self._client.server_version or 1) < 2
        if not by_number:
            query = [*first, ("cursor", "")]
        seen: dict[object, None] = {}
        asked: set[int] = set()
        identity = self.model._identity
        while (question := hash(tuple(query))) not in asked:
            asked.add(question)
            try:
                page = self._page(query)
            except NotFound as error:
                if len(asked) > 1 and error.detail == "Invalid page.":
                    return  # the list has become shorter
                raise
            for found in self.response_data_to_model_instances_list(page):
                # New ones push others on to the next page.
                if (key := getattr(found, identity)) not in seen:
                    seen[key] = None
                    if len(seen) > REMEMBERED:
                        del seen[next(iter(seen))]
                    yield found
            if not page.get("next"):
                return
            if by_number and (self._client.server_version or 1) >= 2:
                # That it is one of version 2 its first answer has told; what is on this page comes again, and is known.
                by_number, query = False, [*first, ("cursor", "")]
                continue
            # Its query alone: behind a proxy a server may not know its own name, and the token is for no other.
            query = parse_qsl(urlsplit(str(page["next"])).query, keep_blank_values=True)
        raise self._unexpected("a list whose pages go round in a circle")

    def _page(self, query: Query) -> dict[str, Any]:
        page = self._request("GET", self.list_url, params=query)
        if not isinstance(page, dict):
            raise self._unexpected("no list")
        return page

    def _request(self, method: str, path: str, **options: Any) -> Any:
        return self._client._transport.request(method, path, **options)

    def response_data_to_model_instance(self, response_data: Mapping[str, Any]) -> M:
        """Make a model of the data of an answer.

        Args:
            response_data: The data of the answer. It is not changed.

        Raises:
            UnexpectedResponse: The data is none of such a model.
        """
        try:
            fields = dict(response_data)
            clashing: dict[str, Any] = {name: fields.pop(name) for name in ("self", "manager") if name in fields}
            for name in self.model._datetimes:
                if isinstance(fields.get(name), str):
                    fields[name] = parse_datetime(fields[name])
            made = self.model(**fields, manager=self)
        except (TypeError, ValueError) as error:
            raise self._unexpected(f"no {self.model.__name__} ({error})") from error
        made.extra.update(clashing)
        return made

    def response_data_to_model_instances_list(
        self, response_data: Mapping[str, Any] | builtins.list[Any]
    ) -> builtins.list[M]:
        """Make models of the data of an answer that lists them.

        Args:
            response_data: The data of the answer, a page or its `results`.

        Raises:
            UnexpectedResponse: The data is none of such models.
        """
        results = response_data.get("results") if isinstance(response_data, Mapping) else response_data
        if not isinstance(results, builtins.list):
            raise self._unexpected("no list")
        return [self.response_data_to_model_instance(data) for data in results]

    @staticmethod
    def validate_request_success(
        response_text: str, request_url: str, status_code: int, expected_status_code: int
    ) -> None:
        """Check that a request succeeded.

        Args:
            response_text: The body of the answer.
            request_url: What was called.
            status_code: The status of the answer.
            expected_status_code: The status of success.

        Raises:
            BadHttpRequestError: The two differ.
        """
        if status_code != expected_status_code:
            raise error_for_answer(status_code, response_text, request_url)

    def _unexpected(self, problem: str) -> UnexpectedResponse:
        url = self._client.base_api_url + self.list_url
        return UnexpectedResponse(
            f"The answer of {url} is {problem}. Check the base URL, which usually ends in /api/.",
            status_code=HTTP_200_OK,
            url=url,
        )


class NamedModelManager(ModelManager[M]):
    """Acts on models that have an id and a unique name."""

    def get(self, id: int | None = None, name: str | None = None) -> M:
        """Get one by either its id or its name.

        Raises:
            ValueError: Neither or both are given.
            NotFound: There is none.
            BadHttpRequestError: The request failed otherwise.
        """
        if (id is None) == (name is None):
            raise ValueError("Give either id or name")
        if name is None:
            return self.response_data_to_model_instance(self._request("GET", self.detail_url.format(id=segment(id))))
        # An empty name is no filter to the server.
        found = [model for model in self.list({"name": name, "page_size": 2}) if getattr(model, "name", None) == name]
        if len(found) == 1:
            return found[0]
        number = "No" if not found else "More than one"
        url = self._client.base_api_url + self.list_url
        message = f"{number} {self.model.__name__} on {self._client.base_api_url} has the name {name!r}."
        raise NotFound(message, status_code=404, url=url, method="GET")

    def _create(self, data: Mapping[str, Any]) -> M:
        created = self._request("POST", self.list_url, body=data, expected=HTTP_201_CREATED)
        return self.response_data_to_model_instance(created)

    def _patch(self, id: int, data: Mapping[str, Any]) -> M:
        return self._save("PATCH", id, {name: value for name, value in data.items() if value is not None})

    def _save(self, method: str, id: int, data: Mapping[str, Any]) -> M:
        saved = self._request(method, self.detail_url.format(id=segment(id)), body=data)
        return self.response_data_to_model_instance(saved)
