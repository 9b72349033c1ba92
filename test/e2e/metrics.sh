# SPDX-License-Identifier: Apache-2.0
# The debug address: clients that send nothing, send slowly or do not read keep no others away; what they hold is freed. The
# metrics have no texts of clients.
make_context "$WORK/c"
start_daemon --debugaddr "unix://$WORK/debug.sock" --debug
printf 'FROM scratch\nCOPY nothing /\n' > "$WORK/c/Dockerfile"
fails 'failed' "$WORK/text" build "$WORK/c" --opt 'build-arg:A="} 1' --opt "hostname=x\"} 9"
{ cat "$WORK/c/base"; echo 'LABEL "x\"} 5"=1'; } > "$WORK/c/Dockerfile"
build "$WORK/c" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "the build"; }

cat > "$WORK/clients.py" <<'PYTHON'
import os, re, select, socket, sys, time
path, daemon = sys.argv[1:]


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    return s


def get(page, method=b"GET"):
    s = connect()
    s.sendall(method + b" " + page + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while got := s.recv(65536):
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    return head.split()[1].decode(), body.decode()


def descriptors():
    return len(os.listdir(f"/proc/{daemon}/fd"))


# Silent clients, one that sends a byte at a time, and one that does not read. An answer does not take their 10 s.
before = descriptors()
started = time.monotonic()
silent = [connect() for _ in range(20)]
slow, deaf = connect(), connect()
slow.sendall(b"GET /")
deaf.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
assert get(b"/readyz") == ("200", "ok\n")
slow.sendall(b"metrics HTTP/1.1\r\n")
for page in (b"/debug/vars", b"/debug/threads", b"/metrics", b"/metrics?x=y"):
    assert get(page)[0] == "200", page
assert time.monotonic() - started < 9, "the answers waited for the silent clients"
assert get(b"/metrics/../readyz")[0] == "404"
assert get(b"/readyz", b"POST")[0] == "405"
slow.sendall(b"\r\n")
assert slow.recv(100).startswith(b"HTTP/1.1 200 OK")

# More than it keeps: the oldest are closed at once, and the last one is served.
many = [connect() for _ in range(500)]
assert get(b"/readyz")[0] == "200"
assert all(s.recv(1) == b"" for s in silent)
assert descriptors() <= before + 40, (before, descriptors())
# The others are closed after 10 s, also one that always sends.
many[-1].sendall(b"GET /")
while not select.select([many[-1]], [], [], 0.5)[0]:
    try:
        many[-1].sendall(b"x")
    except OSError:
        break
    assert time.monotonic() - started < 100
for s in many:
    try:
        assert s.recv(1) == b""
    except ConnectionResetError:
        pass
# A request without an end is refused at 8 KiB.
s = connect()
s.sendall(b"GET /readyz HTTP/1.1\r\n" + b"a" * 9000)
assert s.recv(100).startswith(b"HTTP/1.1 400 Bad Request")

# Each line of the metrics has the form of Prometheus' text format, and labels that are known.
label = r'(?:status="(?:success|failure)"|error_code="[A-Za-z]+"|kind="[a-z]+"|le="(?:\d+|\+Inf)")'
line = re.compile(r"[a-z_]+(?:\{%s(?:,%s)*\})? [0-9.e+-]+" % (label, label))
text = get(b"/metrics")[1]
assert 'buildkit_builds_total{status="success"} 1\n' in text and 'status="failure",error_code=' in text, text
for row in text.splitlines():
    assert row.startswith("#") or line.fullmatch(row), row
names = [row.split()[2] for row in text.splitlines() if row.startswith("# TYPE")]
assert len(names) == len(set(names)), "a metric appears twice"
PYTHON
timeout 110 python3 "$WORK/clients.py" "$WORK/debug.sock" "$DAEMON" || fail "the debug address"
stop_daemon
