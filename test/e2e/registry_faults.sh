# SPDX-License-Identifier: Apache-2.0
# F10 to F16, F20, F21, F55 to F59, F69 to F72: faults of a registry, one image name per fault. Every build ends soon
# with the expected error or the correct bytes; nothing of a refused blob is kept; the daemon continues.
mkdir -p "$WORK/c" "$WORK/home"
export DOCKER_CONFIG="$WORK/home"
PORT=$(python3 "$HERE/registry.py" "$WORK/requests" > "$WORK/port" 2> "$WORK/registry.err" & echo $! > "$WORK/pid"
	await test -s "$WORK/port"; cat "$WORK/port")
undo "kill $(cat "$WORK/pid")"
[ -n "$PORT" ] || { cat "$WORK/registry.err"; fail "no registry"; }
HOST=127.0.0.1:$PORT
printf '{"auths":{"%s":{"auth":"a2l0OnNlY3JldA=="}}}' "$HOST" > "$WORK/home/config.json"
start_daemon
pull() { # MODE: tells the result in one line
	printf 'FROM %s/%s/app:latest\n' "$HOST" "$1" > "$WORK/c/Dockerfile"
	rm -rf "$WORK/out"
	if timeout 60 "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" \
		--local dockerfile="$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/log1" 2>&1; then
		echo "=$(cat "$WORK/out/name" 2> /dev/null)"
	else
		[ $? = 1 ] || fail "$1: no answer within 60 s"
		grep '^error: ' "$WORK/log1" || echo "no error line"
	fi
}
while read -r mode wanted; do
	case $mode in '' | '#'*) continue ;; esac
	begin=$(date +%s%N)
	got=$(pull "$mode")
	case $wanted in
	=*) [ "$got" = "$wanted" ] || { tail -n 15 "$WORK/log1"; fail "$mode: wanted $wanted, got $got"; } ;;
	*) case $got in *"$wanted"*) ;; *) tail -n 15 "$WORK/log1"; fail "$mode: no \"$wanted\" in: $got" ;; esac ;;
	esac
	echo "$mode: $got ($((($(date +%s%N) - begin) / 1000000)) ms)"
done <<'TABLE'
# F14, F15: an image that claims the diff id of another one never passes for it, in either order.
claims diff id mismatch
ok =honest
claims diff id mismatch
ok =honest
diff-fewer =
diff-more mismatched image rootfs and manifest layers
twice =j
empty-layers =
diff-id0 is not an image config
diff-id2 is not an image config
diff-id3 is not an image config
# F10 to F13
cut =cut
cut-norange =cut-norange
cut-always unexpected EOF
flip unexpected commit digest
endless is larger than declared
size-negative invalid size -1
size-huge invalid size
size-less is larger than declared
size-more short read: expected 300381 bytes but got 300371: unexpected EOF
size-zero is larger than declared
size-text wrong type of "size"
size-real wrong type of "size"
# F16
digest-lies failed to copy: httpReadSeeker: failed open: content at
digest-grammar =digest-grammar
moves =moves
moves =moved
# F20, F21
500 500 Internal Server Error
503-once =503-once
429-once =429-once
429-garbage =429-garbage
429-hour 429 Too Many Requests
reset-once =reset-once
# F55
not-json failed to parse manifest
no-bytes reports content size of zero
null-layers mismatched image rootfs and manifest layers
deep nested more than 64 levels deep
large rejecting 9437192 byte manifest
twin-keys duplicate object key
both contains members of another kind of document
wrong-type contains members of another kind of document
trailing end of file expected
config-text failed to parse image config
config-deep nested more than 64 levels deep
# F56
nested indexes are nested more than 4 levels deep
twelve indexes are nested more than 4 levels deep
wide at most 10000 are supported
# F57
loop stopped after 10 redirects
to-file refusing redirect
to-gopher refusing redirect
to-odd failed to do request
to-none refusing redirect
# F58
digest0 invalid digest
digest1 invalid digest
digest2 invalid digest
digest3 invalid digest
digest4 invalid digest
digest5 invalid digest
# F59
zstd-lie =z
raw-tar =raw-tar
members =members
gzip-tail gzip: invalid header
gzip-cut gzip: unexpected EOF
gzip-flip gzip: invalid checksum
# F69 to F72
urls =urls
auth-basic =auth-basic
auth-token =auth-token
auth-redirect =auth-redirect
auth-foreign refusing to send credentials
auth-link-local refusing to send credentials
auth-file unsupported protocol scheme "file"
auth-broken no realm specified for token auth challenge
auth-loop 401 Unauthorized
auth-empty did not include a token
auth-large is larger than 1048576 bytes
auth-crlf is not a valid HTTP header value
auth-text failed to parse token response
auth-short =auth-short
ok =honest
TABLE
# L23: one attempt and four retries. Surplus bytes are not read.
[ "$(grep -c '^HEAD /v2/500/' "$WORK/requests")" -le 5 ] || fail "too many retries"
[ "$(grep -c '^HEAD /v2/auth-loop/' "$WORK/requests")" -le 3 ] || fail "too many rounds"
# No password is sent to the host of a redirect, and none without a challenge.
grep -q '^GET /elsewhere/auth-redirect/.* -$' "$WORK/requests" || { cat "$WORK/requests"; fail "the redirect was not followed"; }
! grep -E '^[A-Z]+ (/elsewhere/|/v2/(ok|urls|cut)/).* (Basic|Bearer)' "$WORK/requests" || fail "credentials were given away"
alive
no_leftovers
"$BIN/buildctl" prune --all > /dev/null
# Manifests and configs are cached for some minutes, layers are not.
[ -z "$(find "$WORK/root" -path '*/content/*' -size +200k -size -3000k)" ] || { find "$WORK/root" -size +200k -ls; fail "layers are left"; }
