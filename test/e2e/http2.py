#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""http2: what RFC 9113 and RFC 7541 want of a server, a case a line.

    http2.py SOCKET      prints the cases that fail and "N cases, N failed"; status 1 when one does

A case is a name, frames and what must come of them: "alive" (the connection goes on), or error codes of which one must
arrive, with a GOAWAY ("connection"), or with a RST_STREAM or GOAWAY or an answer that refuses ("stream"). "closed" is an
end of the connection, ANY all but silence: nghttp2 ignores late frames of streams it has forgotten.
"""
import socket, struct, sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIO = 1, 4, 8, 32
NONE, PROTOCOL, INTERNAL, FLOW, TIMEOUT, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION, CONNECT, CALM = range(12)


def frame(kind, flags, stream, payload=b"", length=None):
    return struct.pack(">I", len(payload) if length is None else length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(t):
    t = t.encode() if isinstance(t, str) else t
    if len(t) < 127:
        return bytes([len(t)]) + t
    n, out = len(t) - 127, b"\x7f"
    while n >= 128:
        out, n = out + bytes([n % 128 + 128]), n // 128
    return out + bytes([n]) + t


def block(*rows):
    return b"".join(b"\0" + text(n) + text(v) for n, v in rows)


GOOD = [(":method", "POST"), (":scheme", "http"), (":path", "/moby.buildkit.v1.Control/Info"), (":authority", "x"),
        ("content-type", "application/grpc"), ("te", "trailers")]


def without(name):
    return [row for row in GOOD if row[0] != name]


def swap(name, value):
    return [(n, value if n == name else v) for n, v in GOOD]


OPEN = frame(HEADERS, END_HEADERS, 1, block(*GOOD))
HALF = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(*GOOD))
MESSAGE = b"\0\0\0\0\0"


def head(rows, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, 1, block(*rows))


def setting(identifier, value):
    return frame(SETTINGS, 0, 0, struct.pack(">HI", identifier, value))


def update(stream, n):
    return frame(WINDOW, 0, stream, struct.pack(">I", n))


ALIVE, ANY = "alive", None
CASES = [
    # 4: frames
    ("4.1 unknown type", frame(0x16, 0xff, 0, b"x" * 9), ALIVE), ("4.1 unknown type on a stream", OPEN + frame(0x99, 0, 1, b"x"), ALIVE),
    ("4.1 undefined flags", frame(PING, 0x16, 0, b"12345678"), ALIVE), ("4.1 reserved bit", frame(PING, 0, 1 << 31, b"12345678"), ALIVE),
    ("4.2 large DATA", OPEN + frame(DATA, 0, 1, b"x" * 16385), ("stream", SIZE)),
    ("4.2 large HEADERS", frame(HEADERS, END_HEADERS, 1, block(*GOOD, ("x", "y" * 17000))), ("connection", SIZE)),
    ("4.2 largest frame", OPEN + frame(DATA, 0, 1, b"\0" * 16384), ALIVE),
    ("4.3 bad block", frame(HEADERS, END_HEADERS, 1, b"\x00\x80"), ("connection", COMPRESSION)),
    ("4.3 PRIORITY inside a block", frame(HEADERS, 0, 1, block(*GOOD)) + frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"), ("connection", PROTOCOL)),
    ("4.3 another stream inside a block", frame(HEADERS, 0, 1, block(*GOOD)) + frame(HEADERS, END_HEADERS, 3, block(*GOOD)),
     ("connection", PROTOCOL)),
    # 5: states
    ("5.1 idle DATA", frame(DATA, END_STREAM, 1, b"x"), ("connection", PROTOCOL)), ("5.1 idle RST", frame(RST, 0, 1, b"\0\0\0\x08"), ("connection", PROTOCOL)),
    ("5.1 idle WINDOW_UPDATE", update(1, 100), ("connection", PROTOCOL)), ("5.1 idle CONTINUATION", frame(CONTINUATION, 4, 1, block(*GOOD)), ("connection", PROTOCOL)),
    ("5.1 half-closed DATA", HALF + frame(DATA, 0, 1, b"x"), ("stream", CLOSED, PROTOCOL)),
    ("5.1 half-closed HEADERS", HALF + HALF, ("stream", CLOSED, PROTOCOL)),
    ("5.1 half-closed CONTINUATION", HALF + frame(CONTINUATION, 4, 1, block(*GOOD)), ("connection", CLOSED, PROTOCOL)),
    ("5.1 half-closed WINDOW_UPDATE", HALF + update(1, 10), ALIVE), ("5.1 half-closed PRIORITY", HALF + frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"), ALIVE),
    ("5.1 closed DATA", OPEN + frame(RST, 0, 1, b"\0\0\0\x08") + frame(DATA, 0, 1, b"x"), (ANY,)),
    ("5.1 closed HEADERS", OPEN + frame(RST, 0, 1, b"\0\0\0\x08") + OPEN, (ANY,)),
    ("5.1.1 even identifier", frame(HEADERS, 5, 2, block(*GOOD)), ("connection", PROTOCOL)),
    ("5.1.1 smaller identifier", frame(HEADERS, 5, 5, block(*GOOD)) + frame(HEADERS, 5, 3, block(*GOOD)), (ANY,)),
    ("5.3.1 depends on itself", frame(HEADERS, 0x25, 1, b"\0\0\0\x01\x10" + block(*GOOD)), (ANY,)),
    ("5.5 unknown inside a block", frame(HEADERS, 1, 1, block(*GOOD)) + frame(0x16, 0, 0, b"x"), ("connection", PROTOCOL)),
    # 6: each frame
    ("6.1 DATA on 0", frame(DATA, 1, 0, b"x"), ("connection", PROTOCOL)),
    ("6.1 padding as long as DATA", OPEN + frame(DATA, PADDED, 1, b"\x05" + b"x" * 4), ("connection", PROTOCOL)),
    ("6.1 padded", OPEN + frame(DATA, PADDED | END_STREAM, 1, b"\x03" + MESSAGE + b"\0\0\0"), ALIVE),
    ("6.2 HEADERS on 0", frame(HEADERS, 5, 0, block(*GOOD)), ("connection", PROTOCOL)),
    ("6.2 padding too long", frame(HEADERS, 5 | PADDED, 1, b"\xff" + block(*GOOD)[:20]), ("connection", PROTOCOL)),
    ("6.3 PRIORITY on 0", frame(PRIORITY, 0, 0, b"\0\0\0\x01\x10"), ("connection", PROTOCOL)),
    ("6.3 PRIORITY length", frame(PRIORITY, 0, 1, b"\0\0\0\x01"), ("stream", SIZE)),
    ("6.4 RST on 0", frame(RST, 0, 0, b"\0\0\0\x08"), ("connection", PROTOCOL)), ("6.4 RST length", OPEN + frame(RST, 0, 1, b"\0\0\0"), ("connection", SIZE)),
    ("6.5 acknowledgement with payload", frame(SETTINGS, 1, 0, b"\0" * 6), ("connection", SIZE)),
    ("6.5 on a stream", frame(SETTINGS, 0, 1, b"\0\x03\0\0\0\x64"), ("connection", PROTOCOL)), ("6.5 length", frame(SETTINGS, 0, 0, b"\0\x03\0"), ("connection", SIZE)),
    ("6.5.2 push 2", setting(2, 2), ("connection", PROTOCOL)), ("6.5.2 window 2^31", setting(4, 1 << 31), ("connection", FLOW)),
    ("6.5.2 frame size 16383", setting(5, 16383), ("connection", PROTOCOL)), ("6.5.2 frame size 2^24", setting(5, 1 << 24), ("connection", PROTOCOL)),
    ("6.5.2 frame size 0", setting(5, 0), ("connection", PROTOCOL)), ("6.5.2 unknown", setting(0xff, 1), ALIVE), ("6.5.2 table 2^31", setting(1, 1 << 31), ALIVE),
    ("6.5.2 window 0", setting(4, 0) + HALF, ALIVE),
    ("6.6 push", frame(PUSH, END_HEADERS, 1, b"\0\0\0\x02" + block(*GOOD)), ("connection", PROTOCOL)),
    ("6.7 PING on a stream", frame(PING, 0, 1, b"\0" * 8), ("connection", PROTOCOL)), ("6.7 PING length", frame(PING, 0, 0, b"\0" * 6), ("connection", SIZE)),
    ("6.7 unasked acknowledgement", frame(PING, 1, 0, b"invalid!"), ALIVE), ("6.8 GOAWAY on a stream", frame(GOAWAY, 0, 1, b"\0" * 8), ("connection", PROTOCOL)),
    ("6.8 GOAWAY short", frame(GOAWAY, 0, 0, b"\0" * 7), ("connection", SIZE)),
    ("6.9 increment 0", update(0, 0), ("connection", PROTOCOL)), ("6.9 increment 0 on a stream", OPEN + update(1, 0), ("stream", PROTOCOL)),
    ("6.9 length", frame(WINDOW, 0, 0, b"\0\0\x01"), ("connection", SIZE)), ("6.9.1 overflow", update(0, 0x7fffffff) * 2, ("connection", FLOW)),
    ("6.9.1 overflow on a stream", OPEN + update(1, 0x7fffffff) * 2, ("stream", FLOW)),
    ("6.9.2 overflow by settings", OPEN + update(1, 0x7fff0000) + setting(4, 0x7fffffff), ("stream", FLOW)),
    ("6.9 beyond the window", OPEN + frame(DATA, 0, 1, b"\0" * 16384) * 300, ("stream", FLOW, INTERNAL, CANCEL, NONE)),
    ("6.10 several", frame(HEADERS, 1, 1, block(*GOOD[:2])) + frame(CONTINUATION, 0, 1, block(*GOOD[2:4])) + frame(CONTINUATION, 4, 1, block(*GOOD[4:])), ALIVE),
    ("6.10 after the end", HALF + frame(CONTINUATION, 4, 1, block(("a", "b"))), ("connection", PROTOCOL, CLOSED)),
    ("6.10 on 0", frame(HEADERS, 1, 1, block(*GOOD[:2])) + frame(CONTINUATION, 4, 0, block(*GOOD[2:])), ("connection", PROTOCOL)),
    ("6.10 after DATA", OPEN + frame(DATA, 0, 1, MESSAGE) + frame(CONTINUATION, 4, 1, block(("a", "b"))), ("connection", PROTOCOL)),
    ("6.10 many empty", frame(HEADERS, 1, 1, block(*GOOD)) + frame(CONTINUATION, 0, 1) * 50, ("closed",)),
    ("7 unknown code in GOAWAY", frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\xff"), (ANY,)), ("7 unknown code in RST", OPEN + frame(RST, 0, 1, b"\0\0\0\xff"), ALIVE),
    # 8: messages
    ("8.1 second HEADERS", OPEN + frame(HEADERS, END_HEADERS, 1, block(("a", "b"))), ("stream", PROTOCOL)),
    ("8.2 upper case", head([*GOOD, ("X-A", "b")]), ("stream", PROTOCOL)), ("8.2 connection", head([*GOOD, ("connection", "keep-alive")]), ("stream", PROTOCOL)),
    ("8.2 te", head(swap("te", "trailers, deflate")), ("stream", PROTOCOL)), ("8.2 line feed in a value", head([*GOOD, ("a", "b\nc")]), ("stream", PROTOCOL)),
    ("8.2 nul in a value", head([*GOOD, ("a", "b\0c")]), ("stream", PROTOCOL)), ("8.2 space in a name", head([*GOOD, ("a b", "c")]), ("stream", PROTOCOL)),
    ("8.3 pseudo after others", head([*GOOD[1:], GOOD[0]]), ("stream", PROTOCOL)), ("8.3 unknown pseudo", head([(":test", "x"), *GOOD]), ("stream", PROTOCOL)),
    ("8.3 pseudo of responses", head([(":status", "200"), *GOOD]), ("stream", PROTOCOL)),
    ("8.3.1 no method", head(without(":method")), ("stream", PROTOCOL)), ("8.3.1 no scheme", head(without(":scheme")), ("stream", PROTOCOL)),
    ("8.3.1 no path", head(without(":path")), ("stream", PROTOCOL)), ("8.3.1 empty path", head(swap(":path", "")), ("stream", PROTOCOL)),
    ("8.3.1 method twice", head([GOOD[0], *GOOD]), ("stream", PROTOCOL)), ("8.3.1 path twice", head([GOOD[2], *GOOD]), ("stream", PROTOCOL)),
    ("8.1.1 content-length", head([*GOOD, ("content-length", "1")], END_HEADERS) + frame(DATA, 1, 1, MESSAGE), ("stream", PROTOCOL)),
    ("8.1 pseudo in trailers", OPEN + frame(HEADERS, 5, 1, block((":path", "/x"))), ("stream", PROTOCOL)),
    # RFC 7541
    ("HPACK index 0", frame(HEADERS, 5, 1, b"\x80"), ("connection", COMPRESSION)), ("HPACK index 70", frame(HEADERS, 5, 1, b"\xc6"), ("connection", COMPRESSION)),
    ("HPACK huge index", frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\x0f"), ("connection", COMPRESSION)),
    ("HPACK endless integer", frame(HEADERS, 5, 1, b"\xff" + b"\x80" * 40), ("connection", COMPRESSION)),
    ("HPACK large table", frame(HEADERS, 5, 1, b"\x3f\xe2\x1f" + block(*GOOD)), ("connection", COMPRESSION)),
    ("HPACK late table", frame(HEADERS, 5, 1, block(*GOOD) + b"\x20"), ("connection", COMPRESSION)),
    ("HPACK length beyond the block", frame(HEADERS, 5, 1, b"\0\x7f\xff\xff\x01a"), ("connection", COMPRESSION)),
    ("HPACK end of string in Huffman", frame(HEADERS, 5, 1, block(*GOOD) + b"\0\x01a\x84\xff\xff\xff\xff"), ("connection", COMPRESSION)),
    ("HPACK long padding", frame(HEADERS, 5, 1, block(*GOOD) + b"\0\x01a\x83\x1c\x64\xff\xff"), ("connection", COMPRESSION)),
    ("HPACK padding of zeros", frame(HEADERS, 5, 1, block(*GOOD) + b"\0\x01a\x81\x18"), ("connection", COMPRESSION)),
]


def frames(sock):
    """Frames until the answer to our last PING, a GOAWAY, the end, or silence."""
    data = b""
    while True:
        while len(data) >= 9:
            n = int.from_bytes(data[:3], "big")
            if len(data) < 9 + n:
                break
            kind, flags, payload = data[3], data[4], data[9:9 + n]
            data = data[9 + n:]
            if kind == PING and flags & 1 and payload == b"the 1st.":
                try:
                    sock.sendall(frame(PING, 0, 0, b"the last"))  # answers to PING overtake others
                except OSError:
                    pass
            if kind == PING and flags & 1 and payload == b"the last":
                yield "alive", None
                return
            if kind == GOAWAY:
                yield "connection", int.from_bytes(payload[4:8], "big")
            if kind == RST:
                yield "stream", int.from_bytes(payload, "big")
            if kind == HEADERS:
                yield "answer", None
        try:
            more = sock.recv(65536)
        except (ConnectionError, socket.timeout) as e:
            yield ("silent" if isinstance(e, socket.timeout) else "closed"), None
            return
        if not more:
            yield "closed", None
            return
        data += more


def run(path, data):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        try:
            s.sendall(PREFACE + frame(SETTINGS, 0, 0) + data + frame(PING, 0, 0, b"the 1st."))
        except OSError:
            pass
        return list(frames(s))


def judge(events, wanted):
    kinds = [kind for kind, _ in events]
    if "silent" in kinds:
        return False
    if wanted == ALIVE:
        return "alive" in kinds and "connection" not in kinds
    if wanted[0] == "closed":
        return "alive" not in kinds
    if wanted[0] is ANY:
        return True
    codes = wanted[1:]
    if any(kind == "connection" and code in codes for kind, code in events):
        return True
    if wanted[0] == "connection":
        return False
    return any(kind == "stream" and code in codes for kind, code in events) or ("answer" in kinds and PROTOCOL in codes)


if __name__ == "__main__":
    failed = 0
    for name, data, wanted in CASES:
        events = run(sys.argv[1], data)
        if not judge(events, wanted):
            failed += 1
            print(f"{name}: wanted {wanted}, got {events}")
    print(f"{len(CASES)} cases, {failed} failed")
    sys.exit(failed > 0)
