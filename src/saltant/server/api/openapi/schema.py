"""One operation of the OpenAPI document, made from its view, its resource and the words for it.

Fields come out of the serializers (drf-spectacular does that); the rest of these views is not what it knows.
"""

from typing import Any

from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent
from rest_framework import serializers

from saltant.server.api.after import AfterField, AfterSerializer, DependentSerializer
from saltant.server.api.fields import IdField, IdListField, JSONValue, LabelsField, StringList
from saltant.server.api.limits import Amount
from saltant.server.api.many_input import MOST, FiltersField, ItemsField, NamesField
from saltant.server.api.openapi import after, files, parameters
from saltant.server.api.openapi.words import ERRORS, FIELDS, MAKE_ONCE, MANY, REUSED, nouns_for, tag_for, words_for
from saltant.server.api.own_token_views import OwnTokenSerializer
from saltant.server.api.permissions import IsPerson, IsSignedIn
from saltant.server.api.revision_fields import LARGEST, CommandField, PinsField
from saltant.server.api.revision_fields import MOST as MOST_PINS
from saltant.server.api.revision_serializers import CloneSerializer, RevisionSerializer
from saltant.server.api.serializers import StateSerializer
from saltant.server.api.serializers_v2 import (
    AttemptSerializer,
    ChangeInstanceSerializer,
    MembersSerializer,
    PinnedMembersSerializer,
    ProgressField,
)
from saltant.server.api.wait_views import (
    MOST_FINISHED,
    MOST_UUIDS,
    InstanceOfEitherSerializer,
    UUIDsField,
    WaitSerializer,
)
from saltant.server.api.worker_serializers import RunningField
from saltant.server.tasks import labels
from saltant.states import State

Json = dict[str, Any]
JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
EVENTS = "text/event-stream"
SECURITY: list[Json] = [{"token": []}, {"jwt": []}, {"session": []}]
ID: Json = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


