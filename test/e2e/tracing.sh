# SPDX-License-Identifier: Apache-2.0
# OpenTelemetry: the spans of a build as a collector and the record of the build have them, over gRPC and HTTP, with TLS; the
# trace service for steps; a collector that does not answer delays nothing.
collector() { # NAME [ARGS]: starts a collector that writes to $WORK/NAME; PORT is its port
	name=$1
	shift
	python3 "$HERE/otlp.py" serve "$WORK/$name" "$@" > "$WORK/$name.port" &
	undo "kill $! 2> /dev/null"
	await test -s "$WORK/$name.port"
	PORT=$(cat "$WORK/$name.port")
}
check() { PYTHONPATH=$HERE python3 - "$@" || fail "check"; }
trace=0123456789abcdef0123456789abcdef
make_context "$WORK/c"
cp "$WORK/c/base" "$WORK/c/Dockerfile"
cat >> "$WORK/c/Dockerfile" <<'DOCKERFILE'
RUN env; test -S /dev/otel-grpc.sock
RUN OTEL_TRACES_EXPORTER=mine env > /own && grep -x OTEL_TRACES_EXPORTER=mine /own
DOCKERFILE

# The daemon sends its spans to a collector, buildctl to another one, and to the daemon.
collector daemon
export OTEL_BSP_SCHEDULE_DELAY=100
export OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$PORT" OTEL_EXPORTER_OTLP_HEADERS="x-token=a%20b"
export OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test"
start_daemon --debugaddr "unix://$WORK/debug"
collector client --http
export OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$PORT" OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_SERVICE_NAME=cli
export TRACEPARENT="00-$trace-0123456789abcdef-01" TRACESTATE=vendor=1
build "$WORK/c" --output "type=oci,dest=$WORK/out.tar" --ref-file "$WORK/ref" --secret id=x,src="$WORK/c/base" \
	--opt build-arg:TOKEN=topsecret > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "build"; }
grep -q "TRACEPARENT=00-$trace-" "$WORK/said" || { cat "$WORK/said"; fail "no trace context in the step"; }
for variable in TRACESTATE=vendor=1 OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc \
	OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=unix:///dev/otel-grpc.sock; do
	grep -q " $variable\$" "$WORK/said" || { cat "$WORK/said"; fail "no $variable in the step"; }
done
"$BIN/buildctl" debug logs --trace "$(cat "$WORK/ref")" > "$WORK/trace.json" || fail "logs --trace"
await grep -q '"name": "create history record"' "$WORK/daemon"
await grep -q '"name": "build"' "$WORK/daemon"
grep -q topsecret "$WORK/daemon" "$WORK/client" "$WORK/trace.json" && fail "a secret is in a trace"
check "$WORK" "$trace" <<'PYTHON'
import json, sys, otlp
work, trace = sys.argv[1:]
rows = {name: [s for s in otlp.load(f"{work}/{name}") if s["trace"] == trace] for name in ("daemon", "client")}
headers = [json.loads(line)["headers"] for line in open(f"{work}/daemon") if '"headers"' in line]
assert headers and all(h["x-token"] == "a b" for h in headers), headers
posts = [json.loads(line)["headers"] for line in open(f"{work}/client") if '"headers"' in line]
assert posts and all(p[":path"] == "/v1/traces" and p["x-token"] == "a b" for p in posts), posts
spans = {s["id"]: s for s in rows["daemon"]}
assert len(spans) == len(rows["daemon"]), "a span was sent twice"


def path(s):
    names = []
    while s:
        names.insert(0, f'{s["name"]}/{s["kind"]}@{s["resource"]["service.name"]}')
        s = spans.get(s["parent"])
    return names


def one(name, kind, service="buildkitd"):
    found = [s for s in spans.values() if s["name"] == name and s["kind"] == kind and s["resource"]["service.name"] == service]
    assert len(found) == 1, (name, kind, [path(s) for s in found])
    return found[0]


