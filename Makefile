# Every target is documented in README.md; the work is done by the scripts in dev/.
PG_CONFIG ?= pg_config

.PHONY: install demo test lint

# Builds an optimised neon_auth and installs it into the PostgreSQL of PG_CONFIG.
install:
	PG_CONFIG="$$(command -v $(PG_CONFIG))" dev/setup
	PG_CONFIG="$$(command -v $(PG_CONFIG))" dev/install --release

# demo, test and lint use a private PostgreSQL unless PG_CONFIG is in the environment.
ifeq ($(origin PG_CONFIG),file)
unexport PG_CONFIG
endif

demo:
	dev/demo

test:
	dev/test

lint:
	dev/lint
