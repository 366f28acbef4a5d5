# Every target is documented in README.md; the work is done by the scripts in dev/. Without
# PG_CONFIG, install takes the pg_config on PATH and all others a private PostgreSQL.

.PHONY: install demo test test-all test-drivers test-image bench soak fuzz fuzz-queries lint spot package

# Builds an optimised neon_auth and installs it into the PostgreSQL of PG_CONFIG.
install:
	PG_CONFIG="$${PG_CONFIG:-pg_config}" dev/setup
	PG_CONFIG="$${PG_CONFIG:-pg_config}" dev/install --release

demo:
	dev/demo

test:
	dev/test

test-all:
	dev/test-all

# The snippets of docs/drivers.md with the drivers themselves, from npm, PyPI and crates.io.
test-drivers:
	dev/test-drivers

# The Dockerfile's instructions, without Docker.
test-image:
	dev/test-image

bench:
	dev/bench

soak:
	dev/soak

fuzz:
	dev/fuzz

fuzz-queries:
	dev/fuzz-queries

lint:
	dev/lint

# The installation script that is installed, with pgspot.
spot:
	dev/spot

# PG_MAJORS="14 17", or all; without it the one that test uses.
package:
	dev/package $(PG_MAJORS)
	dev/test-package $(PG_MAJORS)
