"""Settings of the example backend. Whatever is secret, or differs from one machine to the next, comes from the environment; nothing secret has a default."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def required(variable):
    """A variable without which nothing starts."""
    try:
        return os.environ[variable]
    except KeyError:
        raise ImproperlyConfigured(f"the environment has no {variable}: README.md says how to make one") from None


SECRET_KEY = required("DJANGO_SECRET_KEY")
DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")

OCPP_REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
"""The Redis of the gateway."""
OCPP_EVENTS = "events"
OCPP_COMMANDS = "commands"
OCPP_PASSWORD = required("GATEWAY_PASSWORD")
"""What the gateway shows when it asks this backend: `BASE_URL=http://gateway:PASSWORD@HOST:PORT`."""

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "charging",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "backend.urls"
WSGI_APPLICATION = "backend.wsgi.application"
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
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE", BASE_DIR / "db.sqlite3"),
        # The web server and the consumer both write: a transaction waits for its turn at its begin, instead of failing in its midst.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
    }
}
LOGIN_URL = "admin:login"
STATIC_URL = "static/"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if not DEBUG:  # then it is behind HTTPS
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
