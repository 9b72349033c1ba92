# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Network mode cni with the containerd worker, which mounts namespaces where containerd's shims see them.
. "$HERE/network.inc"
. "$HERE/containerd.inc"
make_context "$WORK/c"
cni_config cni8 10.98.0.0/16 > "$WORK/cni.conflist"
NET="--containerd-worker-net=cni --containerd-cni-config-path=$WORK/cni.conflist --containerd-cni-binary-dir=$PLUGINS"
client() { PYTHONPATH="$HERE" timeout 280 python3 -B "$HERE/containers.py" "$@"; }

start_containerd
start_containerd_daemon $NET --allow-insecure-entitlement=network.host --allow-insecure-entitlement=security.insecure
[ "$(label)" = cni ] || fail "label $(label)"
run_step 'ip -o -4 addr; cat /etc/resolv.conf' > "$WORK/out"
grep -q 'eth0 *inet 10\.98\.' "$WORK/out" || { cat "$WORK/out"; fail "no address"; }
RUN_FLAGS=--network=host run_step 'ip -o link' --allow network.host | grep -q cni8 || fail "not the host's network"
# Containers of clients, with further processes.
client works "$WORK/sock" || fail "containers"

# Killed during a step.
{ cat "$WORK/c/base"; echo "RUN sleep $NAP"; } > "$WORK/c/Dockerfile"
start_build "$WORK/killed.log" "$WORK/c"
await napping
stop_daemon KILL
wait_client && fail "the build survived"
start_containerd_daemon
[ "$(label)" = host ] || fail "label $(label)"
no_network cni8
stop_daemon
no_network cni8
no_containerd_leftovers
