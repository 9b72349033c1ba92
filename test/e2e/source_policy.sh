# SPDX-License-Identifier: Apache-2.0
# Source policies replace and refuse sources in definitions, base images and lookups; the cache distinguishes them.
make_context "$WORK/c"
mkdir -p "$WORK/web"
for f in a b; do echo "$f" > "$WORK/web/$f"; done
python3 -u -m http.server --bind 127.0.0.1 --directory "$WORK/web" 0 > "$WORK/web.txt" 2> "$WORK/requests" &
web=$!
undo "kill $web"
python3 "$HERE/registry.py" "$WORK/registry" > "$WORK/registry.port" 2> /dev/null &
registry=$!
undo "kill $registry"
await test -s "$WORK/web.txt"
await test -s "$WORK/registry.port"
U="http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\).*/\1/p' "$WORK/web.txt")"
R="127.0.0.1:$(cat "$WORK/registry.port")"
start_daemon

policy() { printf '{"version":1,"rules":[%s]}' "$1" > "$WORK/policy.json"; }
rule() { printf '{"action":"%s","selector":{"identifier":"%s","match_type":"%s"},"updates":{"identifier":"%s"}}' "$1" "$2" "${3:-WILDCARD}" "${4:-}"; }
run() { build "$WORK/c" "$@" --output type=local,dest="$WORK/out"; }
judged() { run --source-policy-file "$WORK/policy.json" "$@"; }
good() { rm -rf "$WORK/out"; "$@" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "$*"; }; }
is() { [ "$1" = "$2" ] || { cat "$WORK/said"; fail "got \"$1\", not \"$2\""; }; }

