#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crowd: one client that takes as much of a daemon as it gets.

    crowd.py SOCKET PID sessions N      N Session streams (1,000 a connection), held until a line comes on stdin
    crowd.py SOCKET PID unread N        N connections that each send five messages of 16 MiB without their last bytes
    crowd.py SOCKET PID idle N          N connections without calls
    crowd.py SOCKET PID busy N          as many of N connections as are let in, with a Session stream each

Prints "threads A B", "resident_kib A B" (before and with the load) and "ready" when all is sent.
"""
import os, socket, struct, sys, threading
from http2 import PREFACE, DATA, HEADERS, SETTINGS, WINDOW, END_HEADERS, block, frame, swap

address, pid, what, number = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def threads():
    return len(os.listdir(f"/proc/{pid}/task"))


def resident():
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


class Connection:
    """Takes frames on a thread, so that windows are known and the peer is never blocked."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(address)
        self.changed = threading.Condition()
        self.window, self.windows, self.initial = 65535, {}, 65535
        self.headers, self.ended, self.settled = 0, False, False
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        data = b""
        try:
            while piece := self.socket.recv(1 << 16):
                data += piece
                while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                    n = int.from_bytes(data[:3], "big")
                    self.take(data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + n])
                    data = data[9 + n:]
        except OSError:
            pass
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def take(self, kind, flags, stream, payload):
        with self.changed:
            if kind == WINDOW and stream == 0:
                self.window += int.from_bytes(payload, "big")
            elif kind == WINDOW:
                self.windows[stream] = self.windows.get(stream, self.initial) + int.from_bytes(payload, "big")
            elif kind == SETTINGS and not flags & 1:
                for at in range(0, len(payload), 6):
                    key, value = struct.unpack(">HI", payload[at:at + 6])
                    if key == 4:
                        self.initial = value
                self.settled = True
                self.socket.sendall(frame(SETTINGS, 1, 0))
            elif kind == HEADERS:
                self.headers += 1
            self.changed.notify_all()

    def wait(self, true, seconds):
        with self.changed:
            return self.changed.wait_for(lambda: self.ended or true(), seconds)

    def open(self, stream, path, *more):
        self.socket.sendall(frame(HEADERS, END_HEADERS, stream, block(*swap(":path", path), *more)))

    def send(self, stream, size, first):
        """Sends until the window has been closed for three seconds, or all is sent."""
        while size > 0 and not self.ended:
            room = lambda: min(self.window, self.windows.get(stream, self.initial)) > 0
            if not self.wait(room, 3) or self.ended:
                return
            with self.changed:
                n = min(16384, size, self.window, self.windows.get(stream, self.initial))
                self.window -= n
                self.windows[stream] = self.windows.get(stream, self.initial) - n
            self.socket.sendall(frame(DATA, 0, stream, (first + bytes(n))[:n]))
            first, size = b"", size - n


def sessions():
    all_of = []
    for at in range(0, number, 1000):
        c = Connection()
        c.wait(lambda: c.settled, 30)
        count = min(1000, number - at)
        for i in range(count):
            c.open(1 + 2 * i, "/moby.buildkit.v1.Control/Session", ("x-docker-expose-session-uuid", f"crowd{at + i}"))
        if not c.wait(lambda: c.headers >= count, 60) or c.ended:
            sys.exit(f"{c.headers} of {count} sessions were answered")
        all_of.append(c)
    return all_of


def unread():
    def one(c):
        c.wait(lambda: c.settled, 30)
        try:
            for i in range(5):
                c.open(1 + 2 * i, "/moby.buildkit.v1.Control/Solve")
                c.send(1 + 2 * i, (16 << 20) - 10, b"\0" + struct.pack(">I", (16 << 20) - 10))
        except OSError:
            pass
    all_of = [Connection() for _ in range(number)]
    workers = [threading.Thread(target=one, args=(c,)) for c in all_of]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    return all_of


def idle():
    all_of = []
    for _ in range(number):
        c = Connection()
        c.wait(lambda: c.settled, 30)
        all_of.append(c)
    return all_of


def busy():
    all_of = []
    for i in range(number):
        try:
            c = Connection()
            c.wait(lambda: c.settled, 30)
            c.open(1, "/moby.buildkit.v1.Control/Session", ("x-docker-expose-session-uuid", f"busy{i}"))
            c.wait(lambda: c.headers >= 1, 30)
        except OSError:     # refused
            continue
        if not c.ended:
            all_of.append(c)
    print("held", len(all_of))
    return all_of


threads_before, resident_before = threads(), resident()
held = {"sessions": sessions, "unread": unread, "idle": idle, "busy": busy}[what]()
print("threads", threads_before, threads())
print("resident_kib", resident_before, resident())
print("ready", flush=True)
sys.stdin.readline()
