"""The tokens of whoever asks: to see, to make and to revoke. Workers' tokens, and those of others, are none of them."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from saltant.server.accounts import tokens
from saltant.server.accounts.models import Role, Token
from saltant.server.accounts.people import Unfit
from saltant.server.api.fields import StrictString
from saltant.server.api.forms import plain

NOT_BY_TOKEN = "A token makes no tokens: sign in with user name and password, by a JWT or in a browser."  # noqa: S105
LARGEST_ID = 2**63 - 1


class OwnTokenSerializer(serializers.ModelSerializer[Token]):
    """A token, without its key."""

    name = StrictString(required=False, allow_blank=True, default="", max_length=100, help_text="What it is for.")
    datetime_created = serializers.DateTimeField(read_only=True, help_text="When it was made.")
    datetime_expires = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When it ends. Null: never."
    )
    current = serializers.SerializerMethodField(help_text="Whether the request came with it.")

    class Meta:
        model = Token
        fields = ("id", "name", "datetime_created", "datetime_expires", "current")

    def get_current(self, token: Token) -> bool:
        """Whether the request came with it."""
        auth = self.context.get("auth")
        return isinstance(auth, Token) and auth.pk == token.pk

    def validate_datetime_expires(self, value: datetime | None) -> datetime | None:
        """Refuse a token that would open nothing."""
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("This is not in the future.")
        return value


def tokens_of(request: Request) -> QuerySet[Token]:
    """Those of a person that are not revoked."""
    user: Any = request.user
    return Token.objects.filter(user=user, role=Role.USER, datetime_revoked=None).order_by("id")


class OwnTokensView(APIView):
    """One's own tokens."""

    def get(self, request: Request) -> Response:
        context = {"auth": request.auth}
        return Response(OwnTokenSerializer(tokens_of(request), many=True, context=context).data)

    def post(self, request: Request) -> Response:
        if isinstance(request.auth, Token):
            # Or who once had a token would have one for ever, whenever it was to end.
            raise PermissionDenied(NOT_BY_TOKEN)
        serializer = OwnTokenSerializer(data={}, context={"auth": request.auth})
        serializer.initial_data = plain(request, serializer.fields)
        serializer.is_valid(raise_exception=True)
        said, user = serializer.validated_data, request.user
        people: Any = user
        try:
            token, key = tokens.create_token(people, expires=said["datetime_expires"], name=said["name"], by=people)
        except Unfit as error:
            raise ValidationError({"name": [str(error)]}) from None
        shown = OwnTokenSerializer(token, context={"auth": request.auth}).data
        return Response({**shown, "key": key}, status=201)


class OwnTokenView(APIView):
    """One of one's own tokens."""

    def delete(self, request: Request, name: str) -> Response:
        found = None
        if name.isascii() and name.isdigit() and len(name) < 20 and int(name) <= LARGEST_ID:
            found = tokens_of(request).filter(pk=int(name)).select_related("user").first()
        if found is None:
            raise NotFound
        by: Any = request.user
        tokens.revoke(found, by=by)
        return Response(status=204)
