# README.md, "Development", documents each target. The scripts in dev/ do the work. Without PG_CONFIG,
# `install` takes the pg_config on PATH, and each other target takes a private PostgreSQL.

.PHONY: install demo example test test-all test-clients test-drivers test-example test-monitoring test-policies test-sqlsmith test-image test-cassert bench soak fuzz fuzz-queries mutants miri lint spot plpgsql package checksums

install:
	PG_CONFIG="$${PG_CONFIG:-pg_config}" dev/setup
	PG_CONFIG="$${PG_CONFIG:-pg_config}" dev/install --release

demo:
	dev/demo

example:
	dev/example

test:
	dev/test $(PART) $(if $(TEST),-- $(TEST))

test-all:
	dev/test-all

test-clients:
	dev/test-clients $(APPLICATION)

test-drivers:
	dev/test-drivers

test-example:
	dev/test-example

test-monitoring:
	dev/test-monitoring

test-policies:
	dev/test-policies

test-sqlsmith:
	dev/test-sqlsmith

test-image:
	dev/test-image

test-cassert:
	dev/test-cassert

bench:
	dev/bench

soak:
	dev/soak

fuzz:
	dev/fuzz

fuzz-queries:
	dev/fuzz-queries

mutants:
	dev/mutants $(MUTANTS_FILES)

miri:
	dev/miri

lint:
	dev/lint $(STEP)

spot:
	dev/lint pgspot

plpgsql:
	dev/lint plpgsql

package:
	dev/package $(PG_MAJORS)
	dev/test-package $(PG_MAJORS)

checksums:
	dev/checksums
