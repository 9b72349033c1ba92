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
# The proxy network, in a namespace that containerd's shims see, too.
mkdir "$WORK/web"
echo content > "$WORK/web/file"
ip addr add 10.8.0.1/32 dev lo
python3 -m http.server --bind 10.8.0.1 --directory "$WORK/web" 8080 > "$WORK/web.log" 2>&1 &
undo "kill $!"
await python3 -c 'import socket; socket.create_connection(("10.8.0.1", 8080))'
run_step 'wget -q -O- http://10.8.0.1:8080/file; ip -o link | wc -l' --proxy-network > "$WORK/out"
grep -qx content "$WORK/out" && grep -qx 1 "$WORK/out" || { cat "$WORK/out"; fail "no proxy network"; }
proxies() { find "$WORK"/root/*/net/proxy -mindepth 1; }
[ -z "$(proxies)" ] || fail "a namespace of a proxy is left"
# Containers of clients, with further processes.
client works "$WORK/sock" || fail "containers"

# Killed during a step.
{ cat "$WORK/c/base"; echo "RUN sleep $NAP"; } > "$WORK/c/Dockerfile"
start_build "$WORK/killed.log" "$WORK/c" --proxy-network
await napping
[ "$(proxies | wc -l)" = 1 ] || fail "the step has no proxy"
stop_daemon KILL
wait_client && fail "the build survived"
start_containerd_daemon
[ "$(label)" = host ] || fail "label $(label)"
[ -z "$(proxies)" ] || fail "a namespace of a proxy is left after the kill"
no_network cni8
stop_daemon
no_network cni8
no_containerd_leftovers
