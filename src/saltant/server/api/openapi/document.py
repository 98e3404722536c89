"""The OpenAPI document: one for each version, made once."""

import json
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.urls import include, path
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from saltant.server.api.openapi import words

VERSIONS = ("1", "2")
SECURITY_SCHEMES = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Token <key>`; `saltant token create` makes keys.",
    },
    "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "A browser that has signed in."},
}


@cache
def document(version: str) -> dict[str, Any]:
    """The document of a version, as data. It is shared: do not change it."""
    # Nobody who does not ask for the document shall wait for what makes it.
    from saltant.server.api.openapi.schema import Generator

    generator = Generator(patterns=[path("api/", include("saltant.server.api.urls"))], api_version=version)
    made: dict[str, Any] = generator.get_schema(request=None, public=True)
    paths = {
        _renamed(where, operations): {
            method: operation
            for method, operation in operations.items()
            if version != "1" or operation["operationId"] not in words.ONLY_IN_2
        }
        for where, operations in made["paths"].items()
    }
    paths = {where: operations for where, operations in paths.items() if operations}
    tags = dict.fromkeys(tag for each in paths.values() for operation in each.values() for tag in operation["tags"])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": words.TITLE,
            "version": version,
            "description": words.ABOUT.format(version=version).strip(),
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "components": {**made["components"], "securitySchemes": SECURITY_SCHEMES},
    }


@cache
def _text(version: str) -> bytes:
    return json.dumps(document(version), ensure_ascii=False, indent=1).encode()


def _renamed(where: str, operations: dict[str, Any]) -> str:
    """A path with the name that people know for what it names."""
    named = [
        each["name"] for operation in operations.values() for each in operation["parameters"] if each["in"] == "path"
    ]
    return where.replace("{name}", f"{{{named[0]}}}") if named else where


class SchemaView(APIView):
    """GET of the document. It is open to all: it says nothing of what this server holds."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> HttpResponse:
        version = request.query_params.get("version", request.version)
        if version not in VERSIONS:
            raise ValidationError({"version": [f"There is no such version: take {' or '.join(VERSIONS)}."]})
        return HttpResponse(_text(version), content_type="application/json")
