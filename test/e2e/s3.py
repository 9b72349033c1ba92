#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""s3: a bucket for the e2e tests, over http on a loopback port, that checks AWS signatures (version 4).

    s3.py DIR KEY SECRET      listens on a free port; DIR/port holds it, DIR/log a line a request: METHOD PATH STATUS

Path style only; objects are in memory. Signatures are computed as "Authenticating Requests (AWS Signature Version 4)"
of the S3 API reference says, from what arrived.
"""
import email.utils, hashlib, hmac, http.server, os, re, sys, time, urllib.parse

DIR, KEY, SECRET = sys.argv[1:4]
OBJECTS = {}  # path to (bytes, seconds)


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        with open(os.path.join(DIR, "log"), "a") as log:
            log.write("%s %s %d\n" % (self.command, self.path, status))

    def signed(self, body):
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)",
                             self.headers.get("Authorization", ""))
        if not found or found.group(1) != KEY:
            return False
        scope, names, given = found.group(2), found.group(3).split(";"), found.group(4)
        payload = self.headers["x-amz-content-sha256"]
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names):
            return False
        if payload != hashlib.sha256(body).hexdigest():
            return False
        # Every x-amz header must be signed.
        if any(n.lower().startswith("x-amz-") and n.lower() not in names for n in self.headers):
            return False
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.quote(urllib.parse.unquote(url.path), safe="/-_.~")
        lines = "".join("%s:%s\n" % (n, " ".join(self.headers[n].split())) for n in names)
        canonical = "\n".join([self.command, path, url.query, lines, ";".join(names), payload])
        text = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + SECRET).encode()
        for part in scope.split("/"):
            key = sign(key, part)
        return hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), given)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.signed(body):
            return self.answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        source = self.headers.get("x-amz-copy-source")
        if self.command == "PUT" and source:
            source = "/" + urllib.parse.unquote(source).lstrip("/")
            if source not in OBJECTS:
                return self.answer(404)
            OBJECTS[path] = (OBJECTS[source][0], time.time())
            return self.answer(200, b"<CopyObjectResult/>")
        if self.command == "PUT":
            OBJECTS[path] = (body, time.time())
            return self.answer(200)
        if path not in OBJECTS:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        data, modified = OBJECTS[path]
        self.answer(200, data, [("Last-Modified", email.utils.formatdate(modified, usegmt=True))])

    do_GET = do_HEAD = do_PUT = handle_any


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(os.path.join(DIR, "port.new"), "w") as f:
    f.write(str(server.server_port))
os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
server.serve_forever()