# A download is replaced by another one; without the policy, the first one and its results are used again.
printf 'FROM scratch AS x\nADD %s/a /f\nFROM scratch\nCOPY --from=x /f /g\n' "$U" > "$WORK/c/Dockerfile"
policy "$(rule CONVERT "$U/*" WILDCARD "$U/b"),$(rule DENY "$U/a")"
for want in judged:b run:a judged:b run:a; do
	good "${want%:*}"
	is "$(cat "$WORK/out/g")" "${want#*:}"
done
# A group of a regular expression; the file name is that of the Dockerfile, not of the replacement.
policy "$(rule CONVERT '/(?P<name>a)$' REGEX '/b')"
good judged
is "$(cat "$WORK/out/g")" b
policy "$(rule CONVERT "$U/a" EXACT "$U/\${1}")"
fails 'invalid response status 404' "$WORK/said" judged
# An attribute: a checksum that is set is verified.
none=$(printf '0%.0s' $(seq 64))
policy '{"action":"CONVERT","selector":{"identifier":"'"$U/a"'"},"updates":{"attrs":{"http.checksum":"sha256:'"$none"'"}}}'
fails 'digest mismatch' "$WORK/said" judged

# No request is sent for a denied source.
: > "$WORK/requests"
policy "$(rule DENY 'http*')"
fails "failed to load LLB: error evaluating the source policy: source \"$U/a\" denied by policy: source denied by policy" \
	"$WORK/said" judged --no-cache
is "$(cat "$WORK/requests")" ''
policy "$(rule DENY '*'),$(rule ALLOW "$U/*"),$(rule ALLOW 'local://*')"
good judged
policy "$(rule CONVERT "$U/a" EXACT "$U/b"),$(rule CONVERT "$U/b" EXACT "$U/a")"
fails 'too many mutations on a single source: too many operations' "$WORK/said" judged

# The config of a base image is resolved under the replaced name.
printf 'FROM %s/nowhere/x:1\nCOPY base /copied\n' "$R" > "$WORK/c/Dockerfile"
policy "$(rule CONVERT "docker-image://$R/nowhere/*:*" WILDCARD "docker-image://$R/ok/\$1:latest")"
good judged
grep -qF "FROM $R/ok/x:latest@sha256:" "$WORK/said" || { cat "$WORK/said"; fail "no name of the image that was taken"; }
! grep -q /nowhere/ "$WORK/registry" || fail "the image that was replaced was asked for"
policy "$(rule DENY "docker-image://$R/*")"
fails "failed to resolve source metadata for $R/nowhere/x:1: could not resolve image due to policy: source \"docker-image://$R/nowhere/x:1\" denied by policy" \
	"$WORK/said" judged
policy "$(rule CONVERT "docker-image://$R/*" WILDCARD "$U/a")"
fails "ref mutated by policy to non-image: docker-image://$R/nowhere/x:1 -> $U/a" "$WORK/said" judged

# The image of a frontend is refused and replaced, also where the built-in frontend would answer instead of it.
D=docker-image://docker.io/docker/dockerfile
denied="failed to resolve source metadata for docker.io/docker/dockerfile:1: could not resolve image due to policy: source \"$D:1\" denied by policy: source denied by policy"
printf '# syntax=docker/dockerfile:1\nFROM scratch\nCOPY base /copied\n' > "$WORK/c/Dockerfile"
sed 1d "$WORK/c/Dockerfile" > "$WORK/c/plain" # the built-in frontend also reads the syntax line
policy "$(rule DENY "$D:2")"
good judged
policy "$(rule DENY "$D:1")"
fails "$denied" "$WORK/said" judged
grep -q 'Dockerfile:1$' "$WORK/said" || { cat "$WORK/said"; fail "no line of the image that was refused"; }
gateway() {
	"$BIN/buildctl" build --progress=plain --source-policy-file "$WORK/policy.json" --frontend gateway.v0 --opt source="$1" --opt filename=plain \
		--local context="$WORK/c" --local dockerfile="$WORK/c" --output type=local,dest="$WORK/out"
}
fails "$denied" "$WORK/said" gateway docker/dockerfile:1
good gateway docker/dockerfile:1.4
# To another one that is replaced, to one that is pulled (and is no frontend), to one that is too new, and to no image.
policy "$(rule CONVERT "$D:1" EXACT "$D:1.4"),$(rule DENY "$D:1.4"),$(rule ALLOW "$D:1.4")"
good judged
good gateway docker/dockerfile:1
policy "$(rule CONVERT "$D:1" EXACT "docker-image://$R/ok/frontend:1")"
: > "$WORK/registry"
fails 'exit code: 1' "$WORK/said" judged
grep -aq '/ok/frontend/' "$WORK/registry" || { cat "$WORK/said"; fail "the replacement was not asked for"; }
: > "$WORK/registry"
policy "$(rule CONVERT "docker-image://$R/nowhere/*" WILDCARD "$D:1"),$(rule DENY "$D:1")"
fails "source \"$D:1\" denied by policy" "$WORK/said" gateway "$R/nowhere/x:1"
! grep -q /nowhere/ "$WORK/registry" || fail "the image that was replaced was asked for"
policy "$(rule CONVERT "$D:1" EXACT "local://other")"
fails "ref mutated by policy to non-image: $D:1 -> local://other" "$WORK/said" judged

# A named context becomes the source that replaces its image; the base of a stage must be an image.
mkdir -p "$WORK/other"
echo replaced > "$WORK/other/foo"
printf 'FROM scratch AS replace\nFROM scratch\nCOPY --from=replace /foo /\n' > "$WORK/c/Dockerfile"
named() { run --source-policy-file "$WORK/policy.json" --opt "context:replace=docker-image:$R/nowhere/x:1" --local other="$WORK/other"; }
policy "$(rule CONVERT "docker-image://$R/*" WILDCARD "local://other")"
good named
is "$(cat "$WORK/out/foo")" replaced
policy "$(rule CONVERT "docker-image://$R/*" WILDCARD "nonsense://x")"
fails 'unsupported context source nonsense for replace' "$WORK/said" named

# A definition without a frontend.
printf '{"ops":[{"source":{"identifier":"%s/a"}}],"result":[0,0]}' "$U" | python3 "$HERE/llb.py" > "$WORK/a.llb"
policy "$(rule CONVERT "$U/a" EXACT "$U/b")"
rm -rf "$WORK/out"
"$BIN/buildctl" build --source-policy-file "$WORK/policy.json" --output type=local,dest="$WORK/out" < "$WORK/a.llb" > "$WORK/said" 2>&1 ||
	{ cat "$WORK/said"; fail "a definition"; }
is "$(cat "$WORK/out/b")" b

# Policies of a request in a build that a client drives.
cat > "$WORK/driver.py" <<'PYTHON'
import hashlib, os, sys
sys.path.insert(0, os.environ["HERE"])
import bridge
from llb import field, varint
sock, url, definition = sys.argv[1], sys.argv[2].encode(), open(sys.argv[3], "rb").read()

def policy(action, identifier, to=b""):
    rule = varint(8) + varint(action) + field(2, field(1, identifier)) + (field(3, field(1, to)) if to else b"")
    return field(2, rule)

build = bridge.Build(sock)
call = build.call
convert, deny = policy(2, url + b"/a", url + b"/b"), policy(1, url + b"/*")
local = field(1, field(1, b"local://x"))
assert b"local://y" in call("ResolveSourceMeta", local + field(8, policy(2, b"local://x", b"local://y")))
assert b"local://x" in call("ResolveSourceMeta", local)
assert call("ResolveSourceMeta", local + field(8, policy(1, b"local://*"))) is None
assert call("ResolveImageConfig", field(1, b"127.0.0.1:1/x:y") + field(8, policy(2, b"*", b"local://y"))) is None
# A checksum of the file and a suffix; an unknown algorithm is refused.
def checksum(algorithm, suffix):
    return call("ResolveSourceMeta", field(1, field(1, url + b"/b")) +
                field(7, field(1, varint(8) + varint(algorithm) + field(2, suffix))))
for number, name in enumerate(("sha256", "sha384", "sha512")):
    want = name + ":" + hashlib.new(name, b"b\n" + b"s" * 4096).hexdigest()
    assert want.encode() in checksum(number, b"s" * 4096), name
assert checksum(99, b"s") is None
assert checksum(0, b"s" * 4097) is None
evaluated = field(1, definition) + varint(14 << 3) + varint(1)
assert call("Solve", evaluated + field(15, convert)) is not None
assert call("Solve", evaluated + field(15, deny)) is None
assert call("Solve", evaluated + field(15, convert) + field(15, deny)) is None
assert call("Solve", evaluated + field(15, field(2, varint(8) + varint(1)))) is None, "a rule without selector"
build.close()
PYTHON
: > "$WORK/requests"
HERE=$HERE python3 "$WORK/driver.py" "$WORK/sock" "$U" "$WORK/a.llb" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "policies of requests"; }
! grep -q ' /a ' "$WORK/requests" || { cat "$WORK/requests"; fail "what a request's policy replaced was asked for"; }

# Invalid policies.
for bad in '[]:a policy is an object' '{"rules":[{"action":"deny"}]}:unrecognized enum ALLOW value "deny"' \
	'{"rules":[{"action":"DENY"}]}:invalid nil selector in policy'; do
	printf '%s' "${bad%:*}" > "$WORK/policy.json"
	fails "${bad##*:}" "$WORK/said" judged
done
policy "$(rule DENY '(a+' REGEX)"
fails 'error matching source policy: error parsing regexp: missing ' "$WORK/said" judged
# A backtracking matcher would not finish with this one, which does not match.
policy "$(rule DENY '^(.|.|.|.)+(#|%)$' REGEX)"
fails 'lstat /foo: no such file or directory' "$WORK/said" judged
policy "$(rule DENY '(?:abcdefghijklmnopqrstu){1000}' REGEX)"
fails 'error parsing regexp: expression too large' "$WORK/said" judged
alive
