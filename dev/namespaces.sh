# Scripts source this file that run tests with servers of their own: whatever a command starts, and the mounts and files
# that it makes, end with the script, however that ends.
# shellcheck shell=bash

# Only root may mount; in a user namespace everybody is root.
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(--user --map-root-user)
in_namespaces=(unshare "${as_root[@]}" --mount --pid --fork --kill-child --mount-proc)

# Fails if this machine lets nobody mount in a namespace.
can_mount() { "${in_namespaces[@]}" mount -t tmpfs -o mode=1777 tmpfs /dev/shm 2>/dev/null; }

# From here on temporary files are in WORK. PostgreSQL runs as another user and must find its files there.
# Where nothing can be mounted, commands run without namespaces.
use_work() {
    if ! can_mount; then
        say "Without namespaces, a server of a test can outlive an interruption"
        in_namespaces=()
    fi
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/neon_auth.XXXXXX")
    chmod 755 "$WORK"
    export TMPDIR=$WORK
    trap end_namespaces EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

end_namespaces() {
    local status=$? first
    trap - EXIT INT TERM
    if [ -n "${namespaces:-}" ] && [ ${#in_namespaces[@]} -eq 0 ]; then
        kill "$namespaces" || true
    elif [ -n "${namespaces:-}" ]; then
        # The first process in the namespaces ends after all others, and unshare after it.
        read -r first <"/proc/$namespaces/task/$namespaces/children" || true
        kill -9 "${first:-$namespaces}" || true
    fi
    wait || true
    rm -rf "$WORK"
    exit "$status"
}

# In the background: bash runs the trap of a signal while it waits, but not while a command is in the foreground.
run_in_namespaces() { # COMMAND [ARGUMENT ...]
    local result=0
    "${in_namespaces[@]}" "$@" &
    namespaces=$!
    wait "$namespaces" || result=$?
    namespaces=''
    return "$result"
}
