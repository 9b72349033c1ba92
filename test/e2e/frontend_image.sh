# SPDX-License-Identifier: Apache-2.0
# Frontend images: run as steps with LLBBridge over stdin and stdout, from a registry, a named context or an OCI layout.
start_daemon
cd "$WORK" || exit 1
mkdir fe ctx
cc -O1 -static -o fe/frontend "$HERE"/frontend/*.c -lnghttp2 || fail "the frontend does not compile"
cat > fe/Dockerfile <<'DOCKERFILE'
FROM scratch
COPY frontend /bin/frontend
ENV A=1 PATH=/bin
WORKDIR /w
LABEL moby.buildkit.frontend.caps="moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests"
ENTRYPOINT ["/bin/frontend"]
DOCKERFILE
layout() { # layout DIR: builds an image into an OCI layout and prints its digest
	to=$1
	build fe --output "type=oci,tar=false,dest=$to" > layout.log 2>&1 || { cat layout.log; fail "image $to"; }
	sed 's/.*"digest":"\([^"]*\)".*/\1/' "$to/index.json"
}
digest=$(layout layout)
make_context ctx
cat ctx/base > ctx/Dockerfile
echo "RUN echo made > /made" >> ctx/Dockerfile

# gateway ARGS: a build by the gateway frontend with the image of the layout.
gateway() {
	"$BIN/buildctl" build --progress=plain --frontend=gateway.v0 --opt source=example.com/fe:1 --local context=ctx \
		--local dockerfile=ctx --oci-layout "fe=layout" --opt "context:example.com/fe:1=oci-layout://fe@$digest" "$@"
}
wrap() { gateway --opt mode=wrap "$@"; }

# A build through the image gives what the built-in frontend does, from its cache.
build ctx --output type=local,dest=direct > build.log 2>&1 || { cat build.log; fail "direct build"; }
wrap --output type=local,dest=out --metadata-file metadata.json > build.log 2>&1 || { cat build.log; fail "build through an image"; }
[ "$(cat out/made)" = made ] || fail "result of an image"
grep -q "^#[0-9]* CACHED" build.log || fail "nothing was cached: $(cat build.log)"
grep -q '"frontend.test": "seen"' metadata.json || fail "metadata of the result: $(cat metadata.json)"

# Its environment.
gateway --opt mode=env --opt target=x=y --output type=local,dest=env > build.log 2>&1 || { cat build.log; fail "environment"; }
has() { grep -qxF -- "$1" env/answer || { cat env/answer; fail "no line: $1"; }; }
has A=1
has PATH=/bin
has "cwd /w"
has "uid 0"
has "metadata 1 100400"
has "writable 1"
has "BUILDKIT_EXPORTEDPRODUCT=buildkit"
grep -q '^BUILDKIT_FRONTEND_OPT_[0-9]*=target=x=y$' env/answer || fail "options: $(cat env/answer)"
grep -q '^BUILDKIT_FRONTEND_OPT_[0-9]*=source=example.com/fe:1$' env/answer || fail "source: $(cat env/answer)"
grep -q '^BUILDKIT_SESSION_ID=[a-z0-9]*$' env/answer || fail "session: $(cat env/answer)"
grep -q '^BUILDKIT_WORKERS=\[{"id":"[a-z0-9]*","labels":{.*"platforms":\[{"architecture":"amd64","os":"linux"' env/answer ||
	fail "workers: $(cat env/answer)"

# The caps of Ping are those of a client's connection, and the health service answers.
gateway --opt mode=ping --output type=local,dest=ping > build.log 2>&1 || { cat build.log; fail "ping"; }
grep -qx gateway.solve.evaluate ping/answer || fail "caps: $(cat ping/answer)"
grep -qx healthy ping/answer || fail "health: $(cat ping/answer)"

# Errors of the frontend keep their text and code; its stderr is a log.
fails "the frontend says no" build.log gateway --opt mode=error
fails "exit code: 7" build.log gateway --opt mode=unknown
grep -q "^#[0-9]* [0-9.]* unknown mode unknown$" build.log || fail "no log of the frontend: $(cat build.log)"
gateway --opt mode=log > build.log 2>&1 || { cat build.log; fail "log"; }
grep -q "^#[0-9]* [0-9.]* a line of the frontend$" build.log || fail "no log of the frontend: $(cat build.log)"

# A frontend that requests the gateway, also itself.
gateway --opt mode=nested --output type=local,dest=nested > build.log 2>&1 || { cat build.log; fail "nested"; }
[ "$(cat nested/made)" = made ] || fail "result of a nested frontend"

