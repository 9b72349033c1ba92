# SPDX-License-Identifier: Apache-2.0
# A step with --mount=type=ssh can list keys and sign with the client's agent; key files can replace an agent.
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

# OpenSSH in a step lists the keys, signs and verifies; other requests are refused.
ssh-keygen -q -m PEM -t rsa -b 2048 -N '' -C e2e -f "$WORK/rsa"
openssl ecparam -name secp384r1 -genkey -noout -out "$WORK/ec"
chmod 600 "$WORK/ec"
ssh-keygen -y -f "$WORK/ec" > "$WORK/ec.pub"
mkdir "$WORK/c/openssh"
for file in $(command -v ssh-add) $(ldd "$(command -v ssh-add)" | grep -o '/[^ ]*'); do
	mkdir -p "$WORK/c/openssh/$(dirname "$file")"
	cp -L "$file" "$WORK/c/openssh/$file"
done
cp "$WORK/key.pub" "$WORK/rsa.pub" "$WORK/ec.pub" "$WORK/c"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
COPY openssh /
COPY *.pub /keys/
ENV PATH=/usr/bin:/bin
RUN --mount=type=ssh,id=mine,required=true ssh-add -L | cut -d' ' -f1,2 > /listed
RUN --mount=type=ssh,id=mine,required=true ssh-add -T /keys/key.pub /keys/rsa.pub /keys/ec.pub
RUN --mount=type=ssh,id=mine,required=true ! ssh-add -D && ! ssh-add -d /keys/key.pub && ssh-add -T /keys/key.pub
FROM scratch
COPY --from=base /listed /
DOCKERFILE
} > "$WORK/c/Dockerfile"
build "$WORK/c" --ssh "mine=$WORK/key,$WORK/rsa,$WORK/ec" --output type=local,dest="$WORK/keys" 2> "$WORK/log4" ||
	{ cat "$WORK/log4"; fail "build with keys"; }
cut -d' ' -f1,2 "$WORK/key.pub" "$WORK/rsa.pub" "$WORK/ec.pub" | cmp - "$WORK/keys/listed" || fail "other keys are listed"

ssh-keygen -q -t ed25519 -N secret -f "$WORK/locked"
fails 'ssh: this private key is passphrase protected' "$WORK/log5" build "$WORK/c" --ssh "mine=$WORK/locked"
no_leftovers
