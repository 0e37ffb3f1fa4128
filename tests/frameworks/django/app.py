"""usage: app.py BACKEND FOLDER [WHERE]    BACKEND is db, file, signed_cookies or cache; WHERE: the folder of PostgreSQL's socket, the port of Redis"""

import os
import pathlib
import sys
import wsgiref.simple_server

import django
from django.conf import settings

backend, folder = sys.argv[1], pathlib.Path(sys.argv[2])
where = sys.argv[3] if len(sys.argv) > 3 else ""
database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}
if backend == "db" and where:
    database = {"ENGINE": "django.db.backends.postgresql", "HOST": where, "NAME": "app", "USER": "app", "PASSWORD": os.environ["PGPASSWORD"]}
caches = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if backend == "cache":
    caches["default"] = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"redis://127.0.0.1:{where}/1",
                         "OPTIONS": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"}}
settings.configure(
    CACHES=caches,
    SECRET_KEY=os.environ["SECRET"], ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    DATABASES={"default": database},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"], DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    SESSION_ENGINE=f"django.contrib.sessions.backends.{backend}", SESSION_FILE_PATH=str(folder),
    SESSION_SERIALIZER="django.contrib.sessions.serializers.JSONSerializer")
django.setup()

from django.contrib.auth import authenticate, login, logout  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


def visit(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse("hello")


def log_in(request):
    login(request, authenticate(request, username=request.GET["user"], password="open sesame"))
    return HttpResponse("welcome")


def me(request):
    return HttpResponse(str(request.user.pk or ""))


def log_out(request):
    logout(request)
    return HttpResponse("bye")


def lock(request):
    """What an administrator does, or the user with another browser."""
    user = User.objects.get(username=request.GET["user"])
    if request.GET["how"] == "password":
        user.set_password("another")
    else:
        user.is_active = False
    user.save()
    return HttpResponse("done")


urlpatterns = [path("lock", lock), path("visit", visit), path("login", log_in), path("me", me), path("logout", log_out)]


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


call_command("migrate", verbosity=0)
for name in ("alice", "bob", "carol", "dave"):
    User.objects.create_user(name, password="open sesame")
with wsgiref.simple_server.make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
    print("listening", server.server_port, flush=True)
    server.serve_forever()
