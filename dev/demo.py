"""Two users sign up at a simulated Stack Auth, appear in neon_auth.users_sync, and sign in with the
tokens of the service. Each of them sees only their own rows. A third user signs up while you watch.
Then a user of Better Auth does the same, in another database, with the token of a session.

Runs inside dev/cluster; STACK names the simulator's executable. demo.sql and demo_better_auth.sql contain
the statements that run in the databases, and psql prints them.
"""

import http.server
import json
import os
import pathlib
import secrets
import subprocess
import sys
import threading
import time
import urllib.request

STACK = os.environ["STACK"]
PSQL = ["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]


def request(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as answer:
        return json.load(answer)


def narrate(text):
    print(f"\033[1m==>\033[0m {text}", file=sys.stderr, flush=True)


def stack(*arguments):
    return json.loads(subprocess.check_output([STACK, *arguments]))


def psql(*arguments, **variables):
    """Runs psql; an error ends the demo."""
    settings = [f"--set={name}={value}" for name, value in variables.items()]
    subprocess.run([*PSQL, *settings, *arguments], check=True)


class BackEnd(http.server.BaseHTTPRequestHandler):
    """A back end that passes webhooks to the database with one SQL statement; the database verifies them."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        call = "SELECT neon_auth.handle_webhook(:'body', :'headers') \\g /dev/null\n"
        headers = json.dumps(dict(self.headers.items()))
        done = subprocess.run(
            [*PSQL, "--set", f"body={body}", "--set", f"headers={headers}"], input=call, text=True
        )
        self.send_response(204 if done.returncode == 0 else 500)
        self.end_headers()

    def log_message(self, *_):
        pass


def sql_file(name):
    return str(pathlib.Path(__file__).with_name(name))


def run(base_url, back_end):
    def sign_up(name):
        email = f"{name.split()[0].lower()}@example.com"
        user = {"display_name": name, "primary_email": email, "primary_email_verified": True}
        return request(f"{base_url}/dev/users", user)["id"]

    def token(user_id):
        return request(f"{base_url}/dev/tokens", {"user_id": user_id})["access_token"]

    narrate(f"Two users sign up at {base_url} and get their access tokens")
    alice, bob = sign_up("Alice Example"), sign_up("Bob Example")

    narrate("The rest is SQL")
    psql(
        "--echo-all",
        "--file",
        sql_file("demo.sql"),
        keys=json.dumps(stack("keys", "--base-url", base_url)),
        webhook_secret=stack("credentials")["webhook_secret"],
        alice=alice,
        alice_token=token(alice),
        bob_token=token(bob),
    )

    narrate("Carol signs up; the service sends a webhook to a back end, which passes it to the database")
    port = back_end.server_address[1]
    request(f"{base_url}/dev/webhook-endpoint", {"url": f"http://127.0.0.1:{port}/"})
    carol = sign_up("Carol Example")
    look = f"SELECT name, email FROM neon_auth.users_sync WHERE id = '{carol}'"
    for _ in range(300):
        found = subprocess.check_output([*PSQL, "--tuples-only", "--no-align", "--command", look], text=True)
        if found:
            break
        time.sleep(0.1)
    psql("--echo-all", "--command", look)
    assert found, "Carol did not appear in users_sync"


def better_auth():
    narrate("Better Auth, in a database of its own: it keeps its users in tables there")
    psql("--echo-all", "--command", "CREATE DATABASE shop")
    # A token of the form that Better Auth gives a session: 32 letters and digits.
    psql("--echo-all", "--file", sql_file("demo_better_auth.sql"), "shop", dora_session=secrets.token_hex(16))


def main():
    back_end = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BackEnd)
    threading.Thread(target=back_end.serve_forever, daemon=True).start()
    with subprocess.Popen([STACK, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            run(server.stdout.readline().strip(), back_end)
        finally:
            server.terminate()
    better_auth()


main()
