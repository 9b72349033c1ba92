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

# mutual TLS
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout "$WORK/ca.key" -out "$WORK/ca.pem" 2> /dev/null
for name in server client stranger; do
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$WORK/$name.key" -out "$WORK/$name.csr" 2> /dev/null
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > "$WORK/ext"
	if [ $name = stranger ]; then
		openssl x509 -req -in "$WORK/$name.csr" -signkey "$WORK/$name.key" -days 2 -out "$WORK/$name.pem" 2> /dev/null
	else
		openssl x509 -req -in "$WORK/$name.csr" -CA "$WORK/ca.pem" -CAkey "$WORK/ca.key" -CAcreateserial -days 2 \
			-extfile "$WORK/ext" -out "$WORK/$name.pem" 2> /dev/null
	fi
done
start_daemon --addr "tcp://127.0.0.1:$port" --tlscacert "$WORK/ca.pem" --tlscert "$WORK/server.pem" --tlskey "$WORK/server.key" \
	--debugaddr "127.0.0.1:$((port + 1))"
tls() { "$BIN/buildctl" --addr "tcp://127.0.0.1:$port" --tlscacert "$WORK/ca.pem" "$@"; }
tls --tlscert "$WORK/client.pem" --tlskey "$WORK/client.key" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" \
	--local dockerfile="$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log2" || { cat "$WORK/log2"; fail "mutual TLS"; }
cmp "$WORK/out/bin/busybox" "$WORK/c/busybox" || fail "bytes through TLS"
fails 'error' "$WORK/log3" timeout 15 "$BIN/buildctl" --addr "tcp://127.0.0.1:$port" --tlscacert "$WORK/ca.pem" du
fails 'error' "$WORK/log3" timeout 15 "$BIN/buildctl" --addr "tcp://127.0.0.1:$port" --tlscacert "$WORK/ca.pem" \
	--tlscert "$WORK/stranger.pem" --tlskey "$WORK/stranger.key" du
fails 'error' "$WORK/log3" timeout 15 "$BIN/buildctl" --addr "tcp://127.0.0.1:$port" --tlscacert "$WORK/stranger.pem" \
	--tlscert "$WORK/client.pem" --tlskey "$WORK/client.key" du
fails 'error' "$WORK/log3" timeout 15 "$BIN/buildctl" --addr "tcp://127.0.0.1:$port" du
head -c 100000 /dev/urandom | timeout 5 python3 -c "
import socket, sys
s = socket.create_connection(('127.0.0.1', $port))
try: s.sendall(sys.stdin.buffer.read())
except OSError: pass"
alive

# dial-stdio: the socket as a pair of pipes, through a proxy that is nothing but that.
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
for _ in $(seq 50); do [ ! -S "$WORK/proxy" ] || break; sleep 0.1; done
"$BIN/buildctl" --addr "unix://$WORK/proxy" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" \
	--local dockerfile="$WORK/c" --output type=tar,dest="$WORK/out.tar" 2> "$WORK/log4" || { cat "$WORK/log4"; fail "dial-stdio"; }
tar -xOf "$WORK/out.tar" bin/busybox | cmp - "$WORK/c/busybox" || fail "bytes through dial-stdio"
kill $proxy
wait $proxy || true

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
