"""The settings for the tests: secrets of this run, and a database in a file, since a consumer in its own process uses it too."""

import os
import secrets

os.environ.setdefault("DJANGO_SECRET_KEY", secrets.token_urlsafe(50))
os.environ.setdefault("GATEWAY_PASSWORD", secrets.token_hex(16))

from .settings import *  # noqa: F403
from .settings import BASE_DIR, DATABASES

DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; the passwords are the tests'
