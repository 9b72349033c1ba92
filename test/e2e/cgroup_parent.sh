# SPDX-License-Identifier: Apache-2.0
# Steps below a cgroup parent that a build chooses are limited. The parent's directories are removed with the last
# step and, after a kill, at the next start. With each runtime.
# TIMEOUT 180
own_mounts
make_context "$WORK/c"
PARENT="buildkit-parent-$$"
parents() { find /sys/fs/cgroup -maxdepth 2 -name "$PARENT*" -type d; }
limit_of() { cat "/sys/fs/cgroup/pids/$1/buildkit/pids.max" 2> /dev/null || cat "/sys/fs/cgroup/$1/buildkit/pids.max"; }
no_parents() { [ -z "$(parents)" ]; }
check() { # NAME
	{ cat "$WORK/c/base"; echo "RUN cat /proc/self/cgroup > /cgroup-$1 && sleep $NAP"; } > "$WORK/c/Dockerfile"
	start_daemon
	start_build "$WORK/log1" "$WORK/c" --opt cgroup-parent="/$PARENT-a/deep"
	await napping
	[ "$(limit_of "$PARENT-a/deep")" = 32768 ] || fail "the parent has no limit"
	kill "$CLIENT"
	wait_client && fail "a canceled build succeeded"
	await no_parents # of a canceled step

	start_build "$WORK/log2" "$WORK/c" --opt cgroup-parent="$PARENT-b"
	await napping
	stop_daemon KILL
	wait_client && fail "the client ended well although the daemon died"
	start_daemon
	napping && fail "the step outlived two daemons"
	[ -z "$(parents)" ] || { parents; fail "a killed daemon left directories"; }
	{ cat "$WORK/c/base"; echo 'RUN true'; } > "$WORK/c/Dockerfile"
	fails 'too long' "$WORK/log3" build "$WORK/c" --opt cgroup-parent="$(head -c 300 /dev/zero | tr '\0' x)" --no-cache
	alive
	no_leftovers
	stop_daemon
}
check buildkit-runc
for runtime in $(runtimes); do
	use_runtime "$runtime"
	check "$runtime"
done
