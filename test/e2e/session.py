# SPDX-License-Identifier: Apache-2.0
"""session: a client session whose services the test provides: HTTP/2 from the server's side, in the messages of a call.

    s = Session(conn, {"/moby.exporter.v1.Exporter/FindExporters": find})
    def find(stream):
        request = stream.recv()              # None at the end of the daemon's messages
        stream.send(reply)                   # the handler's end is status OK; raise Failed(code, text) for another
    s.close()                                # ends the session, and with it what handlers wait for

A method without a handler is UNIMPLEMENTED. Each handler has its own thread.
"""
import os, queue, struct, threading, traceback
import gateway
from gateway import Failed, Inflater, decode, encode_one, frame, literal

gateway.TYPES["Bytes"] = {"data": (1, "b")}


class Closed(Exception):
    pass


class Stream:
    def __init__(self, session, number):
        self.session, self.number, self.buffer, self.window, self.headers = session, number, b"", session.first_window, {}
        self.messages, self.answered = queue.Queue(), False

    def recv(self):
        m = self.messages.get()
        if m is Closed:
            raise Closed
        return m

    def begin(self):
        if not self.answered:
            self.answered = True
            rows = [(":status", "200"), ("content-type", "application/grpc")]
            self.session.write(frame(1, 4, self.number, b"".join(literal(n, v) for n, v in rows)))

    def send(self, payload):
        self.raw(b"\0" + struct.pack(">I", len(payload)) + payload)

    def raw(self, data):
        self.begin()
        s = self.session
        while data:
            with s.changed:
                while min(self.window, s.window) <= 0 and not s.closed:
                    s.changed.wait()
                if s.closed:
                    raise Closed
                n = min(len(data), self.window, s.window, 16384)
                self.window, s.window = self.window - n, s.window - n
            s.write(frame(0, 0, self.number, data[:n]))
            data = data[n:]

    def end(self, code, text):
        self.begin()
        rows = [("grpc-status", str(code)), ("grpc-message", text)]
        self.session.write(frame(1, 5, self.number, b"".join(literal(n, v) for n, v in rows)))

    def take(self, data):
        self.buffer += data
        while len(self.buffer) >= 5 and len(self.buffer) >= 5 + (size := struct.unpack(">I", self.buffer[1:5])[0]):
            self.messages.put(self.buffer[5:5 + size])
            self.buffer = self.buffer[5 + size:]


class Session:
    def __init__(self, conn, handlers):
        self.id, self.handlers, self.closed = os.urandom(12).hex(), handlers, False
        self.lock, self.changed, self.streams, self.resets = threading.Lock(), threading.Condition(), {}, set()
        self.window = self.first_window = 65535
        self.outer = conn.start("/moby.buildkit.v1.Control/Session", [
            ("x-docker-expose-session-uuid", self.id), ("x-docker-expose-session-name", "test"),
            *(("x-docker-expose-session-grpc-method", m) for m in handlers)])
        self.bytes = b""
        self.write(frame(4, 0, 0))
        threading.Thread(target=self.run, daemon=True).start()

    def write(self, data):
        with self.lock:
            self.outer.send(encode_one(1, "b", data))

    def read_exactly(self, n):
        while len(self.bytes) < n:
            m = self.outer.messages.get()
            if m is None:
                raise EOFError
            self.bytes += decode("Bytes", m)["data"]
        out, self.bytes = self.bytes[:n], self.bytes[n:]
        return out

    def handle(self, stream):
        method = stream.headers[":path"]
        try:
            if method not in self.handlers:
                raise Failed(12, "unknown method " + method)
            self.handlers[method](stream)
            stream.end(0, "")
        except Failed as f:
            stream.end(f.code, f.text)
        except Closed:
            pass
        except Exception as e:
            traceback.print_exc()
            stream.end(13, repr(e))

    def take(self, kind, flags, number, payload, inflater):
        stream = self.streams.get(number)
        if kind == 1:
            stream = self.streams[number] = Stream(self, number)
            assert flags & 4, "a header block in several frames"
            stream.headers = inflater.block(payload)
            threading.Thread(target=self.handle, args=(stream,), daemon=True).start()
        elif kind == 0 and stream:
            if payload:
                update = struct.pack(">I", len(payload))
                self.write(frame(8, 0, 0, update) + frame(8, 0, number, update))
            stream.take(payload)
        elif kind == 3 and stream:
            self.resets.add(number)
            stream.messages.put(Closed)
        elif kind == 4 and not flags & 1:
            for i in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[i:i + 6])
                if name == 4:
                    for one in self.streams.values():
                        one.window += value - self.first_window
                    self.first_window = value
            self.write(frame(4, 1, 0))
        elif kind == 6 and not flags & 1:
            self.write(frame(6, 1, 0, payload))
        elif kind == 8:
            n = struct.unpack(">I", payload)[0]
            if number == 0:
                self.window += n
            elif stream:
                stream.window += n
        if stream and kind in (0, 1) and flags & 1:
            stream.messages.put(None)

    def run(self):
        inflater = Inflater()
        try:
            assert self.read_exactly(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            while True:
                head = self.read_exactly(9)
                size, number = struct.unpack(">I", b"\0" + head[:3])[0], struct.unpack(">I", head[5:])[0]
                payload = self.read_exactly(size)
                with self.changed:
                    self.take(head[3], head[4], number, payload, inflater)
                    self.changed.notify_all()
        except (EOFError, OSError):
            pass
        with self.changed:
            self.closed = True
            for stream in self.streams.values():
                stream.messages.put(Closed)
            self.changed.notify_all()

    def close(self):
        self.outer.reset()