# Inputs of a request.
gateway --opt mode=pass-inputs --output type=local,dest=inputs > build.log 2>&1 || { cat build.log; fail "inputs"; }
[ "$(cat inputs/hello)" = hello ] || fail "result of inputs"

# A container of the frontend, which ends with it.
gateway --opt mode=container --output type=local,dest=container > build.log 2>&1 || { cat build.log; fail "container"; }
[ "$(cat container/answer)" = "in a container" ] || fail "file of a container: $(cat container/answer)"
no_leftovers

# A syntax line of any image.
sed '1i # syntax=example.com/fe:1 --flag' ctx/Dockerfile > fe/with-syntax
with_syntax() { # with_syntax FILE ARGS
	mkdir -p syntax
	cp ctx/busybox syntax
	cp "$1" syntax/Dockerfile
	shift
	build syntax --oci-layout "fe=layout" --opt "context:example.com/fe:1=oci-layout://fe@$digest" "$@"
}
with_syntax fe/with-syntax --opt mode=env --output type=local,dest=syntax-out > build.log 2>&1 || { cat build.log; fail "syntax line"; }
grep -q '^BUILDKIT_FRONTEND_OPT_[0-9]*=cmdline=example.com/fe:1 --flag$' syntax-out/answer || fail "cmdline: $(cat syntax-out/answer)"
with_syntax fe/with-syntax --opt mode=wrap --output type=local,dest=syntax-made > build.log 2>&1 || { cat build.log; fail "wrapped syntax line"; }
[ "$(cat syntax-made/made)" = made ] || fail "result of a syntax line"
fails "the frontend says no" build.log with_syntax fe/with-syntax --opt mode=error
grep -q "Dockerfile:1" build.log || fail "the error does not show the syntax line: $(cat build.log)"
with_syntax ctx/Dockerfile --opt mode=env --opt "build-arg:BUILDKIT_SYNTAX=example.com/fe:1 more" --output type=local,dest=arg-out \
	> build.log 2>&1 || { cat build.log; fail "BUILDKIT_SYNTAX"; }
grep -q '^BUILDKIT_FRONTEND_OPT_[0-9]*=cmdline=example.com/fe:1 more$' arg-out/answer || fail "cmdline: $(cat arg-out/answer)"

# The official image is served by the built-in frontend, unless a context replaces it, or it is newer or requested.
sed '1i # syntax=docker/dockerfile:1' ctx/Dockerfile > fe/official
with_syntax fe/official > build.log 2>&1 || { cat build.log; fail "official image"; }
with_syntax fe/official --opt mode=error --opt "context:docker/dockerfile:1=oci-layout://fe@$digest" > build.log 2>&1 &&
	fail "a context does not replace the official image"
grep -q "the frontend says no" build.log || { cat build.log; fail "context of the official image"; }
sed '1i # syntax=docker/dockerfile:1.999' ctx/Dockerfile > fe/newer
fails "docker.io/docker/dockerfile:1.999" build.log with_syntax fe/newer
fails "docker.io/docker/dockerfile:1" build.log with_syntax ctx/Dockerfile --opt "build-arg:BUILDKIT_SYNTAX=docker/dockerfile:1"
# shellcheck disable=SC2120
gateway_dockerfile() {
	"$BIN/buildctl" build --progress=plain --frontend=gateway.v0 --opt source=dockerfile.v0 --local context=ctx \
		--local dockerfile=ctx --oci-layout "fe=layout" "$@"
}
gateway_dockerfile > build.log 2>&1 || { cat build.log; fail "dockerfile.v0 as source"; }
fails "the frontend says no" build.log gateway_dockerfile --opt mode=error --opt "context:dockerfile.v0=oci-layout://fe@$digest"

# Required caps.
fails "unsupported frontend capability some.cap" build.log wrap --opt frontend.caps=some.cap
wrap --opt frontend.caps=moby.buildkit.frontend.subrequests+forward > build.log 2>&1 || { cat build.log; fail "supported cap"; }
fails "development gateway is no longer supported" build.log wrap --opt gateway-devel=true
fails "no source specified for gateway" build.log "$BIN/buildctl" build --frontend=gateway.v0
fails "invalid context name UPPER" build.log "$BIN/buildctl" build --frontend=gateway.v0 --opt source=UPPER
fails "gateway source didn't return default result" build.log wrap --opt source=example.com/none \
	--opt context:example.com/none=docker-image://scratch

