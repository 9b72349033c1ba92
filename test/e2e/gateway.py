# SPDX-License-Identifier: Apache-2.0
"""gateway: a client of the daemon's socket that drives a build through LLBBridge, for tests of containers.

    with Build(socket) as b:
        ref = b.solve(definition)                    # bytes of pb.Definition
        b.call("NewContainer", {"ContainerID": "c", "Mounts": [{"dest": "/", "resultID": ref}]})
        p = Exec(b).start("c", ["/bin/sh"], fds=[0, 1])
        p.write(b"exit 3\\n", eof=True)
        assert p.wait() == 3

Messages are dicts, by the tables below; a field that is absent has its default value. HTTP/2 header blocks are decoded by
libnghttp2, which the daemon uses as well.
"""
import base64, ctypes, json, os, queue, socket, struct, threading, time

TIMEOUT = int(os.environ.get("GATEWAY_TIMEOUT", "60"))

# ---- protobuf: NAME: (number, kind); kind: i, s (text), b (bytes), a table's name; *: repeated, packed: of numbers
TYPES = {
    "SolveRequest": {"Definition": (1, "b"), "Frontend": (2, "s"), "AllowResultReturn": (5, "i"), "Final": (10, "i"),
                     "Evaluate": (14, "i")},
    "SolveResponse": {"ref": (1, "s"), "result": (3, "Result")},
    "Result": {"refDeprecated": (1, "s"), "ref": (3, "Ref")},
    "Ref": {"id": (1, "s")},
    "ReturnRequest": {"result": (1, "Result"), "error": (2, "Status")},
    "Status": {"code": (1, "i"), "message": (2, "s"), "details": (3, "*Any")},
    "Any": {"type_url": (1, "s"), "value": (2, "b")},
    "NewContainerRequest": {"ContainerID": (1, "s"), "Mounts": (2, "*Mount"), "Network": (3, "i"), "extraHosts": (6, "*Host"),
                            "hostname": (7, "s")},
    "Host": {"Host": (1, "s"), "IP": (2, "s")},
    "Mount": {"input": (1, "i"), "selector": (2, "s"), "dest": (3, "s"), "output": (4, "i"), "readonly": (5, "i"),
              "mountType": (6, "i"), "TmpfsOpt": (19, "Tmpfs"), "cacheOpt": (20, "Cache"), "secretOpt": (21, "Secret"),
              "resultID": (23, "s")},
    "Tmpfs": {"size": (1, "i")},
    "Cache": {"ID": (1, "s"), "sharing": (2, "i")},
    "Secret": {"ID": (1, "s"), "mode": (4, "i"), "optional": (5, "i")},
    "ReleaseContainerRequest": {"ContainerID": (1, "s")},
    "ReadFileRequest": {"Ref": (1, "s"), "FilePath": (2, "s"), "Range": (3, "FileRange"), "MountIndex": (4, "i")},
    "FileRange": {"Offset": (1, "i"), "Length": (2, "i")},
    "ReadFileResponse": {"Data": (1, "b")},
    "ReadDirRequest": {"Ref": (1, "s"), "DirPath": (2, "s"), "IncludePattern": (3, "s"), "MountIndex": (4, "i")},
    "ReadDirResponse": {"entries": (1, "*Stat")},
    "StatFileRequest": {"Ref": (1, "s"), "Path": (2, "s"), "MountIndex": (3, "i")},
    "StatFileResponse": {"stat": (1, "Stat")},
    "Stat": {"path": (1, "s"), "mode": (2, "i"), "uid": (3, "i"), "gid": (4, "i"), "size": (5, "i"), "linkname": (7, "s")},
    "PingResponse": {"FrontendAPICaps": (1, "*Cap")},
    "Cap": {"ID": (1, "s")},
    "ExecMessage": {"ProcessID": (1, "s"), "Init": (2, "Init"), "File": (3, "File"), "Resize": (4, "Resize"),
                    "Started": (5, "Empty"), "Exit": (6, "Exit"), "Done": (7, "Empty"), "Signal": (8, "Signal")},
    "Init": {"ContainerID": (1, "s"), "Meta": (2, "Meta"), "Fds": (3, "packed"), "Tty": (4, "i"), "Security": (5, "i"),
             "secretenv": (6, "*SecretEnv")},
    "Meta": {"args": (1, "*s"), "env": (2, "*s"), "cwd": (3, "s"), "user": (4, "s"), "ulimit": (9, "*Ulimit"),
             "cgroupParent": (10, "s")},
    "Ulimit": {"Name": (1, "s"), "Soft": (2, "i"), "Hard": (3, "i")},
    "SecretEnv": {"ID": (1, "s"), "name": (2, "s"), "optional": (3, "i")},
    "File": {"Fd": (1, "i"), "EOF": (2, "i"), "Data": (3, "b")},
    "Resize": {"Rows": (1, "i"), "Cols": (2, "i")},
    "Exit": {"Code": (1, "i"), "Error": (2, "Status")},
    "Signal": {"Name": (1, "s")},
    "Empty": {},
    "ControlSolveRequest": {"Ref": (1, "s"), "Session": (5, "s"), "Entitlements": (9, "*s")},
}


