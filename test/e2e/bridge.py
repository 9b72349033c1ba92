# SPDX-License-Identifier: Apache-2.0
"""bridge: calls of LLBBridge in a build that the test drives.

    build = bridge.Build(sock)
    reply = build.call("ResolveSourceMeta", field(1, ...))        bytes, or None for an error
    build.close()

    build = bridge.Build(sock, "another-ref", field(13, ...))        more fields of the Solve request
    build.call("Return", ...)
    build.wait()                                                     until the build has ended
"""
import peer
from llb import field

REF = "driven-by-the-test"


class Build:
    def __init__(self, sock, ref=REF, more=b""):
        self.sock = sock
        self.ref = ref
        self.solve = self.start("/moby.buildkit.v1.Control/Solve", field(1, ref.encode()) + more)

    def start(self, method, body):
        s = peer.connect(self.sock)
        s.settimeout(20)
        s.sendall(peer.PREFACE + peer.request(method, peer.message(body), [("buildkit-controlapi-buildid", self.ref)]))
        return s

    def call(self, method, body):
        return self.answer(self.start("/moby.buildkit.v1.frontend.LLBBridge/" + method, body))

    def answer(self, s):
        data, reply = b"", b""
        while True:
            while len(data) >= 9 and len(data) >= 9 + (n := int.from_bytes(data[:3], "big")):
                kind, flags, payload, data = data[3], data[4], data[9:9 + n], data[9 + n:]
                reply += payload if kind == 0 else b""
                if kind == 1 and flags & 1:
                    return reply[5:] if reply else None
            data += s.recv(65536)

    def wait(self):
        return self.answer(self.solve)

    def close(self):
        self.solve.close()
