"""Signing in by JWT."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenViewBase

from saltant.server.accounts.authentication import INVALID, JWTAuthentication
from saltant.server.accounts.sign_in_limits import counted
from saltant.server.api.forms import plain


class SignInView(TokenViewBase):
    """POST of a username and a password gives an access token and a refresh token."""

    serializer_class: type[serializers.Serializer[Any]] = TokenObtainPairSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer: Any = self.get_serializer(data={})
        serializer.initial_data = plain(request, serializer.fields)
        data = serializer.initial_data
        with counted(request, data.get("username") if isinstance(data, dict) else None):
            try:
                serializer.is_valid(raise_exception=True)
            except (TokenError, ValueError):
                raise AuthenticationFailed(INVALID) from None
        return Response(serializer.validated_data)

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"


class RefreshSerializer(TokenRefreshSerializer):
    """Holds a refresh token to what an access token is held to: the user is active and has the same password."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        refresh: Any = RefreshToken(attrs["refresh"])
        try:
            JWTAuthentication().get_user(refresh)
        except AuthenticationFailed:
            raise TokenError(INVALID) from None
        return {"access": str(refresh.access_token)}


class RefreshView(SignInView):
    """POST of a refresh token gives an access token."""

    serializer_class = RefreshSerializer
