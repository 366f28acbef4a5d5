"""Two users sign up at a simulated Stack Auth, appear in neon_auth.users_sync, sign in with the
tokens that the service gave, and each sees rows of their own alone. Runs inside dev/cluster;
STACK names the simulator's executable. What happens in the database is demo.sql, shown as it runs.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

STACK = os.environ["STACK"]


def request(url, headers=None, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers or {})) as answer:
        return json.load(answer)


def narrate(text):
    print(f"\033[1m==>\033[0m {text}", file=sys.stderr, flush=True)


def run(base_url):
    keys = json.loads(subprocess.check_output([STACK, "keys", "--base-url", base_url]))
    server = {
        "x-stack-access-type": "server",
        "x-stack-project-id": keys["auth_provider_project_id"],
        "x-stack-secret-server-key": keys["secret_server_key"],
    }

    def sign_up(name):
        email = f"{name.split()[0].lower()}@example.com"
        user = {"display_name": name, "primary_email": email, "primary_email_verified": True}
        return request(f"{base_url}/dev/users", body=user)["id"]

    def token(user_id):
        return request(f"{base_url}/dev/tokens", body={"user_id": user_id})["access_token"]

    narrate(f"Two users sign up at {base_url}, and get their access tokens")
    alice, bob = sign_up("Alice Example"), sign_up("Bob Example")
    users = request(f"{base_url}/api/v1/users?limit=100", server)["items"]
    variables = {
        "keys": json.dumps(keys),
        "users": json.dumps(users),
        "alice": alice,
        "alice_token": token(alice),
        "bob_token": token(bob),
    }

    narrate("The rest is SQL")
    psql = ["psql", "--no-psqlrc", "--quiet", "--echo-all", "--set", "ON_ERROR_STOP=1"]
    for name, value in variables.items():
        psql += ["--set", f"{name}={value}"]
    script = pathlib.Path(__file__).with_name("demo.sql")
    subprocess.run([*psql, "--file", str(script)], check=True)


def main():
    with subprocess.Popen([STACK, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            run(server.stdout.readline().strip())
        finally:
            server.terminate()


main()
