#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""session_exporters: builds whose client names exporters when the result is known, and learns what they made.

    session_exporters.py works SOCKET
    session_exporters.py hostile SOCKET         each with its error or its end; the next build works
"""
import hashlib, io, json, sys, tarfile, threading
import gateway
from gateway import Build, Conn, Failed, decode, encode, encode_one
from session import Closed, Session

gateway.TYPES.update({
    "Attr": {"key": (1, "s"), "value": (2, "s")},
    "Metadata": {"key": (1, "s"), "value": (2, "b")},
    "Exporter": {"Type": (1, "s"), "Attrs": (2, "*Attr")},
    "FindExportersRequest": {"metadata": (1, "*Metadata"), "refs": (2, "*s")},
    "FindExportersResponse": {"exporters": (1, "*Exporter")},
    "FinalizeExportRequest": {"exporter_response": (1, "*Attr")},
    "ExportSolveRequest": {"Ref": (1, "s"), "Session": (5, "s"), "Cache": (8, "CacheOptions"), "Exporters": (13, "*Exporter"),
                           "EnableSessionExporter": (14, "i")},
    "CacheOptions": {"Exports": (4, "*Exporter")},
})
gateway.TYPES["Result"]["metadata"] = (10, "*Metadata")
FIND, FINALIZE = "/moby.exporter.v1.Exporter/FindExporters", "/moby.exporter.v1.Exporter/FinalizeExport"
SEND = "/moby.filesync.v1.FileSend/DiffCopy"
MINUS = (1 << 64) - 1


def op(number, payload):
    return encode_one(number, "b", payload)


def definition():
    """Two ops, so that the result has two layers: foo, then bar."""
    def file(name, inputs):
        made = op(1, name) + encode_one(2, "i", 0o644) + op(3, b"of " + name) + encode_one(5, "i", MINUS)
        action = encode_one(1, "i", 0 if inputs else MINUS) + encode_one(2, "i", MINUS) + encode_one(3, "i", 0) + op(5, made)
        return inputs + op(4, op(2, action)) + op(11, b"")

    def use(previous):
        return op(1, op(1, b"sha256:" + hashlib.sha256(previous).hexdigest().encode()))

    first = file(b"/foo", b"")
    second = file(b"/bar", use(first))
    return op(1, first) + op(1, second) + op(1, use(second) + op(11, b""))


def equal(a, b):
    assert a == b, f"{a!r} is not {b!r}"


def exporters(*kinds):
    return encode("FindExportersResponse", {"exporters": [{"Type": t, "Attrs": [{"key": k, "value": v} for k, v in attrs.items()]}
                                                          for t, attrs in kinds]})


class Exporting(Build):
    """A build with a session; handlers: its services."""

    def __init__(self, path, handlers, requested=(), enabled=1, caches=()):
        self.path, self.ref = path, gateway.os.urandom(12).hex()
        self.conn, self.outer = Conn(path), Conn(path)
        self.session = Session(self.outer, handlers)
        self.extra = [("buildkit-controlapi-buildid", self.ref)]
        self.solve_call = self.conn.start("/moby.buildkit.v1.Control/Solve")
        self.solve_call.send(encode("ExportSolveRequest", {
            "Ref": self.ref, "Session": self.session.id, "Exporters": list(requested), "EnableSessionExporter": enabled,
            "Cache": {"Exports": list(caches)}}))
        self.solve_call.close_send()

    def finish(self, metadata=()):
        """Solves and returns the result; the end of the build is that of solve_call."""
        ref = self.solve(definition())
        self.call("Return", {"result": {"refDeprecated": ref, "metadata": [{"key": k, "value": v} for k, v in metadata]}})

    def build(self, metadata=()):
        self.finish(metadata)
        self.solve_call.check()

    def __exit__(self, *_):
        self.conn.close()
        self.outer.close()


def fails(b, code, *texts):
    try:
        b.build()
    except Failed as f:
        assert f.code == code and all(t in f.text for t in texts), f"{f}, not {code}: {texts}"
        return
    raise AssertionError(f"no error {code}: {texts}")


class Receiver:
    """FileSend: keeps what the daemon sends."""

    def __init__(self):
        self.data, self.headers = {}, []

    def __call__(self, stream):
        number = int(stream.headers.get("buildkit-attachable-exporter-id", "-1"))
        self.headers.append(stream.headers)
        stream.begin()
        while (m := stream.recv()) is not None:
            self.data[number] = self.data.get(number, b"") + decode("Bytes", m)["data"]


def layout(data):
    """The media types of the layers in an OCI archive with one image."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        read = lambda name: json.load(tar.extractfile(name))
        manifests = read("index.json")["manifests"]
        equal(len(manifests), 1)
        return [layer["mediaType"] for layer in read("blobs/" + manifests[0]["digest"].replace(":", "/"))["layers"]]


