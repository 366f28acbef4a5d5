# Scripts that run several steps source this file: each step's name and seconds, and a table of all.
# shellcheck shell=bash

table=() failed=() remarks=()
row() { table+=("$(printf '%-32s %7s  %s' "$1" "$2" "$3")"); }

# Runs a step and notes it in the table.
step() { # NAME COMMAND [ARGUMENT ...]
    local name=$1 started=$SECONDS result=passed
    shift
    say "Step: $name"
    "$@" || result=FAILED
    row "$name" "$((SECONDS - started)) s" "$result"
    say "Step: $name: $result, $((SECONDS - started)) s"
    [ "$result" = passed ] || failed+=("$name")
    [ "$result" = passed ]
}

# Prints the table, and below it the result. Fails if a step failed.
print_steps() { # SUBJECT
    local result=passed
    printf '%-32s %7s  %s\n' "step" "time" "result"
    printf '%s\n' "${table[@]}"
    [ ${#failed[@]} -eq 0 ] || result="FAILED: $(printf '%s, ' "${failed[@]}" | sed 's/, $//')"
    [ ${#remarks[@]} -eq 0 ] || result+="; $(printf '%s, ' "${remarks[@]}" | sed 's/, $//')"
    echo "$1: $result; $((SECONDS / 60)) min"
    [ ${#failed[@]} -eq 0 ]
}
