# SPDX-License-Identifier: Apache-2.0
# Ctrl-C cancels the build and its step; so does killing the client; the daemon continues.
make_context "$WORK/c"
start_daemon
for signal in INT KILL; do
	{ cat "$WORK/c/base"; echo "RUN echo $signal; exec sleep $NAP"; } > "$WORK/c/Dockerfile"
	start_build "$WORK/first" "$WORK/c"
	for _ in $(seq 100); do
		grep -qE "^#.* $signal\$" "$WORK/first" && break
		sleep 0.1
	done
	napping || { cat "$WORK/first"; fail "the step does not run"; }
	kill -$signal "$CLIENT"
	wait_client && { cat "$WORK/first"; fail "a canceled build ended well"; }
	for _ in $(seq 50); do
		napping || break
		sleep 0.1
	done
	napping && fail "the step goes on after $signal"
	sed -i '$d' "$WORK/c/Dockerfile"
	build "$WORK/c" 2> "$WORK/second" || { cat "$WORK/second"; fail "the daemon does not go on"; }
done
no_leftovers
