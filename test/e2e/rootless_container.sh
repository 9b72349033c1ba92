# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# A daemon of an ordinary user in a container whose /proc is masked: no pid namespace, and nothing survives its step.
own_mounts
. "$HERE/rootless.inc"
make_user
make_context "$WORK/c"
# What container engines do to /proc and /sys of an unprivileged container. In a user namespace these mounts are locked.
for file in /proc/kcore /proc/keys /proc/timer_list; do [ ! -e $file ] || mount --bind /dev/null $file; done
mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys
mount -t tmpfs -o ro tmpfs /sys/firmware
mount --bind /sys /sys && mount -o remount,bind,ro /sys

start_rootless
{ cat "$WORK/c/base"; echo 'RUN true'; } > "$WORK/c/Dockerfile"
fails '--oci-worker-no-process-sandbox' "$WORK/text" build "$WORK/c"
grep -q "parts of the container's /proc are masked" "$WORK/text" || fail "no reason"
stop_daemon

fails "can't enable NoProcessSandbox without Rootless" "$WORK/text" "$BIN/buildkitd" --root "$WORK/r" --oci-worker-no-process-sandbox
start_rootless --oci-worker-no-process-sandbox
grep -q 'level=warning.*NoProcessSandbox is enabled' "$WORK/daemon.log" || fail "no warning"
"$BIN/buildctl" debug workers -v | grep -q 'oci.process-mode:.*no-sandbox' || fail "process mode label"
cat "$WORK/c/base" - > "$WORK/c/Dockerfile" <<DOCKERFILE
RUN [ \$\$ != 1 ] && [ -d /proc/\$\$ ]
RUN ! cat /proc/keys | grep . && ! touch /proc/sys/kernel/x && ls /sys/class/net && ! touch /sys/x
RUN --network=none [ "\$(ls /sys/class/net)" = lo ] && [ "\$(ip -o link | wc -l)" = 1 ]
RUN (setsid sleep $NAP &); (setsid sh -c 'setsid sleep $NAP & setsid sleep $NAP & exec sleep $NAP' &); (setsid sh -c 'trap "" TERM HUP; sleep $NAP; sleep $NAP' &); sleep 0.1
RUN cp /proc/sys/kernel/random/uuid /stamp
RUN kill -KILL \$\$
DOCKERFILE
fails 'exit code: 137' "$WORK/text" build "$WORK/c"
! napping || fail "processes of a step that has ended run on"

# Steps in parallel: the end of one kills nothing of the other.
cat "$WORK/c/base" - > "$WORK/c/Dockerfile" <<'DOCKERFILE'
FROM base AS a
RUN --mount=type=cache,target=/s (setsid sh -c 'until [ -e /s/b ]; do sleep 0.1; done; touch /s/a' &); until [ -e /s/a ]; do sleep 0.1; done; touch /a
FROM base AS b
RUN --mount=type=cache,target=/s touch /s/b /b
FROM base
COPY --from=a /a /
COPY --from=b /b /
DOCKERFILE
timeout 60 "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
	--no-cache > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "steps in parallel"; }

# A canceled step, and what it started in the background.
{ cat "$WORK/c/base"; echo "RUN setsid sleep $NAP & echo started; exec sleep $NAP"; } > "$WORK/c/Dockerfile"
start_build "$WORK/text" "$WORK/c"
await grep -q 'started' "$WORK/text"
await napping
kill -INT "$CLIENT"
! wait_client || fail "the canceled build succeeded"
ends_nap 10 || fail "a canceled step runs on"

# A step that kills the process which waits for it.
{ cat "$WORK/c/base"; echo 'RUN kill -KILL $PPID; sleep 60'; } > "$WORK/c/Dockerfile"
fails 'exit code: 137' "$WORK/text" timeout 50 "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" \
	--local dockerfile="$WORK/c"
alive
stop_daemon
nothing_of_user
