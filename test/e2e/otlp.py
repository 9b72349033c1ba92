#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""otlp: a collector of traces for the e2e tests, and a reader of what it collected.

    otlp.py serve FILE [--http] [--tls CERT KEY] [--status N] [--silent]
                                       prints its port; appends a line of JSON per span to FILE
    otlp.py tree FILE                  prints the spans as an indented tree, sorted by start

It serves gRPC, or with --http POST requests with protobuf messages. --status answers with that gRPC or HTTP status, --silent
never. FILE gets a line "headers" with the headers of each request, too. A line of a span has name, trace, id, parent, kind,
start, end, attributes, events, status, resource, scope.
"""
import gzip, http.server, json, socket, ssl, struct, sys, threading
import gateway
from gateway import Inflater, decode, frame, literal

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
gateway.TYPES.update({
    "OtlpRequest": {"resource_spans": (1, "*OtlpResourceSpans")},
    "OtlpResourceSpans": {"resource": (1, "OtlpResource"), "scope_spans": (2, "*OtlpScopeSpans")},
    "OtlpResource": {"attributes": (1, "*OtlpPair")},
    "OtlpScopeSpans": {"scope": (1, "OtlpScope"), "spans": (2, "*OtlpSpan")},
    "OtlpScope": {"name": (1, "s"), "version": (2, "s")},
    "OtlpSpan": {"trace_id": (1, "b"), "span_id": (2, "b"), "trace_state": (3, "s"), "parent": (4, "b"), "name": (5, "s"),
                 "kind": (6, "i"), "start": (7, "b"), "end": (8, "b"), "attributes": (9, "*OtlpPair"),
                 "events": (11, "*OtlpEvent"), "links": (13, "*OtlpLink"), "status": (15, "OtlpStatus"), "flags": (16, "b")},
    "OtlpEvent": {"time": (1, "b"), "name": (2, "s"), "attributes": (3, "*OtlpPair")},
    "OtlpLink": {"trace_id": (1, "b"), "span_id": (2, "b")},
    "OtlpStatus": {"message": (2, "s"), "code": (3, "i")},
    "OtlpPair": {"key": (1, "s"), "value": (2, "OtlpValue")},
    "OtlpValue": {"string": (1, "*s"), "bool": (2, "*i"), "int": (3, "*i"), "double": (4, "*b"), "array": (5, "OtlpArray")},
    "OtlpArray": {"values": (1, "*OtlpValue")},
})


def value(v):
    if v is None:
        return None
    for kind in ("string", "bool", "int"):
        if v[kind]:
            return bool(v[kind][0]) if kind == "bool" else v[kind][0]
    if v["double"]:
        return struct.unpack("<d", v["double"][0])[0]
    return [value(one) for one in v["array"]["values"]] if v["array"] else None


def attributes(pairs):
    return {p["key"]: value(p["value"]) for p in pairs}


def time(raw):
    return struct.unpack("<Q", raw)[0] if raw else 0


def spans(message):
    for group in decode("OtlpRequest", message)["resource_spans"]:
        resource = attributes((group["resource"] or {"attributes": []})["attributes"])
        for scope in group["scope_spans"]:
            for s in scope["spans"]:
                yield {"name": s["name"], "trace": s["trace_id"].hex(), "id": s["span_id"].hex(), "parent": s["parent"].hex(),
                       "kind": s["kind"], "start": time(s["start"]), "end": time(s["end"]), "state": s["trace_state"],
                       "attributes": attributes(s["attributes"]),
                       "events": [{"name": e["name"], "attributes": attributes(e["attributes"])} for e in s["events"]],
                       "status": s["status"] or {}, "resource": resource, "scope": (scope["scope"] or {}).get("name", "")}


class Collector:
    def __init__(self, options):
        self.lock, self.options = threading.Lock(), options
        self.file = open(options.file, "a", buffering=1)

    def take(self, headers, message):
        with self.lock:
            self.file.write(json.dumps({"headers": headers}) + "\n")
            for span in spans(message):
                self.file.write(json.dumps(span) + "\n")


class Connection:
    """One HTTP/2 connection of a gRPC client, from the server's side."""

    def __init__(self, sock, collector):
        self.sock, self.collector, self.inflater, self.blocks, self.calls = sock, collector, Inflater(), {}, {}

    def read(self, n):
        out = b""
        while len(out) < n:
            got = self.sock.recv(n - len(out))
            if not got:
                raise EOFError
            out += got
        return out

    def answer(self, stream):
        headers, body = self.calls.pop(stream)
        if self.collector.options.silent:
            return
        status = self.collector.options.status if headers[":path"] == EXPORT else 12
        if headers[":path"] == EXPORT:
            self.collector.take(headers, body[5:])
        begin = literal(":status", "200") + literal("content-type", "application/grpc")
        reply = b"" if status else frame(0, 0, stream, b"\0\0\0\0\0")
        status = literal("grpc-status", str(status))
        self.sock.sendall(frame(1, 4, stream, begin) + reply + frame(1, 5, stream, status))

    def run(self):
        try:
            assert self.read(24).startswith(b"PRI * HTTP/2.0")
            self.sock.sendall(frame(4, 0, 0, struct.pack(">HI", 4, 1 << 24)) + frame(8, 0, 0, struct.pack(">I", 1 << 24)))
            while True:
                head = self.read(9)
                size, stream = struct.unpack(">I", b"\0" + head[:3])[0], struct.unpack(">I", head[5:])[0]
                kind, flags, payload = head[3], head[4], self.read(size)
                if kind in (1, 9):
                    self.blocks[stream] = self.blocks.get(stream, b"") + payload
                    if flags & 4:
                        self.calls[stream] = [self.inflater.block(self.blocks.pop(stream)), b""]
                elif kind == 0 and stream in self.calls:
                    self.calls[stream][1] += payload
                    if payload:
                        update = struct.pack(">I", len(payload))
                        self.sock.sendall(frame(8, 0, 0, update))
                elif kind == 4 and not flags & 1:
                    self.sock.sendall(frame(4, 1, 0))
                elif kind == 6 and not flags & 1:
                    self.sock.sendall(frame(6, 1, 0, payload))
                if kind in (0, 1) and flags & 1 and stream in self.calls:
                    self.answer(stream)
        except (EOFError, OSError):
            pass
        finally:
            self.sock.close()


