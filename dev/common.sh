# The other scripts source this file: paths, messages, versions, and the PostgreSQL in use.
# shellcheck shell=bash

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/neon_auth

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf '\033[1merror:\033[0m %s\n' "$*" >&2; exit 1; }

# Ends the script if one of these settings is not a whole number. A build of minutes would precede the test that reads it.
numbers() { # NAME ...
    local name
    for name; do
        [[ ${!name:-0} =~ ^[0-9]{1,18}$ ]] || die "$name must be a whole number, not ${!name}"
    done
}

PGRX_VERSION=$(sed -n 's/^pgrx = "=\(.*\)"$/\1/p' "$ROOT/Cargo.toml")
[ -n "$PGRX_VERSION" ] || die "Cargo.toml must name one version of pgrx, as in pgrx = \"=0.18.1\": cargo-pgrx must have the same version"

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

# The pg_config in use: PG_CONFIG if it is set, otherwise that of the private installation.
pg_config() {
    if [ -z "${PG_CONFIG:-}" ]; then
        echo "$CACHE/postgresql-$PG_MAJOR/bin/pg_config"
    else
        type -P "$PG_CONFIG" || die "$PG_CONFIG does not exist; set PG_CONFIG to the path of a pg_config"
    fi
}
pg_bindir() { "$(pg_config)" --bindir; }

# The major of that pg_config. Ends the script if neon_auth does not support it.
pg_major() {
    local config version major
    config=$(pg_config) || exit 1
    version=$("$config" --version) || die "$config cannot be run"
    major=$(sed -E 's/^PostgreSQL ([0-9]+).*/\1/' <<<"$version")
    is_supported "$major" || die "$config is of $version; neon_auth supports PostgreSQL $SUPPORTED"
    echo "$major"
}

# Cargo.lock decides what is built, and no build may change it. Some tools do not pass --locked to Cargo;
# before they run, this fails if Cargo would write another lock file.
check_lock() { # [DIRECTORY of the manifest]
    cargo metadata --locked --quiet --format-version 1 --manifest-path "${1:-$ROOT}/Cargo.toml" >/dev/null
}

# The directory of a tool from crates.io in the cache, built there once.
cargo_tool() { # CRATE VERSION
    local root=$CACHE/$1-$2
    if [ ! -x "$root/bin/$1" ]; then
        command -v cargo >/dev/null || die "cargo is missing; install Rust with rustup"
        say "Building $1 $2 (once, some minutes)"
        cargo install --quiet --locked --debug "$1" --version "$2" --root "$root" >&2
    fi
    echo "$root/bin"
}

# Tells cargo and cargo-pgrx which PostgreSQL to build for. pgrx needs a directory with a configuration:
# each pg_config has one in the cache, so nothing is built twice, and the user's own is not changed.
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
    # By default cargo-pgrx makes the linker keep unused functions, to write the schema. It writes the
    # same schema without them, and the library is smaller.
    export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1
    # cargo-pgrx has no option --locked, but passes these flags on.
    check_lock || die "Cargo.lock is not up to date with Cargo.toml; run cargo update --workspace and commit the change"
    export PGRX_BUILD_FLAGS=--locked
}

# Node.js for the examples and the tests that use it. Debian 12's own is older.
NODE_MAJOR=20
# What is wrong with the machine's Node.js; fails if nothing is.
node_defect() {
    local major
    if ! command -v node >/dev/null; then
        echo "Node.js is missing"
    elif ! command -v npm >/dev/null; then
        echo "npm is missing"
    elif ! major=$(node --print 'process.versions.node.split(".")[0]'); then
        echo "node cannot be run"
    elif [ "$major" -lt "$NODE_MAJOR" ]; then
        echo "$(command -v node) is of version $(node --version)"
    else
        return 1
    fi
}
need_node() {
    local defect
    defect=$(node_defect) || return 0
    [ -x "$CACHE/node/bin/node" ] ||
        die "$defect; install Node.js $NODE_MAJOR or later, with npm (https://nodejs.org), or run dev/setup --node"
    PATH=$CACHE/node/bin:$PATH
}

# Installs what a directory's package-lock.json names, unless that was done.
npm_ci() { # DIRECTORY ...
    local directory
    for directory in "$@"; do
        [ ! "$directory/node_modules/.package-lock.json" -nt "$directory/package-lock.json" ] || continue
        say "Fetching the packages of ${directory#"$ROOT/"} from npm"
        (cd "$directory" && npm ci --silent --no-audit --no-fund --ignore-scripts >&2) ||
            die "npm ci failed in $directory; it needs access to the npm registry"
    done
}
