# SPDX-License-Identifier: Apache-2.0
# A step with --mount=type=ssh talks to the client's agent, and only to list and sign.
command -v ssh-agent > /dev/null && command -v ssh-add > /dev/null || skip "no ssh-agent"
make_context "$WORK/c"
eval "$(ssh-agent -s)" > /dev/null
undo "kill $SSH_AGENT_PID"
ssh-keygen -q -t ed25519 -N '' -C e2e -f "$WORK/key"
ssh-add -q "$WORK/key" 2> /dev/null
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
RUN --mount=type=ssh,required=true test -S "$SSH_AUTH_SOCK"
RUN test -z "$SSH_AUTH_SOCK"
DOCKERFILE
} > "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" --ssh default --output type=local,dest="$WORK/out" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "build"; }
fails 'ssh' "$WORK/log3" build "$WORK/c" --no-cache
no_leftovers