# ---- what works

def test_find(path):
    """The client reads the result by the ids of the request, and names an exporter; it need not know FinalizeExport."""
    seen, receiver = [], Receiver()

    def find(stream):
        request = decode("FindExportersRequest", stream.recv())
        entries = b.call("ReadDir", {"Ref": request["refs"][0], "DirPath": "/"}, "ReadDirResponse")["entries"]
        seen.append((len(request["refs"]), {m["key"]: m["value"] for m in request["metadata"]}, [e["path"] for e in entries]))
        stream.send(exporters(("oci", {"compression": "zstd"})))

    with Exporting(path, {FIND: find, SEND: receiver}) as b:
        b.build([("some.key", b"\x00value")])
        (count, metadata, names), = seen
        equal((count, names, metadata["some.key"]), (1, ["bar", "foo"], b"\x00value"))
        equal(layout(receiver.data[0]), ["application/vnd.oci.image.layer.v1.tar+zstd"] * 2)


def test_several(path):
    """Those of the request come first; each has its number."""
    receiver = Receiver()
    handlers = {FIND: lambda s: s.send(exporters(("oci", {}), ("tar", {}))), SEND: receiver}
    with Exporting(path, handlers, [{"Type": "tar"}]) as b:
        b.build()
    equal(sorted(receiver.data), [0, 1, 2])
    equal(len(layout(receiver.data[1])), 2)
    for number in (0, 2):
        with tarfile.open(fileobj=io.BytesIO(receiver.data[number])) as tar:
            equal(tar.extractfile("foo").read(), b"of /foo")


def test_none(path):
    """No service, no exporters, or one that cannot be asked now: the build has no result to send."""
    def unavailable(stream):
        stream.recv()
        raise Failed(14, "not now")

    for handlers in ({}, {FIND: lambda s: s.send(b"")}, {FIND: unavailable, FINALIZE: unavailable}):
        with Exporting(path, handlers) as b:
            b.build()


def test_not_enabled(path):
    called = []
    with Exporting(path, {FIND: called.append, FINALIZE: called.append}, enabled=0) as b:
        b.build()
    equal(called, [])


def test_finalize(path):
    """The client learns what all exporters answer, and may still fail the build."""
    responses = []

    def finalize(error):
        def handler(stream):
            responses.append({a["key"]: a["value"] for a in decode("FinalizeExportRequest", stream.recv())["exporter_response"]})
            if error:
                raise error
            stream.send(b"")
        return handler

    image = {"Type": "image", "Attrs": [{"key": "name", "value": "example.com/session-exporters:1"}]}
    for error in (None, Failed(14, "later"), Failed(2, "the callback failed")):
        with Exporting(path, {FINALIZE: finalize(error)}, [image]) as b:
            if error and error.code == 2:
                fails(b, 2, "the callback failed")
            else:
                b.build()
    equal(len(responses), 3)
    for r in responses:
        assert r["containerimage.digest"].startswith("sha256:") and r["image.name"] == "example.com/session-exporters:1", r


# ---- what must not hurt

def answers(payload):
    def find(stream):
        stream.recv()
        stream.send(payload)
    return find


