# SPDX-License-Identifier: Apache-2.0
# Build ops: a definition found in a file of an input is built with the policies and entitlements of the build; its
# result is cached; errors name what is wrong; builds in builds are bounded.
start_daemon
cd "$WORK" || exit 1
bctl() { "$BIN/buildctl" build --progress=plain "$@"; }

mkdir in
LLB="python3 $HERE/llb.py"
nested() { # nested JSON-OF-OPS RESULT FILE: writes a definition to a file of the context
	echo "{\"ops\": $1, \"result\": $2}" | $LLB > "in/$3"
}
# The definition reads the file of a context, and adds one.
nested '[{"source": {"identifier": "local://in", "attrs": {"local.includepattern": "[\"hello\"]"}}},
         {"in": [[0, 0]], "file": {"actions": [{"input": 0, "secondaryInput": -1, "output": 0,
             "mkfile": {"path": "/made", "mode": 420, "data": "nested", "timestamp": -1}}]}}]' '[1, 0]' buildkit.llb.definition
echo hello > in/hello
LOCAL='{"source": {"identifier": "local://in"}}'
op() { # op ATTRS [BUILDER [KEY [INDEX]]]
	echo "{\"in\": [[0, 0]], \"build\": {\"builder\": ${2:--1}, \"attrs\": $1,
		\"inputs\": [{\"key\": \"${3:-buildkit.llb.definition}\", \"value\": {\"input\": ${4:-0}}}]}}"
}
outer() { echo "{\"ops\": [$LOCAL, $1], \"result\": [1, 0], \"meta\": {\"1\": {\"caps\": [\"source.buildop.llbfilename\"]}}}" | $LLB; }

outer "$(op '{}')" > outer.llb
bctl --local in=in --output type=local,dest=out < outer.llb > build.log 2>&1 || fail "build op: $(cat build.log)"
[ "$(cat out/made out/hello)" = "nestedhello" ] || fail "result of a build op: $(ls out)"
[ "$(cd out && echo *)" = "hello made" ] || fail "files of a build op: $(ls out)"

# A copy of the definition has a content, so that its result is found without reading it.
COPY='{"in": [[0, 0]], "file": {"actions": [{"input": -1, "secondaryInput": 0, "output": 0,
	"copy": {"src": "/buildkit.llb.definition", "dest": "/buildkit.llb.definition", "timestamp": -1}}]}}'
echo "{\"ops\": [$LOCAL, $COPY, $(op '{}' | sed 's/\[\[0, 0\]\]/[[1, 0]]/')], \"result\": [2, 0]}" | $LLB > copied.llb
bctl --local in=in < copied.llb > build.log 2>&1 || fail "copied definition: $(cat build.log)"
bctl --local in=in --output type=local,dest=again < copied.llb > build.log 2>&1 || fail "second build: $(cat build.log)"
grep -q "^#[0-9]* CACHED" build.log || fail "a build op is not cached: $(cat build.log)"

[ "$(cat again/made)" = "nested" ] || fail "cached result of a build op"

# Another name, also behind a symbolic link that leaves the tree.
mkdir in/sub
cp in/buildkit.llb.definition in/sub/def
ln -s ../../../../sub/def in/link
outer "$(op '{"llbbuild.filename": "link"}')" | bctl --local in=in --output type=local,dest=out2 > build.log 2>&1 || fail "filename: $(cat build.log)"
[ "$(cat out2/made)" = "nested" ] || fail "result of a named definition"

# A definition without ops is an empty result.
: > in/empty
outer "$(op '{"llbbuild.filename": "empty"}')" | bctl --local in=in --output type=local,dest=out3 > build.log 2>&1 || fail "scratch: $(cat build.log)"
[ -z "$(ls -A out3)" ] || fail "an empty definition has files: $(ls out3)"

refused() { # refused TEXT ATTRS...: the build fails with the text
	want=$1
	shift
	if outer "$(op "$@")" | bctl --local in=in > build.log 2>&1; then fail "expected: $want"; fi
	grep -qF -- "$want" build.log || fail "expected: $want; got: $(tail -3 build.log)"
}
refused "only LLB builder is currently allowed" '{}' 3
refused "no llb definition input buildkit.llb.definition found" '{}' -1 other
refused "failed to open missing: " '{"llbbuild.filename": "missing"}'
refused "sub is not a regular file" '{"llbbuild.filename": "sub"}'
head -c 1000 /dev/urandom > in/garbage
refused "failed to parse llb definition garbage: " '{"llbbuild.filename": "garbage"}'
truncate -s 17M in/large
refused "large" '{"llbbuild.filename": "large"}'

# A nested step needs the entitlement of the build.
nested '[{"exec": {"meta": {"args": ["/true"], "cwd": "/"}, "mounts": [{"input": -1, "dest": "/", "output": 0}], "network": 1}}]' '[0, 0]' net
refused "network.host is not allowed" '{"llbbuild.filename": "net"}'
# Nor may it escape the policy.
nested '[{"source": {"identifier": "docker-image://docker.io/library/denied:latest"}}]' '[0, 0]' denied
echo '{"rules": [{"action": "DENY", "selector": {"identifier": "docker-image://docker.io/library/denied:latest"}}]}' > policy.json
outer "$(op '{"llbbuild.filename": "denied"}')" | bctl --local in=in --source-policy-file policy.json > build.log 2>&1 &&
	fail "policy: built"
grep -qF "denied by policy" build.log || fail "policy: $(tail -3 build.log)"

# An error in a nested vertex is the error of the build.
nested "[$LOCAL, $(op '{"llbbuild.filename": "missing"}')]" '[1, 0]' deeper
refused "failed to open missing: " '{"llbbuild.filename": "deeper"}'

# A definition that contains the op that reads it.
outer "$(op '{"llbbuild.filename": "self"}')" > in/self
refused "nested definition needs the result of the vertex that reads it" '{"llbbuild.filename": "self"}'

# The daemon still serves, and passthrough ops pass its results on.
echo "{\"ops\": [$LOCAL, $(op '{}'), {\"in\": [[1, 0]], \"passthrough\": {\"id\": \"p\", \"outputs\": [0]}}], \"result\": [2, 0],
	\"meta\": {\"2\": {\"caps\": [\"passthroughop\"]}}}" | $LLB |
	bctl --local in=in --output type=local,dest=out4 > build.log 2>&1 || fail "passthrough: $(cat build.log)"
[ "$(cat out4/made)" = "nested" ] || fail "result of a passthrough op"