root = one("build", 1, "cli")
assert root["parent"] == "0123456789abcdef" and root["state"] == "vendor=1" and root["status"]["code"] == 1, root
assert root["attributes"]["command"][-1] == "build-arg:TOKEN=xxxxx", root
solve = one("moby.buildkit.v1.Control/Solve", 2)
assert path(solve) == ["build/1@cli", "moby.buildkit.v1.Control/Solve/3@cli", "moby.buildkit.v1.Control/Solve/2@buildkitd"], path(solve)
assert solve["attributes"]["rpc.response.status_code"] == "OK" and solve["attributes"]["rpc.system.name"] == "grpc"
assert solve["resource"]["deployment.environment.name"] == "test"
step = next(s for s in spans.values() if s["name"].endswith("RUN env; test -S /dev/otel-grpc.sock"))
assert path(step)[:-1] == path(solve), path(step)
assert step["attributes"]["vertex"].startswith("sha256:")
assert [e["name"] for e in step["events"]] == ["ExecOp started", "Container created", "Container started", "Container exited"]
assert step["events"][3]["attributes"] == {"exit.code": 0}
loaded = one("[internal] load build definition from Dockerfile", 1)
assert "moby.buildkit.v1.frontend.LLBBridge/Solve/2@buildkitd" in path(loaded), path(loaded)
copies = [s for s in spans.values() if s["name"] == "moby.filesync.v1.FileSync/DiffCopy"]
assert {(s["kind"], s["resource"]["service.name"]) for s in copies} == {(3, "buildkitd"), (2, "cli")}, copies
assert all(path(s)[-2] == "moby.filesync.v1.FileSync/DiffCopy/3@buildkitd" for s in copies if s["kind"] == 2)
layers = one("export layers", 1)
assert path(layers)[-2] == "exporting to oci image format/1@buildkitd" and layers["attributes"]["exportLayers.compressionType"] == "gzip"
assert path(one("create default history provenance", 1))[-2] == "create history record/1@buildkitd"
assert all(s["start"] <= s["end"] for s in spans.values())
# A record has the same spans in BuildKit's form.
decoder, text, at, recorded = json.JSONDecoder(), open(f"{work}/trace.json").read(), 0, {}
while at < len(text.rstrip()):
    span, at = decoder.raw_decode(text, at)
    at = len(text) - len(text[at:].lstrip())
    recorded[span["SpanContext"]["SpanID"]] = span
assert {s["id"] for s in spans.values()} - set(recorded) <= {s["id"] for s in spans.values() if "History" in s["name"]
                                                              or s["name"].startswith("containerd.") or s["name"] == "debug"
                                                              or "Session" in s["name"]}
ours = recorded[step["id"]]
assert ours["Name"] == step["name"] and ours["SpanContext"]["TraceID"] == trace and ours["SpanContext"]["TraceState"] == "vendor=1"
assert ours["Parent"]["SpanID"] == solve["id"] and not ours["Parent"]["Remote"] and ours["SpanKind"] == 1
assert {"Key": "service.name", "Value": {"Type": "STRING", "Value": "buildkitd"}} in ours["Resource"]
assert recorded[solve["id"]]["Parent"]["Remote"] and recorded[root["id"]]["Status"]["Code"] == 2
PYTHON

# A failed step, and a client that does not want to be traced.
sed -i 's/^RUN env.*/RUN exit 3/' "$WORK/c/Dockerfile"
build "$WORK/c" > "$WORK/said" 2>&1 && fail "worked"
await grep -q '"name": "\[[^"]*RUN exit 3"' "$WORK/daemon"
check "$WORK" <<'PYTHON'
import sys, otlp
step = next(s for s in otlp.load(f"{sys.argv[1]}/daemon") if s["name"].endswith("RUN exit 3"))
assert step["status"]["code"] == 2 and "exit code: 3" in step["status"]["message"], step
assert step["events"][3]["attributes"] == {"exit.code": 3} and step["events"][4]["name"] == "exception"
PYTHON
TRACEPARENT=00-ffffffffffffffffffffffffffffffff-0123456789abcdef-00 build "$WORK/c" > "$WORK/said" 2>&1 && fail "worked"
unset TRACEPARENT TRACESTATE
export OTEL_SDK_DISABLED=true
build "$WORK/c" > "$WORK/said" 2>&1 && fail "worked"
grep -q ffffffffffffffffffffffffffffffff "$WORK/daemon" && fail "a trace that is not sampled was exported"

# What a step sends: its spans are part of the record and go to the collector. Invalid ones are rejected.
check "$WORK" <<'PYTHON'
import os, sys
import gateway, otlp
from gateway import encode_one
os.chdir(f"{sys.argv[1]}/root")  # the path of a socket is short
conn = gateway.Conn("otel-grpc.sock")