# An image of a registry: pulled once, a record of the cache, subject to source policies.
R=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print("127.0.0.1:%d" % s.getsockname()[1])')
printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' "$WORK/store" "$R" > registry.yml
docker-registry serve registry.yml > registry.log 2>&1 &
undo "kill $!"
pushed() { build fe --output "type=image,name=$R/fe:1,push=true" > build.log 2>&1; }
await pushed
"$BIN/buildctl" prune --all > /dev/null
sed "1i # syntax=$R/fe:1" ctx/Dockerfile > fe/pulled
pulled() { with_syntax fe/pulled --opt mode=wrap "$@"; }
pulled --output type=local,dest=pulled > build.log 2>&1 || { cat build.log; fail "image of a registry"; }
[ "$(cat pulled/made)" = made ] || fail "result of an image of a registry"
grep -q "resolve image config for docker-image://$R/fe:1" build.log || fail "the image was not resolved: $(cat build.log)"
"$BIN/buildctl" du -v > du.txt
grep -q "^Type:[[:space:]]*frontend$" du.txt || { cat du.txt; fail "no record of type frontend"; }
rule() { printf '{"version":1,"rules":[{"action":"%s","selector":{"identifier":"docker-image://%s"},"updates":{"identifier":"%s"}}]}' "$@"; }
rule DENY "$R/fe:1" "" > policy.json
fails "denied by policy" build.log pulled --source-policy-file policy.json
rule CONVERT "$R/fe:1" "docker-image://$R/missing:1" > policy.json
fails "$R/missing:1" build.log pulled --source-policy-file policy.json
rule CONVERT "$R/other:2" "docker-image://$R/fe:1" > policy.json
sed "1i # syntax=$R/other:2" ctx/Dockerfile > fe/converted
with_syntax fe/converted --opt mode=wrap --source-policy-file policy.json > build.log 2>&1 || { cat build.log; fail "converted image"; }
fails "$R/missing:1" build.log with_syntax ctx/Dockerfile --opt "build-arg:BUILDKIT_SYNTAX=$R/missing:1"

# An image without an entry point, labels and working directory.
printf 'FROM scratch\nCOPY frontend /frontend\n' > fe/Dockerfile
digest=$(layout plain)
mv layout first && mv plain layout
fails "/run" build.log gateway --opt mode=env
fails "unsupported frontend capability moby.buildkit.frontend.subrequests" build.log wrap \
	--opt frontend.caps=moby.buildkit.frontend.subrequests

# No network.
printf 'FROM scratch\nCOPY frontend /frontend\nENTRYPOINT ["/frontend"]\nLABEL moby.buildkit.frontend.network.none=true\n' > fe/Dockerfile
digest=$(layout lonely)
mv layout second && mv lonely layout
gateway --opt mode=env --output type=local,dest=lonely-out > build.log 2>&1 || { cat build.log; fail "no network"; }
grep -qx "interfaces 1" lonely-out/answer || fail "interfaces: $(cat lonely-out/answer)"
no_leftovers

# Restricted repositories.
stop_daemon
cat >> buildkitd.toml <<'TOML'
[frontend."gateway.v0"]
  allowedRepositories = ["docker.io/docker/dockerfile", "example.com/allowed:tag"]
[frontend."dockerfile.v0"]
  images = ["mirror.example.com/hub/dockerfile"]
TOML
start_daemon
fails "'example.com/fe:1' is not an allowed gateway source" build.log wrap
gateway --opt source=example.com/allowed --opt mode=wrap --opt "context:example.com/allowed=oci-layout://fe@$digest" \
	> build.log 2>&1 || { cat build.log; fail "an allowed repository"; }
# docker/dockerfile is not replaced by the built-in frontend any more.
fails "docker.io/docker/dockerfile:1" build.log with_syntax fe/official
sed '1i # syntax=mirror.example.com/hub/dockerfile:1' ctx/Dockerfile > fe/mirror
fails "'mirror.example.com/hub/dockerfile:1' is not an allowed gateway source" build.log with_syntax fe/mirror
stop_daemon
sed -i '/allowedRepositories/d' buildkitd.toml
start_daemon
with_syntax fe/mirror > build.log 2>&1 || { cat build.log; fail "a mirror of the official image"; }
stop_daemon
sed -i 's,images = .*,enabled = true,; s/"gateway.v0"\]/&\n  enabled = false/' buildkitd.toml
start_daemon
fails "invalid frontend: gateway.v0" build.log wrap
