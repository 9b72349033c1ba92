# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# SIGKILL and Ctrl-C in the middle of a step of an ordinary user's daemon: nothing runs on, and the next daemon works.
own_mounts
. "$HERE/rootless.inc"
make_user
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'RUN cp /proc/sys/kernel/random/uuid /stamp'; } > "$WORK/c/Dockerfile"
{ cat "$WORK/c/base"; echo "RUN setsid sleep $NAP & echo started; exec sleep $NAP"; } > "$WORK/long"
mkdir "$WORK/l"
cp "$WORK/c/busybox" "$WORK/l"
cp "$WORK/long" "$WORK/l/Dockerfile"

mkdir "$WORK/n"
cp "$WORK/c/busybox" "$WORK/n"
n=0

begin_step() {
	start_build "$WORK/text" "$WORK/l"
	await napping
}

# builds: the result of the first build, from the cache; then everything ends.
builds() {
	build "$WORK/c" --output type=local,dest="$WORK/again" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "a build after the kill"; }
	cmp "$WORK/first/stamp" "$WORK/again/stamp" || fail "the kill lost the cache"
	n=$((n + 1))
	{ cat "$WORK/c/base"; echo "RUN echo $n"; } > "$WORK/n/Dockerfile"
	build "$WORK/n" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "a new step after the kill"; }
}

start_rootless
build "$WORK/c" --output type=local,dest="$WORK/first" 2> /dev/null

# Ctrl-C.
begin_step
kill -INT "$CLIENT"
! wait_client || fail "the canceled build succeeded"
ends_nap 10 || fail "a canceled step runs on"
builds

# SIGTERM to the whole, as a service manager sends it.
stop_daemon
nothing_of_user

# SIGKILL of the daemon, of rootlesskit, and of the runner.
for victim in daemon rootlesskit runner; do
	start_rootless
	begin_step
	pid=$(inner)
	[ -n "$pid" ] || fail "buildkitd not found below rootlesskit"
	case $victim in
	rootlesskit) pid=$DAEMON ;;
	runner) pid=$(pgrep -P "$pid" | head -n 1) ;;
	esac
	kill -KILL "$pid"
	! wait_client || fail "the build succeeded without a $victim"
	ends_nap 10 || fail "a step runs on without a $victim"
	if [ $victim != runner ]; then
		ended "$DAEMON" 10 || fail "rootlesskit runs on"
		wait "$DAEMON" || true
		DAEMON=
		start_rootless
	fi
	builds
	stop_daemon
	nothing_of_user
done
