# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# 200 builds in sequence and 32 in parallel leave no descriptor, thread, mount, process, cgroup or temporary file, and
# memory does not grow with their number.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'ARG N'; echo 'RUN echo $N > /n'; } > "$WORK/c/Dockerfile"
start_daemon
descriptors() { ls "/proc/$DAEMON/fd" | wc -l; }
threads() { ls "/proc/$DAEMON/task" | wc -l; }
# Private memory that the daemon wrote to, without mapped libraries and memory of the kernel.
memory_kb() { awk '/^RssAnon:/ { print $2 }' "/proc/$DAEMON/status"; }
one_by_one() { # FROM TO
	for i in $(seq "$1" "$2"); do
		build "$WORK/c" --opt "build-arg:N=$i" 2> "$WORK/one" || { cat "$WORK/one"; fail "build $i"; }
	done
}
at_once() { # NAME
	pids=
	for i in $(seq 32); do
		build "$WORK/c" --opt "build-arg:N=$1$i" > "$WORK/p$i" 2>&1 &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || { cat "$WORK"/p* | tail -20; fail "a concurrent build"; }
	done
}
at_rest() {
	"$BIN/buildctl" prune --all > /dev/null
	await few_threads # idle threads of pools end after a while
}
few_threads() { [ "$(threads)" -le $((idle + 2)) ] || { cat /proc/"$DAEMON"/task/*/comm; false; }; }
# Warm-up: both kinds of builds have run, and the build history has reached its length.
idle=$(threads)
at_once a
at_once b
at_once c
one_by_one 1 40
at_rest
fds=$(descriptors) kb=$(memory_kb)
one_by_one 41 240
at_once again
at_rest
echo "descriptors $fds to $(descriptors), memory $kb kB to $(memory_kb) kB"
[ "$(descriptors)" -le $((fds + 4)) ] || { ls -l "/proc/$DAEMON/fd"; fail "descriptors are left"; }
# Memory is returned to the system some seconds after the last build; sanitizers keep it for longer.
for _ in $(seq 100); do
	[ "$(memory_kb)" -gt $((kb + 8192)) ] || break
	sleep 0.1
done
[ "${E2E_SANITIZER:-}" = 1 ] || [ "$(memory_kb)" -le $((kb + 8192)) ] || fail "the memory grew"
# The daemon keeps one mount: the state directory on itself, nodev.
left=$(awk -v work="$WORK" 'index($5, work) == 1 && $5 != work "/root"' "/proc/$DAEMON/mountinfo")
[ -z "$left" ] || { echo "$left"; fail "a mount is left"; }
no_leftovers
stop_daemon
[ -z "$(new_cgroups)" ] || fail "a cgroup is left"
no_leftovers