def test_wrong_answers(path):
    def failing(stream):
        stream.recv()
        raise Failed(2, "exporter failed")

    def short(stream):
        stream.recv()
        stream.raw(b"\0\0\0\0\x64only the beginning")

    def huge(stream):
        stream.recv()
        stream.raw(b"\0" + (17 << 20).to_bytes(4, "big") + b"x" * 100000)

    cases = [("exporter failed", failing),
             ('exporter "nothing" could not be found', answers(exporters(("nothing", {})))),
             ("the build has 101 exporters, limit is 100", answers(exporters(*[("tar", {})] * 101))),
             ("compression", answers(exporters(("oci", {"compression": "wrong"})))),
             ("", answers(b"\x0a\xff")), ("", answers(b"\xff" * 30)), ("", short), ("", huge)]
    for text, find in cases:
        with Exporting(path, {FIND: find, SEND: Receiver()}) as b:
            try:
                b.build()
                raise AssertionError(f"no error: {text}")
            except Failed as f:
                assert text in f.text and f.code != 1, f"{f}, not {text}"


def test_too_many_requested(path):
    for what, more in (("exporters", {"requested": [{"Type": "tar"}] * 101}), ("cache exporters", {"caches": [{"Type": "inline"}] * 101})):
        with Exporting(path, {}, **more) as b:
            try:
                b.solve_call.check()
                raise AssertionError(f"101 {what} are accepted")
            except Failed as f:
                assert f"the build has 101 {what}, limit is 100" in f.text, f


class Waiting:
    """A handler that never answers."""

    def __init__(self, first=0):
        self.called, self.ended, self.first = threading.Event(), threading.Event(), first

    def __call__(self, stream):
        try:
            stream.begin()
            for _ in range(self.first):
                stream.recv()
            self.called.set()
            while True:
                stream.messages.get()  # what was sent before is read and dropped; Closed ends the wait
                if stream.session.closed or self.reset(stream):
                    raise Closed
        finally:
            self.ended.set()

    def reset(self, stream):
        return stream.number in stream.session.resets


def never_answered(path, handlers, waiting, requested=()):
    """The client ends its Solve: the call to the session ends too, and the build."""
    with Exporting(path, handlers, requested) as b:
        b.finish()
        assert waiting.called.wait(gateway.TIMEOUT), "the client was not asked"
        assert not b.solve_call.ended.is_set()
        b.solve_call.reset()
        assert waiting.ended.wait(gateway.TIMEOUT), "the call to the client goes on"


def test_never_answers(path):
    find, finalize, send = Waiting(), Waiting(), Waiting(1)
    never_answered(path, {FIND: find}, find)
    never_answered(path, {FINALIZE: finalize}, finalize)
    never_answered(path, {FIND: answers(exporters(("tar", {}))), SEND: send}, send)


def test_session_ends(path):
    """The session ends while it is asked, between two questions, or in the middle of the result."""
    send = Waiting(1)
    for handlers, waiting in (({FINALIZE: (finalize := Waiting())}, finalize),
                              ({FIND: answers(exporters(("tar", {}))), SEND: send}, send)):
        with Exporting(path, handlers) as b:
            b.finish()
            assert waiting.called.wait(gateway.TIMEOUT), "the client was not asked"
            b.session.close()
            try:
                b.solve_call.check()
                assert waiting is finalize, "the build works without its result"
            except Failed as f:
                assert f.code != 4, f
    find = Waiting()
    with Exporting(path, {FIND: find}) as b:
        b.finish()
        assert find.called.wait(gateway.TIMEOUT), "the client was not asked"
        b.session.close()
        try:
            b.solve_call.check()  # a client that cannot be asked has no exporters; then it is missing for FinalizeExport
            raise AssertionError("the build works without its session")
        except Failed as f:
            assert "session" in f.text, f
    with Exporting(path, {FIND: answers(b"")}) as b:
        b.solve(definition())
        b.session.close()
        fails(b, 4, "no active session")


def test_connection_ends(path):
    find = Waiting()
    b = Exporting(path, {FIND: find})
    b.finish()
    assert find.called.wait(gateway.TIMEOUT), "the client was not asked"
    b.conn.close()
    b.outer.close()
    assert find.ended.wait(gateway.TIMEOUT)


GOOD = (test_find, test_several, test_none, test_not_enabled, test_finalize)
HOSTILE = (test_wrong_answers, test_too_many_requested, test_never_answers, test_session_ends, test_connection_ends)


def run(tests, path):
    for test in tests:
        test(path)
        print("ok", test.__name__, flush=True)
        if tests is HOSTILE:
            test_find(path)


if __name__ == "__main__":
    run({"works": GOOD, "hostile": HOSTILE}[sys.argv[1]], sys.argv[2])
