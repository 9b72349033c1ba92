# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 600
# The proxy network: steps reach servers through their proxy only; requests are checked, logged and recorded; nothing is left.
. "$HERE/network.inc"
make_context "$WORK/c"
# curl trusts the list of the root, as programs do.
curl=$(command -v curl)
mkdir "$WORK/c/tree" "$WORK/web"
for file in "$curl" $(ldd "$curl" | sed -n 's/.*[[:space:]]\(\/[^ ]*\) (0x.*/\1/p'); do
	mkdir -p "$WORK/c/tree$(dirname "$file")"
	cp -L "$file" "$WORK/c/tree$file"
done
cat >> "$WORK/c/base" <<-DOCKERFILE
	COPY tree /
	COPY roots.crt /etc/ssl/certs/ca-certificates.crt
	ENV PATH=/bin:/usr/bin
DOCKERFILE
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=other -keyout "$WORK/other.key" \
	-out "$WORK/c/roots.crt" 2> "$WORK/openssl.log"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=server -keyout "$WORK/server.key" \
	-addext 'subjectAltName=IP:10.8.0.1' -out "$WORK/server.crt" 2>> "$WORK/openssl.log"
echo content > "$WORK/web/file"
echo other > "$WORK/web/other"
ip addr add 10.8.0.1/32 dev lo

serve() { # ADDRESS PORT [tls]: the files of the directory web
	python3 - "$WORK/web" "$@" "$WORK/server.crt" "$WORK/server.key" > "$WORK/web-$1-$2.log" 2>&1 <<'PYTHON' &
import functools, http.server, ssl, sys
directory, address, port = sys.argv[1:4]
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
server = http.server.ThreadingHTTPServer((address, int(port)), handler)
if sys.argv[4] == "tls":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[5], sys.argv[6])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PYTHON
	undo "kill $! 2> /dev/null || true"
	await python3 -c "import socket; socket.create_connection(('$1', $2))"
}
serve 127.0.0.1 8080
serve 10.8.0.1 8080
serve 10.8.0.1 8443 tls
export SSL_CERT_FILE="$WORK/server.crt" # what the daemon trusts

