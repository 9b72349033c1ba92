#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""peer: a hostile or odd peer of the daemon's socket, for the e2e tests.

    peer.py garbage SOCKET          bytes that are no HTTP/2, frames that break its rules, gRPC messages that lie
    peer.py idle SOCKET N           N connections that say nothing, held for three seconds
    peer.py activate SOCKET PROG..  runs PROG with SOCKET listening as descriptor 3 (LISTEN_FDS)
    peer.py tar KIND FILE           writes a hostile archive
    peer.py status SOCKET REF       asks for the status of a build; prints bytes of events and whole seconds
    peer.py ping SOCKET REF         the same for a gateway's Ping
    peer.py content SOCKET [FILTER] lists the content store: a digest and a size a line
    peer.py health SOCKET           watches the health of the daemon: a status a line (1: SERVING, 2: NOT_SERVING) until its end
    peer.py statuses SOCKET         bytes that the content store says of writes under way
    peer.py solve SOCKET FILE HEX   Solve with FILE's definition and more fields; prints the same: no bytes are an error
"""
import io, os, random, socket, struct, sys, tarfile, time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b"", length=None):
    n = len(payload) if length is None else length
    return struct.pack(">I", n)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    def text(t):
        t = t.encode() if isinstance(t, str) else t
        out, n = b"", len(t)
        if n < 127:
            return bytes([n]) + t
        out, n = bytes([127]), n - 127
        while n >= 128:
            out, n = out + bytes([n % 128 + 128]), n // 128
        return out + bytes([n]) + t
    return b"\x00" + text(name) + text(value)


def headers(path, extra=()):
    rows = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
            ("content-type", "application/grpc"), ("te", "trailers"), *extra]
    return b"".join(literal(n, v) for n, v in rows)


def request(path, body, extra=()):
    return frame(4, 0, 0) + frame(1, 4, 1, headers(path, extra)) + frame(0, 1, 1, body)


def message(payload, claimed=None, compressed=0):
    return bytes([compressed]) + struct.pack(">I", len(payload) if claimed is None else claimed) + payload


def cases():
    r = random.Random(7)
    control = "/moby.buildkit.v1.Control/"
    for n in (1, 24, 1000, 70000):
        yield r.randbytes(n)
    yield b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + r.randbytes(500)
    yield PREFACE[:10]
    yield PREFACE + frame(4, 0, 0, b"\x00\x04\xff\xff\xff\xff")
    yield PREFACE + frame(4, 0, 0, b"\x00\x05\x00\x00\x00\x00")
    yield PREFACE + frame(4, 0, 0, b"\x00\x03\x00\x00\x00\x01" * 2000)
    yield PREFACE + frame(4, 0, 0) + frame(0, 0, 0, b"x")
    yield PREFACE + frame(4, 0, 0) + frame(0, 0, 0, b"", length=(1 << 24) - 1)
    for kind in list(range(0, 12)) + [0xFF]:
        for stream in (0, 1, 2, 0x7FFFFFFF):
            yield PREFACE + frame(4, 0, 0) + frame(kind, r.randrange(256), stream, r.randbytes(r.choice((0, 1, 4, 5, 8, 9, 300))))
    yield PREFACE + frame(4, 0, 0) + frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2
    yield PREFACE + frame(4, 0, 0) + frame(1, 0, 1, headers("/x")) + frame(9, 0, 1) * 20000
    yield PREFACE + frame(4, 0, 0) + frame(1, 0, 1, headers("/x")) + frame(9, 0, 1, literal("a", "b" * 16000)) * 200
    yield PREFACE + frame(4, 0, 0) + frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
    yield PREFACE + frame(4, 0, 0) + frame(1, 4, 1, b"\x3f\xff\xff\xff\xff\x0f" + headers("/x"))
    yield PREFACE + frame(4, 0, 0) + frame(1, 4, 1, literal("a", "b" * 4000) + b"\xbe" * 12000)
    yield PREFACE + frame(4, 0, 0) + b"".join(
        frame(1, 4, 1 + 2 * i, headers(control + "Info")) + frame(3, 0, 1 + 2 * i, b"\0\0\0\x08") for i in range(5000))
    yield PREFACE + frame(4, 0, 0) + b"".join(frame(1, 4, 1 + 2 * i, headers(control + "Session")) for i in range(3000))
    yield PREFACE + frame(4, 0, 0) + frame(6, 0, 0, b"12345678") * 20000
    for method in ("Info", "Solve", "Status", "DiskUsage", "ListWorkers", "ListenBuildHistory", "Nope"):
        for body in (b"", b"\0", message(b"", claimed=0xFFFFFFFF), message(b"", claimed=17 << 20), message(b"x" * 9, claimed=5),
                     message(b"abc", compressed=1), message(r.randbytes(300)), message(b"\x0a" * 5000),
                     message(b"\x0b" * 20000), message(b"\x0a\xff\xff\xff\xff\x0f"), message(b"") + message(b"")):
            yield PREFACE + request(control + method, body)
    yield PREFACE + request("", message(b""))
    yield PREFACE + request("nope", message(b""))
    yield PREFACE + request("/a/" + "b" * 60000, message(b""))
    yield PREFACE + request(control + "Info", message(b""), [("grpc-timeout", "99999999999H")])
    yield PREFACE + request(control + "Info", message(b""), [("grpc-timeout", "-1S")])
    yield PREFACE + request(control + "Session", b"\0\0", [("x-docker-expose-session-uuid", "x" * 5000)])
    yield PREFACE + request(control + "Session", message(b"\x0a\x05hello") * 50,
                            [("x-docker-expose-session-uuid", "abc"), ("x-docker-expose-session-name", "n"),
                             ("x-docker-expose-session-grpc-method", "/a/b")])
    llb = "/moby.buildkit.v1.frontend.LLBBridge/"
    for method in ("Ping", "Solve", "ReadFile", "Return", "Inputs"):
        yield PREFACE + request(llb + method, message(r.randbytes(60)))
        yield PREFACE + request(llb + method, message(b""), [("buildkit-controlapi-buildid", "none")])


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.15)
    s.connect(path)
    return s


def garbage(path):
    n = 0
    held = []
    for data in cases():
        s = connect(path)
        try:
            s.sendall(data)
            while s.recv(65536):
                pass
        except (OSError, socket.timeout):
            pass
        n += 1
        if n % 7 == 0:
            held.append(s)
            if len(held) > 20:
                held.pop(0).close()
        elif n % 3 == 0:
            s.shutdown(socket.SHUT_WR)
            s.close()
        else:
            s.close()
    print(n, "cases")


def idle(path, count):
    held = [connect(path) for _ in range(int(count))]
    for s in held[::2]:
        s.sendall(PREFACE[:12])
    time.sleep(3)


def ask(path, call, keep=None):
    s, begin, bytes_seen, data, ended = connect(path), time.monotonic(), 0, b"", False
    s.settimeout(30)
    s.sendall(PREFACE + call)
    while not ended and (got := s.recv(65536)):
        data += got
        while len(data) >= 9 and len(data) >= 9 + (n := int.from_bytes(data[:3], "big")):
            kind, flags, stream = data[3], data[4], int.from_bytes(data[5:9], "big")
            bytes_seen += n if kind == 0 else 0
            if kind == 0 and keep is not None:
                keep += data[9:9 + n]
            ended = stream == 1 and kind in (0, 1) and flags & 1
            data = data[9 + n:]
            if ended:
                break
    if keep is None:
        print(bytes_seen, int(time.monotonic() - begin))


def fields(data):
    at = 0

    def varint():
        nonlocal at
        n = shift = 0
        while True:
            byte, at = data[at], at + 1
            n, shift = n | (byte & 127) << shift, shift + 7
            if byte < 128:
                return n

    while at < len(data):
        key = varint()
        n = varint()
        if key & 7 == 2:
            yield key >> 3, data[at:at + n]
            at += n
        else:
            yield key >> 3, n


def content(path, *filters):
    got = bytearray()
    body = b"".join(b"\x0a" + bytes([len(f)]) + f.encode() for f in filters)
    ask(path, request("/containerd.services.content.v1.Content/List", message(body)), got)
    while got:
        n = int.from_bytes(got[1:5], "big")
        for _, info in fields(bytes(got[5:5 + n])):
            row = dict(fields(info))
            assert dict(fields(row[3]))[1] > 1600000000, "no time"
            print(row[1].decode(), row[2])
        del got[:5 + n]


def statuses(path):
    got = bytearray()
    ask(path, request("/containerd.services.content.v1.Content/ListStatuses", message(b"")), got)
    assert len(got) >= 5, "no answer"
    print(len(got) - 5)


def health(path):
    s, data = connect(path), b""
    s.settimeout(60)
    s.sendall(PREFACE + frame(4, 0, 0) + frame(1, 4, 1, headers("/grpc.health.v1.Health/Watch")) + frame(0, 1, 1, message(b"")))
    while got := s.recv(65536):
        data += got
        while len(data) >= 9 and len(data) >= 9 + (n := int.from_bytes(data[:3], "big")):
            if data[3] == 0 and n:
                print(data[9 + n - 1], flush=True)
            if data[3] == 1 and data[4] & 1:
                return
            data = data[9 + n:]


def status(path, ref):
    ask(path, request("/moby.buildkit.v1.Control/Status", message(b"\x0a" + bytes([len(ref)]) + ref.encode())))


def ping(path, ref):
    ask(path, request("/moby.buildkit.v1.frontend.LLBBridge/Ping", message(b""), [("buildkit-controlapi-buildid", ref)]))


def solve(path, file, more=""):
    def varint(n):
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
    definition = open(file, "rb").read()
    ask(path, request("/moby.buildkit.v1.Control/Solve", message(b"\x12" + varint(len(definition)) + definition + bytes.fromhex(more))))


def activate(path, *program):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(64)
    os.dup2(s.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execv(program[0], program)


def hostile_tar(kind, path):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as t:
        def add(name, type=tarfile.REGTYPE, link="", data=b"hostile\n", **more):
            i = tarfile.TarInfo(name)
            i.type, i.linkname = type, link
            i.size = len(data) if type == tarfile.REGTYPE else 0
            for k, v in more.items():
                setattr(i, k, v)
            t.addfile(i, io.BytesIO(data) if i.size else None)
        {
            "parent": lambda: add("../../../../../../canary/x"),
            "middle": lambda: add("a/../../../../../../../canary/x"),
            "absolute": lambda: add("/canary/x"),
            "symlink": lambda: (add("out", tarfile.SYMTYPE, os.environ["CANARY"]), add("out/x")),
            "symlink-parent": lambda: (add("out", tarfile.SYMTYPE, "../../../../../../../../../.." + os.environ["CANARY"]), add("out/x")),
            "hardlink": lambda: add("shadow", tarfile.LNKTYPE, os.environ["CANARY"] + "/secret"),
            "hardlink-parent": lambda: add("shadow", tarfile.LNKTYPE, "../../../../../../../../.." + os.environ["CANARY"] + "/secret"),
            "hardlink-symlink": lambda: (add("out", tarfile.SYMTYPE, os.environ["CANARY"]), add("shadow", tarfile.LNKTYPE, "out/secret")),
            "root-symlink": lambda: (add(".", tarfile.SYMTYPE, os.environ["CANARY"]), add("x")),
            "whiteout": lambda: (add("d/f"), add("d/.wh.."), add("d/.wh..."), add(".wh.")),
            "device": lambda: (add("null", tarfile.CHRTYPE, devmajor=1, devminor=3), add("disk", tarfile.BLKTYPE, devmajor=8, devminor=0),
                               add("pipe", tarfile.FIFOTYPE)),
            "deep": lambda: add("d/" * 1500 + "x"),
            "long": lambda: add("n" * 300),
            "links": lambda: [add(f"l{i}", tarfile.SYMTYPE, f"l{i + 1}") for i in range(300)] + [add("l0/x")],
        }[kind]()
    if kind == "long":
        return
    data = open(path, "rb").read()
    if kind == "whiteout":
        open(path + ".cut", "wb").write(data[:700])


if __name__ == "__main__":
    {"garbage": garbage, "idle": idle, "activate": activate, "tar": hostile_tar, "status": status, "ping": ping, "content": content,
     "statuses": statuses, "solve": solve, "health": health}[sys.argv[1]](*sys.argv[2:])
