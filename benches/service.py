"""The simulated Stack Auth service, whose executable STACK names."""

import base64
import contextlib
import http.client
import json
import os
import subprocess
import urllib.parse
import urllib.request

STACK = os.environ["STACK"]


class Service:
    def __init__(self, base_url):
        self.base_url = base_url

    def request(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def keys(self):
        """What the Neon console answers for this service."""
        return json.loads(subprocess.check_output([STACK, "keys", "--base-url", self.base_url]))

    def jwks(self):
        path = self.keys()["jwks_url"].removeprefix(self.base_url)
        return self.request(f"{path}?include_restricted=true&include_anonymous=true")

    def sign_up(self):
        user = {"display_name": "A User", "primary_email": "user@example.com", "primary_email_verified": True}
        return self.request("/dev/users", user)["id"]

    def token(self, user, **claims):
        body = {"user_id": user, "expires_in": 7200, "claims": claims}
        return self.request("/dev/tokens", body)["access_token"]

    def tokens(self, user, every_claims):
        """A token for each of the claims, over one connection."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.base_url).netloc)
        made = []
        for claims in every_claims:
            body = {"user_id": user, "expires_in": 7200, "claims": claims}
            connection.request("POST", "/dev/tokens", json.dumps(body), {"Content-Type": "application/json"})
            made.append(json.load(connection.getresponse())["access_token"])
        connection.close()
        return made

    def fetches(self):
        """How often the keys have been asked for since `forget_fetches`."""
        return self.request("/dev/requests?prefix=/api/v1/projects/")["count"]

    def forget_fetches(self):
        self.request("/dev/requests", method="DELETE")


def claims_of(token):
    return decoded(token.split(".")[1])


def key_id_of(token):
    return json.loads(decoded(token.split(".")[0]))["kid"]


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


@contextlib.contextmanager
def running():
    with subprocess.Popen([STACK, "serve", "--until-eof"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as server:
        try:
            yield Service(server.stdout.readline().strip())
        finally:
            server.stdin.close()
