# SPDX-License-Identifier: Apache-2.0
# Containers that a client starts in its build, with the containerd worker.
. "$HERE/containerd.inc"
client() { PYTHONPATH="$HERE" timeout 110 python3 -B "$HERE/containers.py" "$@"; }
none_nap() { ! napping; }
start_containerd
start_containerd_daemon --allow-insecure-entitlement=network.host --allow-insecure-entitlement=security.insecure
client works "$WORK/sock" || fail "containers"
containerd_is_empty containers tasks
PYTHONPATH="$HERE" python3 -B "$HERE/containers.py" hang "$WORK/sock" "$NAP" > "$WORK/hang" 2>&1 &
CLIENT=$!
wait_for running "$WORK/hang"
napping || fail "no process of the container"
kill -KILL "$CLIENT"
wait "$CLIENT" || true
CLIENT=
await none_nap
no_tasks() { [ -z "$(in_containerd containers)$(in_containerd tasks)" ]; }
await no_tasks
no_containerd_leftovers
