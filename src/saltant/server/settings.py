"""Django's settings, from saltant's own (`saltant.config`)."""

from saltant.config import Settings
from saltant.logs import logging_config
from saltant.server import databases

SALTANT = Settings.from_env()


def _secret_key() -> str:
    if SALTANT.secret_key:
        return SALTANT.secret_key
    kept = SALTANT.data_dir / "secret-key"
    # Without a folder there is no server to protect: `manage` commands and type checks import this module too.
    return kept.read_text().strip() if kept.exists() else "no server runs with this key: it is as public as this line"


SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS = SALTANT.allowed_hosts or ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "saltant.server.admin.SaltantAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "saltant.server.accounts",
    "saltant.server.audit",
    "saltant.server.tasks",
    "saltant.server.files",
    "saltant.server.api",
    "saltant.server.web",
]
MIDDLEWARE = [
    "saltant.server.api.middleware.Health",
    "saltant.server.request_log.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "saltant.server.api.middleware.ApiHeaders",
    "saltant.server.web.middleware.PageHeaders",
    *(["saltant.server.https_only.HttpsOnly"] if SALTANT.https else []),
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "saltant.server.web.middleware.TimeZone",
    "saltant.server.admin_messages.PageMessages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# Every path works with and without its trailing slash: nothing has to be redirected.
APPEND_SLASH = False
ROOT_URLCONF = "saltant.server.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": databases.postgresql(SALTANT) if SALTANT.database_url else databases.sqlite(SALTANT)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SALTANT.https
SECURE_HSTS_SECONDS = SALTANT.hsts if SALTANT.https else 0
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for other hosts of the domain is not ours to decide,
    "security.W021",  # nor is a place in the browsers' preload lists.
    *(["security.W008"] if SALTANT.https else []),  # `HttpsOnly` is in the place of Django's redirect.
]

# Served by this process, from where the packages have them.
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

# The body has one limit, SALTANT_MAX_BODY; Django's own must not come before it.
DATA_UPLOAD_MAX_MEMORY_SIZE = SALTANT.max_body
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100_000

REST_FRAMEWORK = {
    "EXCEPTION_HANDLER": "saltant.server.api.errors.handle",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "saltant.server.accounts.authentication.TokenAuthentication",
        "saltant.server.accounts.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["saltant.server.api.permissions.IsPerson"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "saltant.server.api.parsers.JSONParser",
        "saltant.server.api.parsers.FormParser",
        "saltant.server.api.parsers.MultiPartParser",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "saltant.server.api.negotiation.JSONNegotiation",
    # `?format=…` is an unknown parameter, and those are ignored.
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_VERSIONING_CLASS": "saltant.server.api.negotiation.Versioning",
    "DEFAULT_VERSION": "1",
    "ALLOWED_VERSIONS": ["1", "2"],
    "UNAUTHENTICATED_USER": None,
}
# The rest of the document is ours: see `api.openapi`.
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],
}
# A changed password ends what was signed in with the old one.
SIMPLE_JWT = {"CHECK_REVOKE_TOKEN": True}

LOGGING = logging_config(SALTANT)
