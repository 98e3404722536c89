"""Revisions of types, and the bodies of requests about them."""

from typing import Any

from rest_framework import serializers

from saltant.server.api.fields import JSONObject
from saltant.server.tasks.models import TaskTypeRevision


class RevisionSerializer(serializers.ModelSerializer[TaskTypeRevision]):
    """What a type was from one change to the next."""

    values = JSONObject(help_text="All fields of the type that can be changed, as they were.")
    changes = JSONObject(
        help_text="What made it another than the one before: by field, a list of the old and the new value."
    )

    class Meta:
        model = TaskTypeRevision
        fields = ["number", "datetime_created", "changed_by", "changes", "values"]
        read_only_fields = fields


class CloneSerializer(serializers.Serializer[Any]):
    """The body of a request that clones an instance."""

    as_was = serializers.BooleanField(
        default=False,
        help_text="Whether the clone runs what the instance ran, of the type as it was then, and not as it is now.",
    )
