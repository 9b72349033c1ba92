# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 600
# Network mode cni: steps are in namespaces that CNI plugins made, on every way to run a step; nothing is left of them.
. "$HERE/network.inc"
make_context "$WORK/c"
cni_config cni9 10.99.0.0/16 > "$WORK/cni.conflist"
sed -i 's/^/  /' "$WORK/cni.conflist"
NET="--oci-worker-net=cni --oci-cni-config-path=$WORK/cni.conflist --oci-cni-binary-dir=$PLUGINS"

start_daemon $NET --allow-insecure-entitlement=network.host --allow-insecure-entitlement=security.insecure
[ "$(label)" = cni ] || fail "label $(label)"
[ "$(records | wc -l)" = 1 ] || fail "the first namespace is not in the pool"
run_step 'ip -o -4 addr; ip route; cat /etc/resolv.conf /etc/hosts' > "$WORK/out"
grep -q 'eth0 *inet 10\.99\.' "$WORK/out" || { cat "$WORK/out"; fail "no address"; }
grep -q 'lo *inet 127.0.0.1' "$WORK/out" || { cat "$WORK/out"; fail "lo is not up"; }
grep -q 'default via 10.99.0.1' "$WORK/out" || { cat "$WORK/out"; fail "no route"; }
grep -q '^nameserver ' "$WORK/out" || { cat "$WORK/out"; fail "no name server"; }
# The next step gets the same namespace.
first=$(sed -n 's/.*eth0 *inet \([0-9.]*\).*/\1/p' "$WORK/out")
[ "$(run_step 'ip -o -4 addr show eth0' | sed -n 's/.*inet \([0-9.]*\).*/\1/p')" = "$first" ] || fail "not reused"
[ "$(records | wc -l)" = 1 ] || fail "a namespace was not reused"
# The host's network, which needs the entitlement, and none.
RUN_FLAGS=--network=host run_step 'ip -o link' --allow network.host | grep -q cni9 || fail "not the host's network"
fails 'network.host is not allowed' "$WORK/out" build "$WORK/c"
[ "$(RUN_FLAGS=--network=none run_step 'ip -o link' | grep -c ': ')" = 1 ] || fail "a step without network has links"
# A namespace that an insecure step could change is not used again.
RUN_FLAGS=--security=insecure run_step 'ip addr add 10.1.2.3/32 dev eth0; echo added' --allow security.insecure | grep -q added
! run_step 'ip -o -4 addr' | grep -q 10.1.2.3 || fail "the namespace of an insecure step was used again"
# A step with a host name has its own namespace.
run_step 'hostname; ip -o -4 addr show eth0' --opt hostname=named > "$WORK/out"
grep -q named "$WORK/out" || fail "host name"
grep -q "inet 10.99" "$WORK/out" && ! grep -q "inet $first" "$WORK/out" || { cat "$WORK/out"; fail "from the pool"; }
# Two steps at the same time have two namespaces, and reach each other.
{
	cat "$WORK/c/base"
	echo "FROM base AS server"
	echo "RUN --mount=type=cache,target=/m ip -o -4 addr show eth0 | sed 's/.*inet //;s,/.*,,' > /m/new && mkfifo /m/ended && mv /m/new /m/address && { echo hello | nc -l -p 7000 > /m/answer; }; cp /m/answer /answer"
	echo "FROM base AS client"
	echo "RUN --mount=type=cache,target=/m while [ ! -e /m/address ]; do sleep 0.1; done; while ! echo world | nc -w 5 \$(cat /m/address) 7000 > /hello || ! grep -q hello /hello; do sleep 0.1; done"
	echo "FROM scratch"
	echo "COPY --from=server /answer /"
	echo "COPY --from=client /hello /"
} > "$WORK/c/Dockerfile"
build "$WORK/c" --output type=local,dest="$WORK/two" > "$WORK/out" 2>&1 || { cat "$WORK/out"; fail "two steps"; }
[ "$(cat "$WORK/two/hello" "$WORK/two/answer")" = "$(printf 'hello\nworld')" ] || fail "wrong answers"
stop_daemon
no_network cni9

# Killed during a step, and while namespaces are unused: the next start removes everything.
start_daemon $NET --oci-cni-pool-size=3
three() { [ "$(records | wc -l)" = 3 ]; }
await three
{ cat "$WORK/c/base"; echo "RUN sleep $NAP"; } > "$WORK/c/Dockerfile"
start_build "$WORK/killed.log" "$WORK/c"
await napping
[ -n "$(leases)" ] || fail "no leases before"
[ -n "$(rules)" ] || fail "no rules before"
stop_daemon KILL
wait_client && fail "the build survived"
[ -n "$(rules)" ] || fail "the test of rules finds nothing"
start_daemon # host
[ "$(label)" = host ] || fail "label $(label)"
! napping || fail "a step is left"
no_network cni9
stop_daemon

# Containers of clients, with further processes.
client() { PYTHONPATH="$HERE" timeout 280 python3 -B "$HERE/containers.py" "$@"; }
ENTITLED="--allow-insecure-entitlement=network.host --allow-insecure-entitlement=security.insecure"
start_daemon $NET $ENTITLED
client works "$WORK/sock" || fail "containers"
stop_daemon
no_network cni9

# The same with OCI runtimes.
for runtime in $(runtimes); do
	use_runtime "$runtime"
	start_daemon $NET
	run_step 'ip -o -4 addr' | grep -q 'eth0 *inet 10\.99\.' || fail "$runtime: no address"
	stop_daemon KILL
	start_daemon $NET $ENTITLED
	[ "$(records | wc -l)" = 1 ] || { records; fail "the namespaces of the killed daemon are left"; }
	run_step 'ip -o -4 addr' | grep -q 'eth0 *inet 10\.99\.' || fail "$runtime: no address after a restart"
	client works "$WORK/sock" || fail "containers with $runtime"
	stop_daemon
	no_network cni9
done
