# Sourced by the other scripts: where things are, and how they speak.
# shellcheck shell=bash

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/neon_auth

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf '\033[1merror:\033[0m %s\n' "$*" >&2; exit 1; }

PGRX_VERSION=$(sed -n 's/^pgrx = "=\(.*\)"$/\1/p' "$ROOT/Cargo.toml")
[ -n "$PGRX_VERSION" ] || die "Cargo.toml must name one version of pgrx, as in pgrx = \"=0.18.1\": cargo-pgrx has to be the same"

# The majors that neon_auth supports, in ascending order: the features of Cargo.toml. The default
# feature is the major that demo and test use unless PG_MAJOR names another.
mapfile -t MAJORS < <(sed -n 's/^pg\([0-9]*\) = \[.*/\1/p' "$ROOT/Cargo.toml" | sort --numeric-sort)
DEFAULT_MAJOR=$(sed -n 's/^default = \["pg\([0-9]*\)"\]$/\1/p' "$ROOT/Cargo.toml")
[[ -n $DEFAULT_MAJOR && " ${MAJORS[*]} " == *" $DEFAULT_MAJOR "* ]] ||
    die "Cargo.toml must name the majors of PostgreSQL as features, as in pg15 = [\"pgrx/pg15\"], and one of them as default"
SUPPORTED="${MAJORS[0]} to ${MAJORS[-1]}"
PG_MAJOR=${PG_MAJOR:-$DEFAULT_MAJOR}
is_supported() { [[ " ${MAJORS[*]} " == *" $1 "* ]]; }

# The version of neon_auth, which Cargo.toml alone decides.
extension_version() { sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml"; }

# The pg_config in use: PG_CONFIG if given, else that of the private installation.
pg_config() {
    if [ -z "${PG_CONFIG:-}" ]; then
        echo "$CACHE/postgresql-$PG_MAJOR/bin/pg_config"
    else
        type -P "$PG_CONFIG" || die "there is no $PG_CONFIG; name another with PG_CONFIG="
    fi
}
pg_bindir() { "$(pg_config)" --bindir; }

# The major of that pg_config; dies on one that neon_auth does not support.
pg_major() {
    local config version major
    config=$(pg_config) || exit 1
    version=$("$config" --version) || die "$config does not run"
    major=$(sed -E 's/^PostgreSQL ([0-9]+).*/\1/' <<<"$version")
    is_supported "$major" || die "$config is of $version; neon_auth supports PostgreSQL $SUPPORTED"
    echo "$major"
}

# Cargo.lock decides what is built, and no build changes it. For tools that pass no --locked on
# when they ask Cargo about the packages: an error if Cargo would write another lock file.
check_lock() { # [DIRECTORY of the manifest]
    cargo metadata --locked --quiet --format-version 1 --manifest-path "${1:-$ROOT}/Cargo.toml" >/dev/null
}

# What pgrx builds against, for cargo and cargo-pgrx. It wants a home with a configuration; the
# user's own stays as it is, and each pg_config has one that stays, so that nothing is built twice.
use_pgrx() {
    local config major
    config=$(pg_config)
    major=$(pg_major)
    PGRX_HOME=$CACHE/pgrx/$(cksum <<<"$config" | cut -d ' ' -f 1)
    PGRX_PG_CONFIG_PATH=$config
    export PGRX_HOME PGRX_PG_CONFIG_PATH
    # Written once: a newer file would make pgrx build its bindings again.
    if [ ! -f "$PGRX_HOME/config.toml" ]; then
        mkdir -p "$PGRX_HOME"
        printf '[configs]\npg%s = "%s"\n' "$major" "$config" >"$PGRX_HOME/config.toml"
    fi
    PATH=$CACHE/cargo-pgrx-$PGRX_VERSION/bin:$PATH
    # cargo-pgrx would have the linker keep what nothing calls, for the sake of the schema that it
    # writes; it writes the same without, and the library is smaller.
    export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1
    # cargo-pgrx has no option for it, but passes these on.
    check_lock || die "Cargo.lock does not fit Cargo.toml"
    export PGRX_BUILD_FLAGS=--locked
}