def export(span):
    scope = encode_one(2, "b", span)
    group = encode_one(2, "b", scope)
    call = conn.start(otlp.EXPORT)
    call.send(encode_one(1, "b", group))
    call.close_send()
    reply = call.recv()
    call.check()
    return reply


good = encode_one(1, "b", b"S" * 16) + encode_one(2, "b", b"s" * 8) + encode_one(5, "s", "from a step")
assert export(good) == b""
assert b"ids" in export(good[:18]), "a span without an id was accepted"
call = conn.start(otlp.EXPORT)
call.send(b"\x0a\x7f")
call.close_send()
assert call.recv() is None and call.status[0] == 3, call.status
call = conn.start("/moby.buildkit.v1.Control/Info")
call.send(b"")
call.close_send()
assert call.recv() is None and call.status[0] == 12, "a step reached the control service"
PYTHON
await grep -q '"name": "from a step"' "$WORK/daemon"


python3 - "$WORK/debug" > "$WORK/metrics" <<'PYTHON'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
print(b"".join(iter(lambda: s.recv(65536), b"")).decode())
PYTHON
grep -q '^buildkit_trace_exported_spans_total [1-9]' "$WORK/metrics" || { cat "$WORK/metrics"; fail "no metric"; }
grep -q '^buildkit_trace_dropped_spans_total 0' "$WORK/metrics" || { cat "$WORK/metrics"; fail "spans were dropped"; }
stop_daemon
unset OTEL_EXPORTER_OTLP_PROTOCOL OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES OTEL_SDK_DISABLED

# TLS, both protocols; and a certificate that is not trusted.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
	-days 2 -keyout "$WORK/key.pem" -out "$WORK/cert.pem" 2> /dev/null
for protocol in grpc http/protobuf; do
	set -- --tls "$WORK/cert.pem" "$WORK/key.pem"
	[ $protocol = grpc ] || set -- "$@" --http
	collector "tls-${protocol%%/*}" "$@"
	export OTEL_EXPORTER_OTLP_ENDPOINT="https://localhost:$PORT" OTEL_EXPORTER_OTLP_PROTOCOL=$protocol
	OTEL_EXPORTER_OTLP_CERTIFICATE=$WORK/cert.pem start_daemon
	stop_daemon
	grep -q '"rpc.method": "moby.buildkit.v1.Control/ListWorkers"' "$WORK/tls-${protocol%%/*}" || fail "no spans with TLS and $protocol"
	OTEL_BSP_EXPORT_TIMEOUT=1 start_daemon
	stop_daemon
	grep -q 'spans are lost: export traces to .*certificate' "$WORK/daemon.log" || fail "no report of the certificate"
	sed -i '/spans are lost/d' "$WORK/daemon.log"
done

# A collector that does not answer: builds and the end of the daemon do not wait for it, and spans are dropped.
collector silent --silent
export OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$PORT" OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_BSP_MAX_QUEUE_SIZE=5
start_daemon --debugaddr "unix://$WORK/debug"
sed -i 's/^RUN exit 3/RUN true/' "$WORK/c/Dockerfile"
OTEL_TRACES_EXPORTER=none build "$WORK/c" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "build with a silent collector"; }
python3 - "$WORK/debug" > "$WORK/metrics" <<'PYTHON'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
print(b"".join(iter(lambda: s.recv(65536), b"")).decode())
PYTHON
grep -q '^buildkit_trace_dropped_spans_total [1-9]' "$WORK/metrics" || { cat "$WORK/metrics"; fail "nothing was dropped"; }
stop_daemon

# What is not supported is an error, unless the environment says otherwise.
unset OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_PROTOCOL OTEL_EXPORTER_OTLP_HEADERS
fails 'unsupported opentelemetry exporter jaeger' "$WORK/log2" env OTEL_TRACES_EXPORTER=jaeger "$BIN/buildkitd" \
	--root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml"
fails 'unsupported opentelemetry exporter jaeger' "$WORK/log2" env OTEL_TRACES_EXPORTER=jaeger "$BIN/buildctl" debug workers
OTEL_TRACES_EXPORTER=jaeger OTEL_IGNORE_ERROR=true start_daemon --otel-socket-path "$WORK/own.sock"
[ -S "$WORK/own.sock" ] || fail "no socket at the configured path"
stop_daemon
