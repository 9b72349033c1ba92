# SPDX-License-Identifier: Apache-2.0
# Ctrl-C cancels the build and its step; so does killing the client; the daemon continues.
make_context "$WORK/c"
start_daemon
for signal in INT KILL; do
	{ cat "$WORK/c/base"; echo "RUN echo $signal; exec sleep $NAP"; } > "$WORK/c/Dockerfile"
	start_build "$WORK/first" "$WORK/c"
	await napping
	kill -$signal "$CLIENT"
	wait_client && { cat "$WORK/first"; fail "a canceled build ended well"; }
	ends_nap 5 || fail "the step goes on after $signal"
	sed -i '$d' "$WORK/c/Dockerfile"
	build "$WORK/c" 2> "$WORK/second" || { cat "$WORK/second"; fail "the daemon does not go on"; }
done
no_leftovers