def varint(n):
    n, out = n & (1 << 64) - 1, b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def encode_one(number, kind, v):
    if kind == "i":
        return varint(number << 3) + varint(int(v))
    if kind == "packed":
        v = b"".join(varint(i) for i in v)
    elif kind == "s":
        v = v.encode()
    elif kind != "b":
        v = encode(kind, v)
    return varint(number << 3 | 2) + varint(len(v)) + v


def encode(kind, members):
    out = b""
    for name, v in members.items():
        number, of = TYPES[kind][name]
        for one in v if of[0] == "*" else [v]:
            out += encode_one(number, of.lstrip("*"), one)
    return out


def decode(kind, data):
    numbers = {number: (name, of) for name, (number, of) in TYPES[kind].items()}
    out = {name: [] if of[0] == "*" else None if of in TYPES else {"i": 0, "s": "", "b": b""}[of] for name, of in numbers.values()}
    at = 0

    def take():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at, n, shift = at + 1, n | (byte & 127) << shift, shift + 7
            if byte < 128:
                return n

    while at < len(data):
        key = take()
        if key & 7 == 0:
            v = take()
        else:
            size = take() if key & 7 == 2 else 4 if key & 7 == 5 else 8
            v, at = data[at:at + size], at + size
        name, of = numbers.get(key >> 3, (None, None))
        if not name:
            continue
        each = of.lstrip("*")
        v = v if each in "ib" else v.decode() if each == "s" else decode(each, v)
        if of[0] == "*":
            out[name].append(v)
        else:
            out[name] = v
    return out


# ---- HTTP/2

