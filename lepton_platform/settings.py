"""Django settings from `lepton_platform.env`; one file for every environment."""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF, UNSAFE_EVAL
from django.utils.translation import gettext_lazy as _

from lepton_platform.cache import JsonCacheSerializer
from lepton_platform.env import (
    BASE_DIR,
    DatabaseUrl,
    read_environment,
    uses_embedded_services,
)
from lepton_platform.logs import build_logging_settings
from lepton_platform.setting_reader import InvalidSetting

try:
    ENV = read_environment(os.environ)
except InvalidSetting as error:
    sys.stderr.write(f"{error}\n")
    raise SystemExit(2) from None

_IS_HTTPS = ENV.base_url.startswith("https://")

LEPTON_HOME = ENV.home
LEPTON_REGIONS = ENV.regions
LEPTON_SERVED_REGIONS = ENV.served_regions
LEPTON_KEY_PEPPER = ENV.key_pepper
LEPTON_CONTROL_SCOPE_KEY = ENV.control_scope_key
LEPTON_BASE_URL = ENV.base_url
LEPTON_VALKEY_URL = ENV.valkey_url
LEPTON_MODEL_CACHE_MIB = ENV.model_cache_mib
LEPTON_GATE_MIN_GAIN_PERCENT = ENV.gate_min_gain_percent
LEPTON_METRICS_TOKEN = ENV.metrics_token
LEPTON_RAY_ADDRESS = ENV.ray_address
LEPTON_RAY_WORKERS = ENV.ray_workers
LEPTON_RAY_MIN_EVENTS = ENV.ray_min_events
LEPTON_LANGUAGE_MODELS = ENV.language_models

SECRET_KEY = ENV.secret_key
DEBUG = False
ALLOWED_HOSTS = list(ENV.allowed_hosts)
ROOT_URLCONF = "lepton_platform.urls"
WSGI_APPLICATION = "lepton_platform.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "unfold",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.admin",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_celery_beat",
    "tenants.control",
    "tenants.data",
    "tenants.keys",
    "recommender",
    "lepton_platform",
    "lepton_platform.portal",
    "lepton_platform.staff",
]

MIDDLEWARE = [
    "lepton_platform.middleware.HealthMiddleware",
    "lepton_platform.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "lepton_platform.middleware.HeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
# Used by `wsgi_handlers.ApiHandler` for requests below /api/v1/.
LEPTON_API_MIDDLEWARE = [
    "lepton_platform.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "lepton_platform.middleware.HeadersMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]


# psycopg's `prepare_threshold`: executions of a statement before it is prepared on the server.
_NEVER_PREPARE = 2**31 - 1


def _build_database(alias: str, url: DatabaseUrl) -> dict[str, Any]:
    """The DATABASES entry of one alias.

    Parameters are bound on the server, so that no statement text contains a value. The application role uses a
    connection pool. Data connections have no health check before each request: it would cost the hot path a round
    trip, and `Scope` replaces a broken connection itself. Statements are prepared only where the code requests it
    (reason in `Scope.cursor`).
    """
    options: dict[str, Any] = {
        **url.options,
        "server_side_binding": True,
        "connect_timeout": 5,
        "prepare_threshold": _NEVER_PREPARE,
    }
    if ENV.role == "app":
        options["pool"] = {
            "min_size": 0,
            "max_size": ENV.pool_size,
            "timeout": 5.0,
            "max_idle": 120.0,
            "reconnect_timeout": 2.0,
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": url.host,
        "PORT": url.port,
        "NAME": url.name,
        "USER": url.user,
        "PASSWORD": url.password,
        "OPTIONS": options,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": not alias.startswith("data_"),
    }


DATABASES = {alias: _build_database(alias, url) for alias, url in ENV.databases.items()}
DATABASE_ROUTERS = ["tenants.router.PlaneRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ENV.valkey_url,
        "KEY_PREFIX": "lepton",
        "OPTIONS": {"serializer": JsonCacheSerializer, "socket_timeout": 1.0, "socket_connect_timeout": 1.0},
    }
}

AUTH_USER_MODEL = "control.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = False

# Without a mail server e-mails are written to files below LEPTON_HOME.
_MAIL_URL = urlsplit(ENV.mail_url)
_MAIL_BACKEND = "filebased" if _MAIL_URL.scheme == "file" else "smtp"
EMAIL_BACKEND = f"django.core.mail.backends.{_MAIL_BACKEND}.EmailBackend"
EMAIL_FILE_PATH = unquote(_MAIL_URL.path)
EMAIL_HOST, EMAIL_PORT = _MAIL_URL.hostname or "", _MAIL_URL.port or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_MAIL_URL.username or ""), unquote(_MAIL_URL.password or "")
EMAIL_USE_SSL = _MAIL_URL.scheme == "smtps"
EMAIL_USE_TLS = _MAIL_URL.scheme == "smtp" and bool(_MAIL_URL.username)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = f"Lepton <no-reply@{urlsplit(ENV.base_url).hostname}>"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
FORMAT_MODULE_PATH = ["lepton_platform.staff.formats"]
LOCALE_PATHS = [BASE_DIR / "lepton_platform" / "locale"]

STATIC_URL = "/static/"
# Uploaded images go through the encrypted object store; nothing may reach Django's default file storage.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [f"{urlsplit(ENV.base_url).scheme}://{urlsplit(ENV.base_url).netloc}"]
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365 if _IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _IS_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _IS_HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
LEPTON_STAFF_NEEDS_MFA = not uses_embedded_services(os.environ)
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("Lepton staff"),
    "SITE_HEADER": "Lepton",
    "SITE_SUBHEADER": _("Platform staff"),
    "SITE_SYMBOL": "graph_3",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "lepton_platform.staff.navigation.get_favicon_url"}
    ],
    "STYLES": ["lepton_platform.staff.navigation.get_stylesheet_url"],
    "SHOW_LANGUAGES": True,
    "ACCOUNT": {"navigation": "lepton_platform.staff.navigation.build_account_menu"},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": "lepton_platform.staff.navigation.build_sidebar",
    },
}
# django-unfold evaluates Alpine expressions, which needs unsafe-eval; `HeadersMiddleware` grants it to staff pages only.
LEPTON_STAFF_SCRIPT_SOURCES = [SELF, UNSAFE_EVAL]

DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Lepton",
    "VERSION": "1",
    "DESCRIPTION": "Recommendations on isolated, encrypted, region-bound data.",
    "OAS_VERSION": "3.1.1",
    "POSTPROCESSING_HOOKS": ["lepton_platform.api.openapi.add_operations"],
}

CELERY_BROKER_URL = ENV.broker_url
# `PlatformConfig.ready` applies LOGGING: Django's own set-up would run before structlog is configured.
LOGGING_CONFIG = None
LOGGING = build_logging_settings()
