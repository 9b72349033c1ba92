# SPDX-License-Identifier: Apache-2.0
# F74: a secret is visible to its step only: not on disk, in databases, logs, the image or the history.
make_context "$WORK/c"
value="canary-$(cat /proc/sys/kernel/random/uuid)"
printf '%s' "$value" > "$WORK/token"
: > "$WORK/empty"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
RUN --mount=type=secret,id=token md5sum < /run/secrets/token > /sum && stat -c '%a %u %g' /run/secrets/token > /mode
RUN --mount=type=secret,id=env,env=TOKEN printf '%s' "$TOKEN" | md5sum > /sum2
RUN --mount=type=secret,id=token,target=/etc/deep/token,mode=0440,uid=7,gid=8 stat -c '%a %u %g' /etc/deep/token > /mode2
RUN --mount=type=secret,id=none echo ok > /none
RUN --mount=type=secret,id=empty,env=EMPTY --mount=type=secret,id=empty test "${EMPTY-unset}" = "" && test ! -s /run/secrets/empty
RUN test ! -s /run/secrets/token && test -z "$TOKEN"
DOCKERFILE
} > "$WORK/c/Dockerfile"
start_daemon --debug
VALUE=$value "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
	--secret id=token,src="$WORK/token" --secret id=env,env=VALUE --secret id=empty,src="$WORK/empty" --metadata-file "$WORK/meta" \
	--output type=oci,dest="$WORK/out.tar" > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "build"; }
build "$WORK/c" --secret id=token,src="$WORK/token" --output type=local,dest="$WORK/out" 2> "$WORK/log2" || true
VALUE=$value build "$WORK/c" --secret id=token,src="$WORK/token" --secret id=env,env=VALUE --secret id=empty,src="$WORK/empty" --output type=local,dest="$WORK/out" 2> "$WORK/log2"
[ "$(cut -d ' ' -f 1 "$WORK/out/sum")" = "$(md5sum < "$WORK/token" | cut -d ' ' -f 1)" ] || fail "the step saw something else"
cmp "$WORK/out/sum" "$WORK/out/sum2" || fail "secret as variable"
[ "$(cat "$WORK/out/mode" "$WORK/out/mode2")" = "400 0 0
440 7 8" ] || { cat "$WORK/out/mode"*; fail "mode and owner"; }
{ cat "$WORK/c/base"; echo 'RUN --mount=type=secret,id=gone,required=true true'; } > "$WORK/c/Dockerfile"
fails 'secret gone: not found' "$WORK/log3" build "$WORK/c"
# A kill while a step has the secret.
{ cat "$WORK/c/base"; echo 'RUN --mount=type=secret,id=token --mount=type=secret,id=token,env=TOKEN echo holds; sleep '"$NAP"; } > "$WORK/c/Dockerfile"
start_build "$WORK/log4" "$WORK/c" --secret id=token,src="$WORK/token"
await napping
stop_daemon KILL
wait_client && fail "the client ended well although the daemon died"
grep -rlaF "$value" "$WORK/root" "$WORK/daemon.log" "$WORK/out" "$WORK/out.tar" "$WORK/meta" "$WORK"/log? && fail "the secret is on disk"
start_daemon
alive