class Schema(AutoSchema):
    """What DRF's views call their schema."""

    view: Any

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Json:
        """The operation of a method at a path."""
        self.path, self.method, self.registry = path, method, registry
        self.name = resolve(path.replace("{name}", "x")).url_name or ""
        self.version: str = self.view.request.version
        words = words_for(self.name, method)
        open_to_all = not any(issubclass(each, IsSignedIn) for each in self.view.permission_classes)
        operation: Json = {
            "operationId": f"{self.name}-{method.lower()}",
            "summary": words.summary.format(**nouns_for(self.name)),
            "description": words.more,
            "tags": [tag_for(self.name)],
            "parameters": [*self.parameters(), *([parameters.idempotency_key()] if self.makes else [])],
            "security": [] if open_to_all else SECURITY,
        }
        body = self.body()
        if body:
            operation["requestBody"] = {"required": not self.name.endswith("instance-clone"), "content": body}
        errors = ERRORS | dict(words.errors) | (REUSED if self.makes else {})
        operation["responses"] = self.answers(errors, reads=bool(body), open_to_all=open_to_all)
        return operation

    def parameters(self) -> list[Json]:
        """What path and query say."""
        if self.name == "schema":
            schema = {"type": "string", "enum": ["1", "2"]}
            return [{"name": "version", "in": "query", "description": "Of the API.", "schema": schema}]
        if self.name in ("wait", "own-tokens"):
            return []
        if self.name == "own-token":
            return [parameters.in_path("id")]
        kind = files.kind_of(self.name)
        if kind is not None:
            return files.parameters_of(kind)
        if self.name == "events":
            return parameters.for_events()
        if self.name.endswith("-counts"):
            return parameters.for_counts(self.view.resource)
        if self.name.endswith("instance-detail") and self.version == "2" and self.method == "GET":
            return [parameters.in_path("uuid"), parameters.wait()]
        if self.name.endswith("-type-revisions"):
            return parameters.for_revisions(str(self.version))
        if self.name.endswith(ONE_REVISION):
            more = [parameters.against()] if self.name.endswith("diff") else []
            return [parameters.in_path("id"), parameters.in_path("number"), *more]
        if self.name == "schedule-times":
            return [parameters.in_path("id"), parameters.times()]
        if self.name == "schedule-run":
            return [parameters.in_path("id")]
        if "{name}" in self.path:
            return [parameters.in_path("uuid" if self.name == "state" else self.view.resource.lookup)]
        return parameters.for_list(self.view.resource, str(self.version)) if self.is_list else []

    @property
    def is_list(self) -> bool:
        """Whether this is GET of a list."""
        return bool(self.name.endswith("-list")) and self.method == "GET"

    @property
    def makes(self) -> bool:
        """Whether this makes something, once for each `Idempotency-Key`. Version 1 says nothing of that header."""
        return self.version == "2" and self.method == "POST" and self.name.endswith(MAKE_ONCE)

    def body(self) -> Json | None:
        """What the request says, as JSON and as forms."""
        serializer = self.reader()
        if serializer is None:
            return None
        component = self.resolve_serializer(serializer, "request")
        form = ResolvedComponent(f"{component.name}Form", ResolvedComponent.SCHEMA, object=serializer)
        form.schema = as_form(component.schema, serializer)
        self.registry.register_on_missing(form)
        return {JSON: {"schema": component.ref}, FORM: {"schema": form.ref}, MULTIPART: {"schema": form.ref}}

    def reader(self) -> Any:
        """The serializer that says what the body may hold; None if there is no body."""
        if self.method not in ("POST", "PUT", "PATCH"):
            return None
        if self.name.startswith("token"):
            return self.view.serializer_class()
        if self.name == "state":
            return StateSerializer()
        if self.name == "own-tokens":
            return OwnTokenSerializer()
        if self.name == "wait":
            return WaitSerializer()
        if self.name.endswith(MANY):
            return self.view.reads()
        if self.name.endswith("instance-detail"):
            return ChangeInstanceSerializer()
        if self.name.endswith("instance-clone"):
            return CloneSerializer() if self.version == "2" else None
        if self.name in ("whitelist-add", "whitelist-remove"):
            return PinnedMembersSerializer() if self.name.endswith("add") else MembersSerializer()
        if self.name.endswith(("-list", "-detail")):
            return self.view.resource.serializer(self.version)(partial=self.method == "PATCH")
        return None

    def answers(self, errors: dict[int, str], *, reads: bool, open_to_all: bool) -> Json:
        """Every answer that there can be, by status."""
        if open_to_all:
            errors = {status: text for status, text in errors.items() if status not in (401, 403)}
            if self.name != "schema":
                errors[401] = "This lets nobody in."
        elif IsPerson not in self.view.permission_classes and self.name != "state":
            errors.pop(403, None)
        if not reads:
            errors = {status: text for status, text in errors.items() if status not in (413, 415)}
        schemas = {400: self.refusal(), 409: self.conflict()}
        made = self.granted()
        for code, text in sorted(errors.items()):
            detail = schemas.get(code) or self.component("Detail", DETAIL)
            made[str(code)] = {"description": text, "content": {JSON: {"schema": detail}}}
        if "429" in made:
            seconds = {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}}
            made["429"]["headers"] = {"Retry-After": seconds}
        return made

    def granted(self) -> Json:
        """The answers to a request that is granted, by status."""
        kind = files.kind_of(self.name)
        if kind is not None:
            return files.answers_of(kind)
        if self.method == "DELETE":
            return {"204": {"description": "It is done."}}
        status, description, schema = self.success()
        content = EVENTS if self.name == "events" else JSON
        return {status: {"description": description, "content": {content: {"schema": schema}}}}

    def success(self) -> tuple[str, str, Json]:
        """Status, description and body of the answer to a request that is granted."""
        if self.name == "schema":
            return "200", "The document.", {"type": "object"}
        if self.name.startswith("token"):
            keys = ["refresh", "access"] if self.name == "token" else ["access"]
            return "200", "The tokens.", _object({key: {"type": "string"} for key in keys})
        if self.name == "state":
            states = {"type": "string", "enum": [state.value for state in State]}
            return "200", "The state.", _object({"uuid": {"type": "string", "format": "uuid"}, "state": states})
        if self.name == "events":
            return "200", "Events, as they come: this is one of them.", EVENT
        if self.name == "wait":
            instance = self.resolve_serializer(InstanceOfEitherSerializer(), "response").ref
            finished = {"finished": {"type": "array", "items": instance, "maxItems": MOST_FINISHED}}
            return "200", "Those that have ended, the first one first.", _object(finished | WAITED)
        if self.name == "own-tokens":
            token = self.resolve_serializer(OwnTokenSerializer(), "response").ref
            if self.method == "GET":
                return "200", "The tokens.", {"type": "array", "items": token}
            return "201", "The token, and its key.", {"allOf": [token, _object({"key": {"type": "string"}})]}
        if self.name.endswith("attempts"):
            attempt = self.resolve_serializer(AttemptSerializer(), "response").ref
            return "200", "The attempts.", {"type": "array", "items": attempt}
        if self.name.endswith(("instance-after", "instance-dependents")):
            related = AfterSerializer() if self.name.endswith("after") else DependentSerializer()
            return "200", "They.", {"type": "array", "items": self.resolve_serializer(related, "response").ref}
        if self.name.endswith(("-type-revisions", "-type-revision")):
            one = self.resolve_serializer(RevisionSerializer(), "response").ref
            if self.name.endswith("revision"):
                return "200", "The revision.", one
            return "200", "A page.", self.component("RevisionPage", page_of(one, str(self.version)))
        if self.name.endswith("-type-diff"):
            return "200", "What makes it another.", DIFFERENCE
        if self.name.endswith("-counts"):
            return "200", "The groups, in order.", COUNTS
        if self.name == "schedule-times":
            moments = {"type": "string", "format": "date-time"}
            return "200", "The times, in order.", {"type": "array", "items": moments}
        component = self.resolve_serializer(self.view.resource.serializer(self.version)(), "response")
        if self.name.endswith(MANY):
            return "200", "What became of each, in order.", results_of(component.ref)
        if self.is_list:
            return "200", "A page.", self.component(f"{component.name}Page", page_of(component.ref, str(self.version)))
        changes_type = self.method == "PUT" and self.name.endswith("-type-detail")
        if (changes_type or self.name.endswith("-type-restore")) and self.version == "2":
            more = _object({"removed_from_whitelists": {"type": "array", "items": LEFT}})
            return "200", "The type, and the whitelists that it was taken off.", {"allOf": [component.ref, more]}
        if self.name.endswith("terminate"):
            return "202", "The instance.", component.ref
        if self.name == "worker-drain":
            return "202", "The worker.", component.ref
        made = self.name.endswith(("list", "schedule-run", "clone"))
        if self.method == "POST" and made and not self.name.startswith("whitelist-a"):
            return "201", "What was made.", component.ref
        return "200", "As it is now.", component.ref

    def refusal(self) -> Json:
        """The body of a 400."""
        schemas = [self.component("Detail", DETAIL), self.component("Refusal", REFUSAL)]
        return {"anyOf": [*schemas, {"type": "string"}] if self.name == "state" else schemas}

    def conflict(self) -> Json:
        """The body of a 409."""
        if self.name.endswith(MANY):
            return _object({"detail": {"type": "string"}, "count": COUNT})
        if self.method == "DELETE":
            return self.component("Detail", DETAIL)
        states = {"type": "string", "enum": [state.value for state in State]}
        return _object({"detail": {"type": "string"}, "state": states})

    def component(self, name: str, schema: Json) -> Json:
        """A reference to a schema that stands in the document once."""
        made = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema=schema, object=name)
        self.registry.register_on_missing(made)
        return made.ref

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """Both versions call a thing the same."""
        return type(serializer).__name__.removesuffix("V2").removesuffix("Serializer")

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Json:
        schema: Json = super()._map_serializer(serializer, direction, bypass_extensions)
        schema.pop("description", None)
        for name, each in schema.get("properties", {}).items():
            for key in ("readOnly", "writeOnly", "x-spec-enum-id"):
                each.pop(key, None)
            if direction == "response":
                # What is stored was let in once; what may be let in is a matter of requests.
                for key in ("maxLength", "minLength", "pattern", "title", "oneOf"):
                    each.pop(key, None)
                each.setdefault("type", "string")
            if name in FIELDS:
                each.setdefault("description", FIELDS[name])
        if direction == "response":
            # Answers hold every key; in version 1, whose bodies are frozen, no other.
            schema["required"] = list(schema["properties"])
            if self.version == "1":
                schema["additionalProperties"] = False
        return schema

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Json | None:
        if field.write_only and direction == "response":
            return None
        if isinstance(field, ItemsField) and not isinstance(field, NamesField):
            items = self.resolve_serializer(self.view.resource.serializer(self.version)(), "request").ref
            return {"type": "array", "items": items, "minItems": 1, "maxItems": MOST, "description": field.help_text}
        schema = schema_of(field)
        if schema is None:
            mapped: Json | None = super()._map_serializer_field(field, direction, bypass_extensions)
            return mapped
        if field.allow_null:
            schema["type"] = [schema["type"], "null"]
        if field.help_text:
            schema["description"] = str(field.help_text)
        return schema

    def _insert_field_validators(self, field: Any, schema: Json) -> None:
        if schema_of(field) is None and not field.read_only:
            super()._insert_field_validators(field, schema)


