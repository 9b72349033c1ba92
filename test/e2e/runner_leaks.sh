# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Many steps in sequence and in parallel leave nothing; a daemon that is killed takes all its steps with it. STEPS and
# AT_ONCE make it longer: STEPS=10000 AT_ONCE=64.
make_context "$WORK/c"
chain() { { cat "$WORK/c/base"; echo 'ARG N'; for _ in $(seq 25); do echo 'RUN true'; done; } > "$WORK/c/Dockerfile"; }
wide() { # COUNT LINE: so many stages at once, which one step needs together
	{
		cat "$WORK/c/base"
		for i in $(seq "$1"); do printf 'FROM base AS s%s\nARG N\nRUN %s && echo $N %s > /o\n' "$i" "$2" "$i"; done
		echo 'FROM base'
		printf 'RUN'
		for i in $(seq "$1"); do printf ' --mount=type=bind,from=s%s,target=/m%s' "$i" "$i"; done
		echo ' true'
	} > "$WORK/c/Dockerfile"
}
runner() { pgrep -P "$DAEMON"; }
counts() { echo "$(ls "/proc/$DAEMON/fd" | wc -l) $(ls "/proc/$(runner)/fd" | wc -l) $(pgrep -P "$(runner)" | wc -l)"; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$(runner)/status"; }
step_pids() { new_cgroups | while read -r cgroup; do cat "$cgroup/cgroup.procs"; done | sort -u; }

echo 'max-parallelism = 256' >> "$WORK/buildkitd.toml"
start_daemon
# Signals that the daemon or its parent ignores are reset for steps.
{ cat "$WORK/c/base"; echo 'RUN [ "$(sed -n "s/^SigIgn:.//p" /proc/self/status)" = 0000000000000000 ]'; } > "$WORK/c/Dockerfile"
build "$WORK/c" > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "signals are ignored"; }
chain
build "$WORK/c" --opt build-arg:N=warm > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "build"; }
sleep 1
before=$(counts)
memory_before=$(memory)
for i in $(seq $((${STEPS:-250} / 25))); do
	build "$WORK/c" --opt "build-arg:N=$i" > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "build $i"; }
done
wide "${AT_ONCE:-32}" 'sleep 0.1'
build "$WORK/c" > "$WORK/log1" 2>&1 || { tail -n 30 "$WORK/log1"; fail "steps at once"; }
for _ in $(seq 50); do
	after=$(counts)
	[ "$after" != "$before" ] || break
	sleep 0.1
done
echo "descriptors of the daemon and its runner, processes of the runner: $before before, $after after"
[ "${after#* }" = "${before#* }" ] && [ "${after%% *}" -le $((${before%% *} + 8)) ] || { ls -l "/proc/$(runner)/fd"; fail "something is left"; }
[ "$(memory)" -le $((memory_before + 400)) ] || fail "the runner grew from $memory_before to $(memory) KiB"
[ "$(new_cgroups | sed 's,.*/,,' | sort -u | wc -l)" -le 2 ] || { new_cgroups; fail "a cgroup is left"; }

# The runner is killed: its steps are killed, the build fails, the next one works.
wide 3 "sleep $NAP"
start_build "$WORK/log2" "$WORK/c"
step_pids_are() { [ "$(step_pids | wc -l)" -ge "$1" ]; }
await step_pids_are 5
kill -KILL "$(runner)"
wait_client && fail "a build went on without its runner"
napping && fail "a step outlived its runner"
chain
build "$WORK/c" --opt build-arg:N=again > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "the build after the runner's death"; }

# The daemon is killed while many steps run.
wide "${KILLED:-60}" "sleep $NAP"
start_build "$WORK/log3" "$WORK/c"
await step_pids_are $((${KILLED:-60} + 2))
running=$(pgrep -f "^sleep $NAP\$" | wc -l)
echo "$running steps run when the daemon is killed"
[ "$running" -ge 50 ] || fail "too few for this test"
stop_daemon KILL
wait_client && fail "the client ended well although the daemon died"
no_new_cgroups() { [ -z "$(new_cgroups)" ]; }
await no_new_cgroups
napping && fail "a step survived the daemon"
start_daemon
no_leftovers
