"""Signing in."""

from typing import Any

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse

from saltant.server.accounts import sign_in_limits


class SignInView(LoginView):
    """Signing in with a password."""

    template_name = "web/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sign in, unless too many tries failed before."""
        try:
            taken = sign_in_limits.take(request, request.POST.get("username"))
        except sign_in_limits.TooManyTries as refused:
            form = self.form_class(request, initial={"username": request.POST.get("username", "")})
            context = self.get_context_data(form=form, refused=refused.detail)
            return self.render_to_response(context, status=429, headers={"Retry-After": str(refused.seconds)})
        response = super().post(request, *args, **kwargs)
        if response.status_code == 302:
            sign_in_limits.tries.give_back(taken)
        return response