class Generator(SchemaGenerator):
    """Gives every view this module's schema."""

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        """A view for one operation."""
        view = super().create_view(callback, method, request)
        self._set_schema_to_view(view, Schema())
        return view


def schema_of(field: Any) -> Json | None:
    """The schema of one of our own fields; None if it is none of them."""
    if isinstance(field, IdField):
        return dict(ID)
    if isinstance(field, IdListField):
        return {"type": "array", "items": ID}
    if isinstance(field, AfterField):
        return after.schema()
    if isinstance(field, UUIDsField):
        return {"type": "array", "items": UUID, "minItems": 1, "maxItems": MOST_UUIDS}
    if isinstance(field, StringList):
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(field, RunningField):
        return {"type": "array", "items": RUNNING, "description": "What it runs: what it holds a lease for."}
    if isinstance(field, NamesField):
        return {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST}
    if isinstance(field, FiltersField):
        said = {"type": ["string", "integer", "array"]}
        return {"type": "object", "minProperties": 1, "additionalProperties": said}
    if isinstance(field, LabelsField):
        text = {"type": "string", "maxLength": labels.LONGEST_VALUE}
        keys = {"pattern": labels.KEY_PATTERN}
        return {"type": "object", "maxProperties": labels.MOST, "propertyNames": keys, "additionalProperties": text}
    if isinstance(field, ProgressField):
        return dict(PROGRESS)
    if isinstance(field, PinsField):
        number = {"type": ["integer", "null"], "minimum": 1, "maximum": LARGEST}
        ids = {"pattern": r"^[1-9]\d{0,17}$"}
        return {"type": "object", "maxProperties": MOST_PINS, "propertyNames": ids, "additionalProperties": number}
    if isinstance(field, CommandField):
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(field, JSONValue):
        return {"type": "object"}
    if isinstance(field, Amount):
        bounds = {"exclusiveMinimum": field.above, "minimum": field.min_value, "maximum": field.max_value}
        return {"type": "number", **{key: value for key, value in bounds.items() if value is not None}}
    return None


