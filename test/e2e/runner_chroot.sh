# SPDX-License-Identifier: Apache-2.0
# In a chroot, the runner's containers have the same roots as outside of one: with the command line, especially exec,
# and as steps of a daemon; no file of the host is in the mount namespace of a step.
own_mounts
top="$WORK/top"
mkdir "$top"
mount --make-rprivate /
mount --bind / "$top"
for tree in proc sys dev; do mount --rbind "/$tree" "$top/$tree"; done
for path in "$WORK" "$BIN" "$HERE"; do [ -d "$top$path" ] || fail "$path is not in the root file system"; done
chroot "$top" python3 "$HERE/runner_commands.py" "$BIN/buildkit-runc" "$WORK" || fail "the command line in a chroot"

make_context "$WORK/c"
{ cat "$WORK/c/base"; echo "RUN sleep $NAP"; } > "$WORK/c/Dockerfile"
chroot "$top" "$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml" 2>> "$WORK/daemon.log" &
DAEMON=$!
wait_ready
start_build "$WORK/build" "$WORK/c"
await napping
pid=$(pgrep -f "^sleep $NAP\$") || { cat "$WORK/build"; fail "the step does not run"; }
# nsenter without --root: the root of the namespace.
[ "$(nsenter -t "$pid" -m /bin/busybox ls / | tr '\n' ' ')" = 'bin dev etc proc sys ' ] ||
	{ nsenter -t "$pid" -m /bin/busybox ls /; fail "the root of the namespace is not the step's"; }
[ "$(awk '$5 == "/"' "/proc/$pid/mountinfo" | wc -l)" = 1 ] || fail "more than one root"
kill "$CLIENT"
wait_client && fail "a canceled build ended well"
stop_daemon
