#!/usr/bin/env bash
# The comment for a pull request: review.sh TARGET ENVIRONMENT, such as review.sh origin/main prod
# Each section is cut to what fits into one comment together; what was cut is whole on standard error, in the job's log.
# Exit code: 0 may be merged, 1 must not, 2 or 3 something could not be judged.
set -uo pipefail
cd "$(dirname "$0")/.."
target=$1
environment=$2
set_of=(base team "overlays/$environment")
policies=(--policies base --policies team --policies "overlays/$environment")
gitops=${GITOPS_ACCOUNT:-system:serviceaccount:argocd:argocd-application-controller}
worst=0
most=9000 # characters of a section: a comment has 65,536 at GitHub, and up to seven sections
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT

# Whole lines up to the end of the room; a part that was open is closed.
cut_short() {
    if (($(wc -c < "$scratch") <= most)); then
        cat "$scratch"
        return
    fi
    awk -v most="$most" '
        { used += length($0) + 1; if (used > most) exit; print; open += /<details>/; open -= /<\/details>/ }
        END { if (open > 0) print "\n</details>"; print "\n**Cut here:** the log of the job has the rest." }
    ' "$scratch"
    cat "$scratch" >&2
}

# section decides|tells TITLE COMMAND…: what "decides" counts for the exit code, and so does what could not be judged.
section() {
    local counts=$1 title=$2 code=0
    shift 2
    echo "## $title"
    echo
    "$@" > "$scratch" 2>&1 || code=$?
    cut_short
    echo
    if [[ $counts == decides || $code -gt 1 ]] && ((code > worst)); then
        worst=$code
    fi
}

echo "<!-- migguard $environment -->"
section decides "Mistakes" migguard lint "${set_of[@]}" -o markdown
section decides "Tests" migguard test team --coverage --require-tests -o markdown
section decides "Tests of the base" migguard test base -o markdown
if [[ -d snapshots/$environment ]]; then
    section decides "What Git applies" migguard check -f cluster "${policies[@]}" \
        --cluster "snapshots/$environment" --as "$gitops" -o markdown
    section tells "What it changes for running VMs" migguard diff --manifest cluster/hyperconverged.yaml \
        --cluster "snapshots/$environment" -o markdown
else
    section decides "What Git applies" migguard check -f cluster "${policies[@]}" --no-cluster --as "$gitops" -o markdown
fi
section tells "What changes in the policies" migguard diff --git "$target...HEAD" "${set_of[@]}" --tests -o markdown
if [[ -d audit/$environment ]]; then
    section tells "What was decided before, decided anew" migguard replay "audit/$environment" "${policies[@]}" -o markdown
fi
exit "$worst"
