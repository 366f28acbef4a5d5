"""The crates that the library links: without build tools and procedural macros, which it does not contain."""

import json
import platform
import subprocess


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def target():
    return f"{platform.machine()}-unknown-linux-gnu"


def features(major):
    return "--no-default-features", "--features", f"pg{major}"


def linked(major):
    """Name and version of every crate that the library links."""
    lines = run("cargo", "tree", "--locked", "--package", "neon_auth", *features(major), "--target", target(),
                "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}").splitlines()
    return {(name, version.removeprefix("v")) for name, version in (line.split()[:2] for line in lines if line)}


def packages(major):
    """What Cargo knows of each linked crate that is from a registry, in the order of names and versions."""
    wanted = linked(major)
    metadata = json.loads(run("cargo", "metadata", "--format-version", "1", "--locked"))
    return sorted((package for package in metadata["packages"]
                   if package["source"] and (package["name"], package["version"]) in wanted),
                  key=lambda package: (package["name"], package["version"]))
