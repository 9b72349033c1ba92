# SPDX-License-Identifier: Apache-2.0
# P26: Ctrl-C ends the build and its step; the daemon goes on.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'RUN sleep 61'; } > "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" > "$WORK/first" 2>&1 &
client=$!
for i in $(seq 100); do
	grep -q 'RUN sleep 61' "$WORK/first" && break
	sleep 0.1
done
sleep 0.5
kill -INT "$client"
wait "$client" && fail "a canceled build ended well"
for i in $(seq 30); do
	pgrep -f '^sleep 61$' > /dev/null || break
	sleep 0.1
done
pgrep -f '^sleep 61$' > /dev/null && fail "the step goes on"
sed -i '$d' "$WORK/c/Dockerfile"
build "$WORK/c" 2> /dev/null || fail "the daemon does not go on"