class Pair(ctypes.Structure):
    _fields_ = [("name", ctypes.POINTER(ctypes.c_char)), ("value", ctypes.POINTER(ctypes.c_char)),
                ("name_len", ctypes.c_size_t), ("value_len", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


class Inflater:
    def __init__(self):
        self.lib = ctypes.CDLL("libnghttp2.so.14")
        self.state = ctypes.c_void_p()
        self.lib.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        assert self.lib.nghttp2_hd_inflate_new(ctypes.byref(self.state)) == 0

    def block(self, data):
        out, at = {}, 0
        while True:
            pair, flags = Pair(), ctypes.c_int(0)
            rest = data[at:]
            n = self.lib.nghttp2_hd_inflate_hd2(self.state, ctypes.byref(pair), ctypes.byref(flags), rest,
                                                ctypes.c_size_t(len(rest)), 1)
            assert n >= 0, "header block"
            at += n
            if flags.value & 2:
                out[pair.name[:pair.name_len].decode()] = pair.value[:pair.value_len].decode()
            if flags.value & 1:
                self.lib.nghttp2_hd_inflate_end_headers(self.state)
                return out


class Failed(Exception):
    def __init__(self, code, text, details=""):
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.details = code, text, details

    def detail(self, kind):
        """The detail of this type, decoded."""
        raw = base64.b64decode(self.details + "=" * (-len(self.details) % 4))
        return next(json.loads(d["value"]) for d in decode("Status", raw)["details"] if d["type_url"].endswith(f"/{kind}+json"))


def unescape(text):
    out, at, raw = bytearray(), 0, text.encode()
    while at < len(raw):
        if raw[at] == 37:
            out.append(int(raw[at + 1:at + 3], 16))
            at += 3
        else:
            out.append(raw[at])
            at += 1
    return out.decode(errors="replace")


class Call:
    def __init__(self, conn, number):
        self.conn, self.number, self.buffer, self.window = conn, number, b"", conn.first_window
        self.messages, self.status, self.ended = queue.Queue(), None, threading.Event()

    def send(self, payload):
        self.conn.send_data(self, b"\0" + struct.pack(">I", len(payload)) + payload, 0)

    def close_send(self):
        self.conn.send_data(self, b"", 1)

    def reset(self, code=8):
        self.conn.write(frame(3, 0, self.number, struct.pack(">I", code)))

    def recv(self, timeout=None):
        """The next message; None at the end of the stream."""
        return self.messages.get(timeout=timeout or TIMEOUT)

    def check(self):
        assert self.ended.wait(TIMEOUT), "the call does not end"
        if self.status[0] != 0:
            raise Failed(*self.status)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    def text(t):
        t = t.encode()
        n = len(t)
        head = bytes([n]) if n < 127 else b"\x7f" + varint(n - 127)
        return head + t
    return b"\x00" + text(name) + text(value)


class Conn:
    """read: False leaves what the daemon sends unread, and so its windows closed."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.lock, self.changed = threading.Lock(), threading.Condition()
        self.calls, self.next, self.window, self.first_window, self.reading = {}, 1, 65535, 65535, True
        self.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
        threading.Thread(target=self.run, daemon=True).start()

    def write(self, data):
        with self.lock:
            self.sock.sendall(data)

    def start(self, path, extra=()):
        rows = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
                ("content-type", "application/grpc"), ("te", "trailers"), *extra]
        with self.changed:
            call = Call(self, self.next)
            self.calls[call.number] = call
            self.next += 2
            self.write(frame(1, 4, call.number, b"".join(literal(n, v) for n, v in rows)))
        return call

    def send_data(self, call, data, flags):
        while data or flags:
            with self.changed:
                while data and min(self.window, call.window) <= 0 and not call.ended.is_set():
                    if not self.changed.wait(TIMEOUT):
                        raise TimeoutError("no window")
                if call.ended.is_set():
                    return
                n = min(len(data), self.window, call.window, 16384)
                self.window, call.window = self.window - n, call.window - n
            last = n == len(data)
            self.write(frame(0, flags if last else 0, call.number, data[:n]))
            data = data[n:]
            if last:
                return

    def read_exactly(self, n):
        out = b""
        while len(out) < n:
            got = self.sock.recv(n - len(out))
            if not got:
                raise EOFError
            out += got
        return out

    def end(self, call, code, text, details=""):
        if not call.ended.is_set():
            call.status = (code, text, details)
            call.messages.put(None)
            call.ended.set()

    def take_data(self, call, data):
        call.buffer += data
        while len(call.buffer) >= 5 and len(call.buffer) >= 5 + (size := struct.unpack(">I", call.buffer[1:5])[0]):
            call.messages.put(call.buffer[5:5 + size])
            call.buffer = call.buffer[5 + size:]

    def take(self, kind, flags, stream, payload, inflater, headers):
        call = self.calls.get(stream)
        if kind == 0 and payload and self.reading:
            update = struct.pack(">I", len(payload))
            self.write(frame(8, 0, 0, update) + frame(8, 0, stream, update))
        if kind == 0 and call:
            self.take_data(call, payload)
        elif kind in (1, 9):
            headers[stream] = headers.get(stream, b"") + payload
            if flags & 4:
                rows = inflater.block(headers.pop(stream))
                if call and "grpc-status" in rows:
                    self.end(call, int(rows["grpc-status"]), unescape(rows.get("grpc-message", "")),
                             rows.get("grpc-status-details-bin", ""))
        elif kind == 3 and call:
            self.end(call, 1, f"reset {struct.unpack('>I', payload)[0]}")
        elif kind == 4 and not flags & 1:
            for i in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[i:i + 6])
                if name == 4:
                    for one in self.calls.values():
                        one.window += value - self.first_window
                    self.first_window = value
            self.write(frame(4, 1, 0))
        elif kind == 6 and not flags & 1:
            self.write(frame(6, 1, 0, payload))
        elif kind == 8:
            n = struct.unpack(">I", payload)[0]
            if stream == 0:
                self.window += n
            elif call:
                call.window += n

    def run(self):
        inflater, headers = Inflater(), {}
        try:
            while True:
                head = self.read_exactly(9)
                size, stream = struct.unpack(">I", b"\0" + head[:3])[0], struct.unpack(">I", head[5:])[0]
                payload = self.read_exactly(size)
                with self.changed:
                    self.take(head[3], head[4], stream, payload, inflater, headers)
                    self.changed.notify_all()
        except (EOFError, OSError):
            with self.changed:
                for call in list(self.calls.values()):
                    self.end(call, 14, "the connection has ended")
                self.changed.notify_all()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


# ---- LLBBridge

BRIDGE = "/moby.buildkit.v1.frontend.LLBBridge/"


class Build:
    """A Solve that waits for Return, and the calls of its client."""

    def __init__(self, path, entitlements=()):
        self.path, self.ref = path, os.urandom(12).hex()
        self.conn = Conn(path)
        self.extra = [("buildkit-controlapi-buildid", self.ref)]
        self.solve_call = self.conn.start("/moby.buildkit.v1.Control/Solve")
        self.solve_call.send(encode("ControlSolveRequest", {"Ref": self.ref, "Entitlements": list(entitlements)}))
        self.solve_call.close_send()
        self.returned = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def raw(self, method, payload):
        call = self.conn.start(BRIDGE + method, self.extra)
        call.send(payload)
        call.close_send()
        reply = call.recv()
        call.check()
        return reply

    def call(self, method, members, reply="Empty", request=None):
        return decode(reply, self.raw(method, encode(request or method + "Request", members)))

    def files(self, method, members, reply):
        return self.call(method + "Container", members, reply, method + "Request")

    def solve(self, definition):
        reply = self.call("Solve", {"Definition": definition, "AllowResultReturn": 1, "Evaluate": 1}, "SolveResponse")
        return reply["result"]["refDeprecated"]

    def end(self):
        """Returns an empty result; waits for the end of the build."""
        if not self.returned:
            self.returned = True
            self.call("Return", {"result": {}})
        self.solve_call.check()
        self.conn.close()


class Exec:
    """One ExecProcess stream."""

    def __init__(self, build, conn=None):
        self.call = (conn or build.conn).start(BRIDGE + "ExecProcess", build.extra)
        self.processes, self.lock = {}, threading.Lock()
        threading.Thread(target=self.run, daemon=True).start()

    def send(self, members):
        self.call.send(encode("ExecMessage", members))

    def run(self):
        while (data := self.call.messages.get()) is not None:
            message = decode("ExecMessage", data)
            with self.lock:
                process = self.processes.get(message["ProcessID"])
            if process:
                process.events.put(message)
        for process in self.processes.values():
            process.events.put(None)

    def start(self, container, args, fds=(1, 2), tty=False, name=None, **meta):
        name = name or os.urandom(8).hex()
        process = Process(self, name)
        with self.lock:
            self.processes[name] = process
        init = {"ContainerID": container, "Meta": {"args": args, **meta}, "Fds": list(fds), "Tty": int(tty)}
        for key in ("Security", "secretenv"):
            if key in meta:
                init[key] = meta[key]
                del init["Meta"][key]
        self.send({"ProcessID": name, "Init": init})
        return process


class Process:
    def __init__(self, stream, name):
        self.stream, self.name, self.events = stream, name, queue.Queue()
        self.out, self.eof, self.exit, self.started, self.done, self.order = {1: b"", 2: b""}, set(), None, False, False, []

    def send(self, **members):
        self.stream.send({"ProcessID": self.name, **members})

    def write(self, data=b"", eof=False, fd=0):
        for i in range(0, len(data), 32768):
            self.send(File={"Fd": fd, "Data": data[i:i + 32768]})
        if eof:
            self.send(File={"Fd": fd, "EOF": 1})

    def resize(self, rows, cols):
        self.send(Resize={"Rows": rows, "Cols": cols})

    def signal(self, name):
        self.send(Signal={"Name": name})

    def step(self, timeout=None):
        """Takes one message; False at the end of the stream."""
        try:
            m = self.events.get(timeout=timeout or TIMEOUT)
        except queue.Empty:
            raise AssertionError(f"no message after {self.order} {self.out}") from None
        if m is None:
            return False
        kind = next(k for k in ("Started", "Exit", "Done", "File", "Init", "Resize", "Signal") if m[k] is not None)
        self.order.append(kind)
        if kind == "File":
            self.out[m["File"]["Fd"]] += m["File"]["Data"]
            if m["File"]["EOF"]:
                self.eof.add(m["File"]["Fd"])
        self.started |= kind == "Started"
        self.done |= kind == "Done"
        if kind == "Exit":
            self.exit = m["Exit"]
        return True

    def expect(self, text, fd=1):
        """Reads until the output holds the text, and drops it up to there."""
        text = text.encode() if isinstance(text, str) else text
        until = time.monotonic() + TIMEOUT
        while text not in self.out[fd]:
            assert time.monotonic() < until and self.step(), f"no {text} in {self.out}"
        self.out[fd] = self.out[fd].split(text, 1)[1]

    def wait(self):
        """The exit code, after Done."""
        while not self.done:
            assert self.step(), "the stream has ended"
        return self.exit["Code"]
