"""usage: app.py cookie | redis PORT FORMAT    the cookie of Flask itself, or Flask-Session with FORMAT msgpack or json"""

import os
import sys
import wsgiref.simple_server

from flask import Flask, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

app = Flask(__name__)
app.secret_key = os.environ["SECRET"]
if sys.argv[1] == "redis":
    import redis
    from flask_session import Session

    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=redis.Redis(port=int(sys.argv[2])), SESSION_SERIALIZATION_FORMAT=sys.argv[3])
    Session(app)
manager = LoginManager(app)


class User(UserMixin):
    def __init__(self, name):
        self.id = name


@manager.user_loader
def load(name):
    return User(name)


@app.get("/visit")
def visit():
    session["visits"] = session.get("visits", 0) + 1
    return "hello"


@app.post("/login")
def login():
    login_user(User(request.args["user"]))
    return "welcome"


@app.get("/me")
def me():
    return current_user.get_id() or ""


@app.post("/logout")
def logout():
    logout_user()
    return "bye"


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


with wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
    print("listening", server.server_port, flush=True)
    server.serve_forever()