proxies() { find "$WORK"/root/*/net/proxy -mindepth 1 2> /dev/null || true; }
no_proxy_left() {
	[ -z "$(proxies)" ] || { proxies; fail "a namespace is left"; }
	[ "$(namespaces | grep -c /net/proxy/ || true)" = 0 ] || fail "a mount of a namespace is left"
}
# said LINE: the last step's log has it.
said() { grep -qxF -- "$1" "$WORK/said" || { cat "$WORK/said"; fail "no \"$1\""; }; }
step() { # SCRIPT [ARGS]
	run_step "$@" > "$WORK/said"
}
# refused SCRIPT TEXT [ARGS]: the step fails, and says TEXT.
refused() {
	script=$1
	text=$2
	shift 2
	{ cat "$WORK/c/base"; printf '%s\n' "RUN ${RUN_FLAGS:-} $script"; } > "$WORK/c/Dockerfile"
	fails "$text" "$WORK/refused" build "$WORK/c" "$@"
}

# ---- each way to run a step, in the daemon's network
works() {
	step 'curl -sS http://10.8.0.1:8080/file' --proxy-network
	said content
	said 'proxy network requests:'
	said '- GET http://10.8.0.1:8080/file -> 200'
	step 'curl -sS https://10.8.0.1:8443/file; curl -s -o /dev/null -w "%{http_code}\n" https://10.8.0.1:8443/none' --proxy-network
	said content
	said 404
	said '- GET https://10.8.0.1:8443/file -> 200'
	said '- GET https://10.8.0.1:8443/none -> 404'
	# There is no other way out, and nothing else is seen.
	step 'ip -o link | wc -l; env | sort | grep -i _proxy; unset http_proxy https_proxy; curl -s --max-time 5 http://10.8.0.1:8080/file || echo "no way: $?"' \
		--proxy-network
	said 1
	said 'NO_PROXY=127.0.0.1,localhost,::1'
	grep -q '^https_proxy=http://10\.89\.0\.1:[0-9]*$' "$WORK/said" || { cat "$WORK/said"; fail "no proxy in the environment"; }
	said 'no way: 7'
	# The trace service is reachable behind the proxy: it accepts a message without spans.
	step 'printf "\0\0\0\0\0" | curl -sS --http2-prior-knowledge --unix-socket /dev/otel-grpc.sock -H content-type:application/grpc -o /dev/null -D - --data-binary @- http://x/opentelemetry.proto.collector.trace.v1.TraceService/Export | tr -d "\r"' \
		--proxy-network
	said 'grpc-status: 0'
	# Without a network there is no proxy.
	RUN_FLAGS=--network=none step 'env | grep -ci _proxy || grep -c proxy /etc/ssl/certs/ca-certificates.crt || echo none' --proxy-network
	said none
	no_proxy_left
}
start_daemon --allow-insecure-entitlement=network.host
works
# Without the flag, a step is in the daemon's network, and has no proxy.
step 'ip -o addr | grep -c 10.8.0.1; env | grep -ci _proxy || true; curl -sS http://127.0.0.1:8080/file'
said 1
said 0
said content
# The proxy is in the daemon's network, too: localhost is the daemon's if the step does not exclude it.
step 'NO_PROXY= no_proxy= curl -sS http://127.0.0.1:8080/file' --proxy-network
said content
RUN_FLAGS=--network=host refused 'curl -sS http://10.8.0.1:8080/file' 'network.host is not allowed' --proxy-network
RUN_FLAGS=--network=host step 'curl -sS http://10.8.0.1:8080/file' --proxy-network --allow network.host
said content
# A build without and one with the proxy do not take each other's steps while they run, but the cache has one key for both.
step 'curl -sSO http://10.8.0.1:8080/file' --proxy-network
build "$WORK/c" > "$WORK/said" 2>&1
grep -q CACHED "$WORK/said" || { cat "$WORK/said"; fail "another cache key"; }

# ---- hostile steps
step 'for i in $(seq 300); do (sleep 20 | nc ${http_proxy#http://} > /dev/null) & done; for i in $(seq 3); do curl -sS http://10.8.0.1:8080/file; done' \
	--proxy-network
[ "$(grep -cx content "$WORK/said")" = 3 ] || { cat "$WORK/said"; fail "many connections block others"; }
step 'for text in "GET /file HTTP/1.1\r\nHost: 10.8.0.1:8080\r\n\r\n" "GET http://0x0a080001:8080/file HTTP/1.1\r\nHost: x\r\n\r\n" "POST http://10.8.0.1:8080/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n" "GET http://10.8.0.1:8080/file HTTP/1.1\nHost: x\n\n\r\n\r\n" "CONNECT 10.8.0.1 HTTP/1.1\r\nHost: x\r\n\r\n"; do printf "$text" | nc ${http_proxy#http://} | head -n 1; done' \
	--proxy-network
[ "$(grep -c '^HTTP/1.1 400 Bad Request' "$WORK/said")" = 5 ] || { cat "$WORK/said"; fail "an unclear request was served"; }
! grep -q '^- ' "$WORK/said" || fail "an unclear request was recorded"
alive
no_proxy_left

# ---- policies
cat > "$WORK/policy.json" <<-'JSON'
	{"rules": [
	 {"action": "DENY", "selector": {"identifier": "http://10.8.0.1:8080/file"}},
	 {"action": "CONVERT", "selector": {"identifier": "http://10.8.0.1:8080/old"}, "updates": {"identifier": "http://10.8.0.1:8080/other"}}]}
JSON
POLICY="--proxy-network --source-policy-file $WORK/policy.json"
step 'curl -s -o /dev/null -w "%{http_code}\n" http://10.8.0.1:8080/%66ile; curl -sS http://10.8.0.1:8080/old; curl -s -X POST -o /dev/null -w "%{http_code}\n" http://10.8.0.1:8080/old' \
	$POLICY
[ "$(grep -cx 403 "$WORK/said")" = 2 ] || { cat "$WORK/said"; fail "not refused"; }
said other
said '- GET http://10.8.0.1:8080/%66ile -> 403'
said '- GET http://10.8.0.1:8080/other -> 200'
refused 'curl -sSf http://10.8.0.1:8080/file' 'exit code: 22' $POLICY

# ---- provenance
{ cat "$WORK/c/base"; echo 'RUN curl -sS -o /got http://10.8.0.1:8080/file && grep -q "proxy CA begin" /etc/ssl/certs/ca-certificates.crt'; } \
	> "$WORK/c/Dockerfile"
recorded() { # PARAMETERS: the image in $WORK/image
	rm -rf "$WORK/image"
	build "$WORK/c" --no-cache --proxy-network --opt "attest:provenance=$1" --output "type=oci,dest=$WORK/image.tar" > "$WORK/said" 2>&1
	mkdir "$WORK/image"
	tar -xf "$WORK/image.tar" -C "$WORK/image"
}
recorded mode=max,version=v1
python3 - "$WORK/image" <<'PYTHON'
import glob, hashlib, io, json, sys, tarfile
uri, content = "http://10.8.0.1:8080/file", b"content\n"
blobs = {path: open(path, "rb").read() for path in glob.glob(sys.argv[1] + "/blobs/sha256/*")}
statement = next(json.loads(b) for b in blobs.values() if b.startswith(b'{"_type"'))["predicate"]
found = [m for m in statement["buildDefinition"]["resolvedDependencies"] if m["uri"] == uri]
assert found == [{"uri": uri, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}], statement["buildDefinition"]
assert statement["runDetails"]["metadata"]["buildkit_metadata"]["network"] == {"mode": "proxy"}, statement["runDetails"]
# The certificate of the proxy is in no layer, and the list is not in that of the step.
layers = [tarfile.open(fileobj=io.BytesIO(b)) for b in blobs.values() if b[:2] == b"\x1f\x8b"]
step = next(t for t in layers if "got" in t.getnames())
assert not [n for n in step.getnames() if "ca-certificates" in n], step.getnames()
for layer in layers:
    for entry in layer:
        assert not entry.isfile() or b"proxy CA begin" not in layer.extractfile(entry).read() or entry.name.endswith("curl")
PYTHON
sed -i '$s/.*/RUN curl -sS -d x http:\/\/10.8.0.1:8080\/none/' "$WORK/c/Dockerfile"
recorded mode=min,version=v1
cat "$WORK"/image/blobs/sha256/* | grep -a '"incomplete":\[{"op":"sha256:' | grep -aq '"method":"POST","uri":"http://10.8.0.1:8080/none","reason":"method_not_materializable"' ||
	fail "the request is not in the provenance"
echo 'LABEL a=b' >> "$WORK/c/Dockerfile"
fails 'provenance materials are incomplete' "$WORK/refused" build "$WORK/c" --no-cache --proxy-network \
	--opt attest:provenance=complete-materials=true --output "type=oci,dest=$WORK/image.tar"
stop_daemon

# ---- for all builds of a daemon, with an OCI runtime, and in another network than the daemon's
cni_config cni7 10.97.0.0/16 > "$WORK/cni.conflist"
NET="--oci-worker-net=cni --oci-cni-config-path=$WORK/cni.conflist --oci-cni-binary-dir=$PLUGINS"
start_daemon $NET --proxy-network
step 'NO_PROXY= no_proxy= curl -s -o /dev/null -w "%{http_code}\n" http://127.0.0.1:8080/file; curl -sS http://10.8.0.1:8080/file'
said 502 # the daemon's localhost is not in this network
said content
no_proxy_left

# ---- killed while a step waits for a server
{ cat "$WORK/c/base"; echo "RUN nc \${http_proxy#http://} & sleep $NAP"; } > "$WORK/c/Dockerfile"
start_build "$WORK/killed.log" "$WORK/c"
await napping
[ "$(proxies | wc -l)" = 1 ] || fail "no namespace is found"
stop_daemon KILL
wait_client && fail "the build survived"
start_daemon
no_proxy_left
stop_daemon
no_network cni7

for runtime in $(runtimes); do
	use_runtime "$runtime"
	start_daemon
	works
	stop_daemon
done
no_leftovers