def serve_grpc(listener, collector, context):
    def start(sock):
        try:
            Connection(context.wrap_socket(sock, server_side=True) if context else sock, collector).run()
        except OSError:
            sock.close()
    while True:
        threading.Thread(target=start, args=(listener.accept()[0],), daemon=True).start()


def serve_http(listener, collector, context):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.options.silent:
                threading.Event().wait()
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take({":path": self.path, **{k.lower(): v for k, v in self.headers.items()}}, body)
            self.send_response(collector.options.status or 200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket = context.wrap_socket(listener, server_side=True) if context else listener
    server.serve_forever()


def load(path):
    """The spans of a collector's file, or of the trace of a build record."""
    rows = [json.loads(line) for line in open(path)]
    return [row for row in rows if "name" in row]


def tree(all_spans, out=sys.stdout):
    ids = {s["id"] for s in all_spans}

    def show(parent, depth):
        for s in sorted(all_spans, key=lambda s: s["start"]):
            if s["parent"] == parent or (parent is None and s["parent"] not in ids):
                where = s["resource"].get("service.name", "")
                print("  " * depth + f'{s["name"]} [{where} {s["kind"]}]', json.dumps(s["attributes"], sort_keys=True),
                      [e["name"] for e in s["events"]], s["status"] if s["status"].get("code") else "", file=out)
                show(s["id"], depth + 1)
    show(None, 0)


def main():
    import argparse
    p = argparse.ArgumentParser()
    p.add_argument("command", choices=("serve", "tree"))
    p.add_argument("file")
    p.add_argument("--http", action="store_true")
    p.add_argument("--silent", action="store_true")
    p.add_argument("--status", type=int, default=0)
    p.add_argument("--tls", nargs=2)
    options = p.parse_args()
    if options.command == "tree":
        return tree(load(options.file))
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
        if not options.http:
            context.set_alpn_protocols(["h2"])
    print(listener.getsockname()[1], flush=True)
    (serve_http if options.http else serve_grpc)(listener, Collector(options), context)


if __name__ == "__main__":
    main()
