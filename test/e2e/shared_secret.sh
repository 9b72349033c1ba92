# SPDX-License-Identifier: Apache-2.0
# A step of two clients asks both: if one has no secret, the other's is used.
make_context "$WORK/c"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
RUN --mount=type=cache,id=gate,target=/gate touch /gate/running; for i in $(seq 300); do [ -e /gate/open ] && break; sleep .1; done; [ -e /gate/open ]
RUN --mount=type=secret,id=word,required cat /run/secrets/word > /word
DOCKERFILE
} > "$WORK/c/Dockerfile"
cp -r "$WORK/c" "$WORK/gate"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
ARG TIME
RUN --mount=type=cache,id=gate,target=/gate touch /gate/open
DOCKERFILE
} > "$WORK/gate/Dockerfile"
echo hidden > "$WORK/secret"
start_daemon
start_build "$WORK/without" "$WORK/c" --output type=local,dest="$WORK/o1"
wait_for 'touch /gate/running' "$WORK/without"
build "$WORK/c" --secret id=word,src="$WORK/secret" --output type=local,dest="$WORK/o2" > "$WORK/with" 2>&1 &
other=$!
wait_for 'touch /gate/running' "$WORK/with"
build "$WORK/gate" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "the gate"; }
wait_client || { cat "$WORK/without"; fail "the client without the secret"; }
wait "$other" || { cat "$WORK/with"; fail "the client with the secret"; }
[ "$(cat "$WORK/o1/word" "$WORK/o2/word")" = "hidden
hidden" ] || fail "the secret"
