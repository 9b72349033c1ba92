#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""counting_registry: a small registry for the e2e tests, over http on a loopback port, that writes down every request.

    counting_registry.py DIR      listens on a free port; DIR/port holds it, DIR/log a line a request: METHOD PATH STATUS BYTES

Blobs are the files DIR/blobs/<digest>, so that a test can damage them; which repository has which is in memory.
"""
import hashlib, http.server, os, re, sys, threading, urllib.parse, uuid

DIR = sys.argv[1]
BLOBS = os.path.join(DIR, "blobs")
LOCK = threading.Lock()
REPOS = {}      # repository to set of digests
MANIFESTS = {}  # (repository, tag or digest) to (media type, bytes)
UPLOADS = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        length = dict(headers).get("Content-Length", len(body))
        for name, value in headers:
            if name != "Content-Length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        with LOCK, open(os.path.join(DIR, "log"), "a") as log:
            log.write("%s %s %d %d\n" % (self.command, self.path, status, 0 if self.command == "HEAD" else len(body)))

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        if path == "/v2/":
            return self.answer(200)
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", path)
        if not found:
            return self.answer(404)
        repo, kind, name = found.groups()
        if kind == "manifests":
            media_type, data = MANIFESTS.get((repo, name), (None, None))
            if data is None:
                return self.answer(404)
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            return self.answer(200, data, [("Content-Type", media_type), ("Docker-Content-Digest", digest)])
        file = os.path.join(BLOBS, name)
        if name not in REPOS.get(repo, ()) or not os.path.exists(file):
            return self.answer(404)
        with open(file, "rb") as f:
            self.answer_range(f.read())

    # One range; several are a bad request, after which clients ask for one at a time.
    def answer_range(self, data):
        headers = [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes")]
        if "Range" not in self.headers:
            return self.answer(200, data, headers)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"])
        if not found:
            return self.answer(400)
        first, last = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
        if first > last:
            return self.answer(416, headers=[("Content-Range", "bytes */%d" % len(data))])
        headers.append(("Content-Range", "bytes %d-%d/%d" % (first, last, len(data))))
        self.answer(206, data[first:last + 1], headers)

    do_HEAD = do_GET

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        repo = re.fullmatch(r"/v2/(.+)/blobs/uploads/", url.path).group(1)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.body()
        if query.get("mount") in REPOS.get(query.get("from"), ()):
            REPOS.setdefault(repo, set()).add(query["mount"])
            return self.answer(201)
        upload = uuid.uuid4().hex
        UPLOADS[upload] = repo
        self.answer(202, headers=[("Location", "/v2/%s/blobs/uploads/%s" % (repo, upload))])

    def do_PUT(self):
        url = urllib.parse.urlsplit(self.path)
        data = self.body()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        upload = re.fullmatch(r"/v2/(.+)/blobs/uploads/(\w+)", url.path)
        if upload:
            if dict(urllib.parse.parse_qsl(url.query))["digest"] != digest:
                return self.answer(400)
            with open(os.path.join(BLOBS, digest), "wb") as f:
                f.write(data)
            REPOS.setdefault(upload.group(1), set()).add(digest)
            return self.answer(201)
        repo, name = re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", url.path).groups()
        for key in (name, digest):
            MANIFESTS[repo, key] = (self.headers["Content-Type"], data)
        self.answer(201, headers=[("Docker-Content-Digest", digest)])


def main():
    os.makedirs(BLOBS, exist_ok=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with open(os.path.join(DIR, "port.new"), "w") as f:
        f.write(str(server.server_port))
    os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
    server.serve_forever()


main()
