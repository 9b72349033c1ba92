# SPDX-License-Identifier: Apache-2.0
# G9, P28: builds one after another and many at once leave no descriptor, mount, process, cgroup or temp file.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'ARG N'; echo 'RUN echo $N > /n'; } > "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" --opt build-arg:N=warm 2> /dev/null
sleep 1
count() { ls "/proc/$DAEMON/fd" | wc -l; }
before=$(count)
for i in $(seq 20); do
	build "$WORK/c" --opt "build-arg:N=$i" 2> /dev/null || fail "build $i"
done
pids=
for i in $(seq 32); do
	build "$WORK/c" --opt "build-arg:N=p$i" > "$WORK/p$i" 2>&1 &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid" || { cat "$WORK"/p* | tail -20; fail "a concurrent build"; }
done
sleep 2
after=$(count)
[ "$after" -le $((before + 8)) ] || { ls -l "/proc/$DAEMON/fd"; fail "descriptors: $before before, $after after"; }
[ -z "$(children)" ] || fail "a child process is left"
[ "$(grep -c " $WORK" "/proc/$DAEMON/mountinfo" || true)" = 0 ] || { cat "/proc/$DAEMON/mountinfo"; fail "a mount is left"; }
stop_daemon
[ -z "$(new_cgroups)" ] || fail "a cgroup is left"
no_leftovers
