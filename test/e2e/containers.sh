# SPDX-License-Identifier: Apache-2.0
# Containers that a client starts in its build: streams, terminals, signals, mounts, files, modes; hostile clients of
# ExecProcess; and no process is left when the client, the build or the daemon ends.
# TIMEOUT 180
own_mounts
ENTITLED="--allow-insecure-entitlement=network.host --allow-insecure-entitlement=security.insecure"
client() { PYTHONPATH="$HERE" timeout 110 python3 -B "$HERE/containers.py" "$@"; }
none_nap() { ! napping; }
no_children() { [ -z "$(children)" ]; }

start_daemon $ENTITLED
client works "$WORK/sock" || fail "containers"
client hostile "$WORK/sock" || fail "hostile clients"
alive

# The client is killed: its build ends, and the processes with it.
hang() {
	PYTHONPATH="$HERE" python3 -B "$HERE/containers.py" hang "$WORK/sock" "$NAP" > "$WORK/hang" 2>&1 &
	CLIENT=$!
	wait_for running "$WORK/hang"
	await napping # a runtime may report the start before the exec
}
hang
kill -KILL "$CLIENT"
wait "$CLIENT" || true
await none_nap
# The daemon ends, and is killed.
hang
stop_daemon
none_nap || fail "the daemon's end left a process"
wait "$CLIENT" || true
start_daemon $ENTITLED
hang
stop_daemon KILL
wait "$CLIENT" || true
await none_nap
CLIENT=
start_daemon $ENTITLED
no_leftovers
stop_daemon
[ -z "$(new_cgroups)" ] || { new_cgroups; fail "cgroups are left"; }

# The same with other runtimes.
for runtime in $(runtimes); do
	use_runtime "$runtime"
	start_daemon $ENTITLED
	client works "$WORK/sock" || fail "containers with $runtime"
	hang
	kill -KILL "$CLIENT"
	wait "$CLIENT" || true
	CLIENT=
	await none_nap
	await no_children
	no_leftovers
	stop_daemon
	[ -z "$(new_cgroups)" ] || { new_cgroups; fail "$runtime: cgroups are left"; }
done
