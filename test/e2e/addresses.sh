# SPDX-License-Identifier: Apache-2.0
# Addresses: fd:// of a socket unit, several at once, tcp with mutual TLS, dial-stdio, the debug address.
make_context "$WORK/c"
cp "$WORK/c/base" "$WORK/c/Dockerfile"
port=$((20000 + $$ % 20000))

# fd://
python3 "$HERE/peer.py" activate "$WORK/sock" "$BIN/buildkitd" --root "$WORK/root" --addr fd:// --config "$WORK/none" 2>> "$WORK/daemon.log" &
DAEMON=$!
wait_ready
build "$WORK/c" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "fd://"; }
stop_daemon

# Mutual TLS, with the certificates of docs/network.md.
"$HERE/../../examples/create-certs" "$WORK/certs" localhost 127.0.0.1 > "$WORK/hint" || fail "create-certs"
"$HERE/../../examples/create-certs" "$WORK/strangers" localhost 127.0.0.1 > /dev/null || fail "create-certs"
grep -q -- "--tlsdir $WORK/certs/client" "$WORK/hint" || fail "create-certs does not say what to do"
start_daemon --addr "tcp://127.0.0.1:$port" --tlscacert "$WORK/certs/server/ca.pem" --tlscert "$WORK/certs/server/cert.pem" \
	--tlskey "$WORK/certs/server/key.pem" \
	--debugaddr "127.0.0.1:$((port + 1))"
tls() { timeout 60 "$BIN/buildctl" --addr "tcp://127.0.0.1:$port" "$@"; }
tls --tlsdir "$WORK/certs/client" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" \
	--local dockerfile="$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log2" || { cat "$WORK/log2"; fail "mutual TLS"; }
cmp "$WORK/out/bin/busybox" "$WORK/c/busybox" || fail "bytes through TLS"
client="$WORK/certs/client" stranger="$WORK/strangers/client"
fails 'error' "$WORK/log3" tls --tlscacert "$client/ca.pem" du
fails 'error' "$WORK/log3" tls --tlscacert "$client/ca.pem" --tlscert "$stranger/cert.pem" --tlskey "$stranger/key.pem" du
fails 'error' "$WORK/log3" tls --tlscacert "$stranger/ca.pem" --tlscert "$client/cert.pem" --tlskey "$client/key.pem" du
fails 'error' "$WORK/log3" tls --tlscacert "$client/ca.pem" --tlscert "$WORK/certs/server/cert.pem" --tlskey "$WORK/certs/server/key.pem" du
fails 'error' "$WORK/log3" tls du
fails 'cannot specify tlsdir' "$WORK/log3" tls --tlsdir "$client" --tlscacert "$client/ca.pem" du
head -c 100000 /dev/urandom | timeout 5 python3 -c "
import socket, sys
s = socket.create_connection(('127.0.0.1', $port))
try: s.sendall(sys.stdin.buffer.read())
except OSError: pass"
alive

# dial-stdio: a proxy that only copies between the socket and two pipes.
python3 - "$BIN/buildctl" "$WORK/proxy" <<'PYTHON' &
import os, socket, subprocess, sys, threading
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[2])
s.listen(8)
s.settimeout(20)
def serve(c):
    p = subprocess.Popen([sys.argv[1], "dial-stdio"], stdin=c.fileno(), stdout=c.fileno())
    c.close()
    p.wait()
try:
    while True:
        threading.Thread(target=serve, args=(s.accept()[0],)).start()
except (OSError, socket.timeout):
    pass
PYTHON
proxy=$!
await test -S "$WORK/proxy"
"$BIN/buildctl" --addr "unix://$WORK/proxy" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" \
	--local dockerfile="$WORK/c" --output type=tar,dest="$WORK/out.tar" 2> "$WORK/log4" || { cat "$WORK/log4"; fail "dial-stdio"; }
tar -xOf "$WORK/out.tar" bin/busybox | cmp - "$WORK/c/busybox" || fail "bytes through dial-stdio"
kill $proxy
wait $proxy && fail "the proxy was not killed"

# debug address
get() {
	python3 -c "
import sys, urllib.request, urllib.error
try: r = urllib.request.urlopen('http://127.0.0.1:$((port + 1))$1', timeout=5)
except urllib.error.HTTPError as e: r = e
print(r.status); print(r.read().decode())"
}
for path in /debug/vars /metrics /debug/threads; do
	get $path > "$WORK/index" || fail "no debug server"
	grep -q '^200$' "$WORK/index" || { cat "$WORK/index"; fail "$path"; }
done
get /nope > "$WORK/index"
grep -q '^404$' "$WORK/index" || { cat "$WORK/index"; fail "/nope"; }
for i in 1 2 3 4 5; do head -c 3000 /dev/urandom | timeout 5 python3 -c "
import socket, sys
s = socket.create_connection(('127.0.0.1', $((port + 1))))
s.settimeout(0.5)
try: s.sendall(sys.stdin.buffer.read() + b'\r\n\r\n'); s.recv(9)
except OSError: pass"; done
alive
stop_daemon

# debug address on a unix socket
start_daemon --debugaddr "unix://$WORK/debug.sock"
[ "$(stat -c %a "$WORK/debug.sock")" = 660 ] || fail "mode of the debug socket: $(stat -c %a "$WORK/debug.sock")"
mkdir "$WORK/metrics"
printf 'FROM scratch\nCOPY Dockerfile /\n' > "$WORK/metrics/Dockerfile"
build "$WORK/metrics" > "$WORK/printed" 2>&1 || { cat "$WORK/printed"; fail "a build"; }
fails "no such file or directory" "$WORK/printed" build "$WORK/metrics" --opt filename=nothing
python3 - "$WORK/debug.sock" > "$WORK/index" <<'PYTHON'
import http.client, socket, sys
for page in "/debug/vars", "/metrics":
    c = http.client.HTTPConnection("localhost")
    c.sock = socket.socket(socket.AF_UNIX)
    c.sock.settimeout(10)
    c.sock.connect(sys.argv[1])
    c.request("GET", page)
    r = c.getresponse()
    print(page, r.status)
    print(r.read().decode())
PYTHON
for line in '/debug/vars 200' '/metrics 200' 'buildkit_builds_total{status="success"} 1' 'buildkit_builds_steps_total{kind="cached"} 0' \
	'buildkit_builds_total{status="failure",error_code="Unknown"} 1' 'buildkit_build_duration_seconds_count{status="success"} 1'; do
	grep -qxF "$line" "$WORK/index" || { cat "$WORK/index"; fail "no \"$line\" on a unix socket"; }
done
alive
stop_daemon
[ ! -e "$WORK/debug.sock" ] || fail "the debug socket is left"
