# SPDX-License-Identifier: Apache-2.0
# F1, F2: SIGKILL of the daemon during builds: the next start works, completed steps are cached, no leftovers.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'RUN echo one > /one'; echo 'RUN echo two > /two'; echo "RUN sleep $NAP"; } > "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" > "$WORK/first" 2>&1 &
client=$!
await napping
stop_daemon KILL
wait "$client" && fail "the client ended well although the daemon died"
sed -i '$d' "$WORK/c/Dockerfile"
start_daemon
! napping || fail "the step survived the daemon"
build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/second" 2>&1 || { cat "$WORK/second"; fail "second build"; }
[ "$(grep -c CACHED "$WORK/second")" -ge 4 ] || { cat "$WORK/second"; fail "done steps are not cached"; }
[ "$(cat "$WORK/out/two")" = two ] || fail "wrong result"
grep -q " $WORK/root" /proc/self/mountinfo && fail "a mount is left"
stop_daemon
[ -z "$(new_cgroups)" ] || fail "a cgroup is left"