def as_form(schema: Json, serializer: "serializers.Serializer[Any]") -> Json:
    """The same, as a form says it: JSON as text, numbers that may be null as empty texts."""
    properties = {}
    for name, each in schema["properties"].items():
        if isinstance(serializer.fields[name], JSONValue):
            kept = {key: value for key, value in each.items() if key == "description"}
            each = {"type": "string", "contentMediaType": JSON, **kept}
        elif isinstance(each.get("type"), list) and {"number", "integer"}.intersection(each["type"]):
            number = {**each, "type": next(kind for kind in each["type"] if kind != "null")}
            each = {"anyOf": [number, {"const": ""}], "description": number.pop("description", "")}
        elif isinstance(each.get("type"), list):
            each = {**each, "type": next(kind for kind in each["type"] if kind != "null")}
        properties[name] = each
    return {**schema, "properties": properties}


def page_of(thing: Json, version: str) -> Json:
    """A page of a list."""
    link = {"type": ["string", "null"], "format": "uri", "description": "The URL of that page. Null: there is none."}
    count: Json = {"type": "integer", "minimum": 0, "description": "How many there are on all pages."}
    if version == "2":
        said = "How many there are on all pages. Null: by a cursor, and not asked for."
        count |= {"type": ["integer", "null"], "description": said}
    return _object({"count": count, "next": link, "previous": link, "results": {"type": "array", "items": thing}})


