# SPDX-License-Identifier: Apache-2.0
# With a drain timeout, SIGTERM lets running builds end: /readyz and the health service say so first, further builds are
# refused. A second signal and the end of the timeout cancel them.
make_context "$WORK/c"
mkfifo "$WORK/go"
cat "$WORK/c/base" - > "$WORK/c/Dockerfile" <<'DOCKERFILE'
RUN while ! wget -q -O /dev/null http://127.0.0.1:PORT/go; do sleep 1; done; echo ended-well
DOCKERFILE
ready() { # prints the status line's code and the body
	python3 - "$WORK/debug.sock" <<'PYTHON'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
data = b""
while got := s.recv(4096):
    data += got
head, body = data.split(b"\r\n\r\n")
print(head.split()[1].decode(), body.decode().strip())
PYTHON
}

# The step ends when the server answers; it is asked once, and holds the connection until "$WORK/go" is written.
python3 - "$WORK/go" "$WORK/port" > "$WORK/asked" <<'PYTHON' &
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked", flush=True)
        open(sys.argv[1]).read()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[2] + ".new", "w").write(str(server.server_port))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
PYTHON
undo "kill $! 2> /dev/null"
await test -s "$WORK/port"
sed -i "s/PORT/$(cat "$WORK/port")/" "$WORK/c/Dockerfile"

begin() { # LOG [DAEMON ARGS]: a build whose step runs
	log=$1
	shift
	: > "$WORK/asked"
	start_daemon --debugaddr "unix://$WORK/debug.sock" "$@"
	start_build "$WORK/$log" "$WORK/c" --no-cache
	wait_for asked "$WORK/asked" 60
}

# Builds end, and the daemon after them.
begin first --drain-timeout 10m
[ "$(ready)" = "200 ok" ] || fail "/readyz: $(ready)"
python3 "$HERE/peer.py" health "$WORK/sock" > "$WORK/health" &
watcher=$!
wait_for 1 "$WORK/health"
kill -TERM "$DAEMON"
wait_for 2 "$WORK/health"
[ "$(ready)" = "503 stopping" ] || fail "/readyz while draining: $(ready)"
fails "the daemon is stopping and accepts no further builds" "$WORK/refused" build "$WORK/c"
"$BIN/buildctl" debug workers > "$WORK/workers" || fail "the daemon no longer answers"
echo > "$WORK/go"
wait_client || { cat "$WORK/first"; fail "the build failed"; }
grep -q 'ended-well' "$WORK/first" || fail "the step did not end"
kill -TERM "$watcher"
stop_daemon 0
grep -q 'waiting for 1 running builds' "$WORK/daemon.log" || fail "the log has no line about it"

# A second signal.
begin second --drain-timeout 10m
kill -TERM "$DAEMON"
wait_for 'waiting for 1 running builds' "$WORK/daemon.log"
await sh -c "[ \"\$(grep -c 'waiting for 1' '$WORK/daemon.log')\" = 2 ]"
stop_daemon
wait_client && fail "the client ended well after a second signal"
grep -q 'cancelled: another signal was received' "$WORK/daemon.log" || fail "the log has no line about the second signal"

# The end of the timeout. In the configuration file, too.
{ echo 'drainTimeout = "1s"'; cat "$WORK/buildkitd.toml"; } > "$WORK/new.toml"
mv "$WORK/new.toml" "$WORK/buildkitd.toml"
begin third
stop_daemon
wait_client && fail "the client ended well after the timeout"
grep -q 'cancelled: the drain timeout is over' "$WORK/daemon.log" || fail "the log has no line about the timeout"

# Without builds the daemon ends at once; SIGINT does not drain.
start_daemon --drain-timeout 10m
stop_daemon
begin fourth --drain-timeout 10m
stop_daemon INT
wait_client && fail "the client ended well after SIGINT"
no_leftovers

fails 'drainTimeout must not be negative' "$WORK/refused" "$BIN/buildkitd" --root "$WORK/root" --drain-timeout -1s
