# SPDX-License-Identifier: Apache-2.0
# Ctrl-C cancels the build and its step; so does killing the client; the daemon continues.
# With each runtime.
own_mounts
make_context "$WORK/c"
check() { # NAME: a daemon runs
	for signal in INT KILL; do
		{ cat "$WORK/c/base"; echo "RUN echo $1 $signal; exec sleep $NAP"; } > "$WORK/c/Dockerfile"
		start_build "$WORK/first" "$WORK/c"
		await napping
		kill -$signal "$CLIENT"
		wait_client && { cat "$WORK/first"; fail "$1: a canceled build ended well"; }
		ends_nap 5 || fail "$1: the step goes on after $signal"
		sed -i '$d' "$WORK/c/Dockerfile"
		build "$WORK/c" 2> "$WORK/second" || { cat "$WORK/second"; fail "$1: the daemon does not go on"; }
	done
	no_leftovers
	stop_daemon
}
start_daemon
check buildkit-runc
for runtime in $(runtimes); do
	use_runtime "$runtime"
	start_daemon
	check "$runtime"
done