def results_of(thing: Json) -> Json:
    """What became of each of many."""
    made, failed = _object({"instance": thing}), _object({"errors": {"type": "object"}, "status": FAILED})
    return _object({"results": {"type": "array", "items": {"anyOf": [made, failed]}}})


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


COUNT: Json = {"type": "integer", "minimum": 0, "description": "How many there are."}
COUNTS = _object(
    {
        "counts": {
            "type": "array",
            "items": {
                **_object({"count": COUNT}),
                "additionalProperties": {
                    "type": ["string", "integer", "null"],
                    "description": "By what they are counted: under the name that `by` says, what they have in common.",
                },
            },
        }
    }
)
DETAIL = _object({"detail": {"type": "string", "description": "A sentence for people."}})
SENTENCES: Json = {"type": "array", "items": {"type": "string"}, "minItems": 1}
REFUSAL: Json = {
    "type": "object",
    "description": "For each field, sentences that say what is wrong; `non_field_errors` are about several at once.",
    "additionalProperties": SENTENCES,
    "minProperties": 1,
}
RUNNING = _object(
    {
        "uuid": {"type": "string", "format": "uuid", "description": "The instance's."},
        "name": {"type": ["string", "null"], "description": "The instance's. Null on a private queue."},
        "attempt": {"type": "integer", "minimum": 1, "description": "The number of its attempt."},
        "since": {"type": "string", "format": "date-time", "description": "When the worker claimed it."},
    }
)
PROGRESS = _object(
    {
        "percent": {"type": ["number", "null"], "minimum": 0, "maximum": 100, "description": "Null: it did not say."},
        "message": {"type": "string", "description": "What it does."},
        "done": {"type": ["number", "null"], "description": "How much of it is done, in whatever it counts."},
        "total": {"type": ["number", "null"], "description": "How much there is in all."},
        "datetime": {"type": "string", "format": "date-time", "description": "When that was told."},
    }
)
NUMBER: Json = {"type": "integer", "minimum": 1}
DIFFERENCE = _object(
    {
        "number": {**NUMBER, "description": "The revision."},
        "against": {**NUMBER, "type": ["integer", "null"], "description": "The other one. Null: it is the first."},
        "changes": {
            "type": "object",
            "description": "By field, the value of the other one and that of the revision.",
            "additionalProperties": {"type": "array", "minItems": 2, "maxItems": 2},
        },
    }
)
ONE_REVISION = ("-type-revision", "-type-diff", "-type-restore")
"""How the names of the endpoints end that are about one revision."""
EVENT = _object(
    {
        "event": {"const": "change"},
        "id": {"type": "string", "description": "For `Last-Event-ID`."},
        "data": {"type": "string", "contentMediaType": JSON, "description": "The instance."},
    }
)
FAILED: Json = {"type": "integer", "description": "Of the answer that a single request would have got."}
UUID: Json = {"type": "string", "format": "uuid"}
WAITED: Json = {
    "unfinished": {"type": "integer", "minimum": 0, "description": "How many have not ended."},
    "more": {"type": "integer", "minimum": 0, "description": "How many have ended beside those that are told here."},
    "unknown": {"type": "array", "items": UUID, "description": "Those that there are not."},
}
LEFT = _object({"id": ID, "name": {"type": "string"}})
