# SPDX-License-Identifier: Apache-2.0
# Without a free descriptor the listener neither spins nor ends: new connections wait in the backlog and are served later.
start_daemon
python3 - "$DAEMON" "$WORK/sock" <<'PYTHON' || fail "accept without descriptors"
import os, resource, socket, subprocess, sys, time
pid, path = int(sys.argv[1]), sys.argv[2]

def ticks():
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])

taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
free = next(fd for fd in range(len(taken) + 1) if fd not in taken)
before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
clients = [socket.socket(socket.AF_UNIX) for _ in range(4)]
for c in clients:
    c.connect(path)     # the backlog takes it
    c.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    c.settimeout(1)
begin, start = ticks(), time.monotonic()
for c in clients:
    try:
        print("an answer without a descriptor:", c.recv(9))
        sys.exit(1)
    except socket.timeout:
        pass
used, took = (ticks() - begin) / os.sysconf("SC_CLK_TCK"), time.monotonic() - start
print(f"{used:.2f} s of processor time in {took:.1f} s")
if used > took / 4:
    sys.exit("the listener spins")
resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
for c in clients:
    c.settimeout(30)
    if len(c.recv(9)) == 0:
        sys.exit("a connection that waited was closed")
PYTHON
"$BIN/buildctl" --timeout 20 du > /dev/null || fail "no service afterwards"
alive
