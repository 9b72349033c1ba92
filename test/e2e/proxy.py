#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py LOG NAME=HOST:PORT...: an HTTP proxy on a free port, which is printed; knows these names only, also for CONNECT."""
import http.client
import http.server
import select
import socket
import socketserver
import sys
import urllib.parse

LOG = open(sys.argv[1], "a", buffering=1)
NAMES = dict(a.split("=") for a in sys.argv[2:])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def refuse(self):
        self.send_response(403, "Forbidden")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_CONNECT(self):
        LOG.write(f"CONNECT {self.path} {self.headers.get('Proxy-Authorization', '-')}\n")
        to = NAMES.get(self.path)
        if not to:
            return self.refuse()
        with socket.create_connection(to.split(":")) as peer:
            self.send_response(200)
            self.end_headers()
            pair = {self.connection: peer, peer: self.connection}
            while True:
                for one in select.select(list(pair), [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        self.close_connection = True
                        return None
                    pair[one].sendall(data)

    def do_GET(self):
        LOG.write(f"{self.command} {self.path} {self.headers.get('Proxy-Authorization', '-')}\n")
        url = urllib.parse.urlsplit(self.path)
        to = NAMES.get(url.netloc)
        if not to:
            return self.refuse()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        peer = http.client.HTTPConnection(to)
        peer.request(self.command, self.path[len("http://" + url.netloc):], body or None,
                     {k: v for k, v in self.headers.items() if k.lower() not in ("host", "proxy-authorization")} | {"Host": url.netloc})
        answer = peer.getresponse()
        data = answer.read()
        self.send_response(answer.status, answer.reason)
        for k, v in answer.getheaders():
            if k.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(k, v)
        self.send_header("Content-Length", answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_HEAD = do_POST = do_PUT = do_GET


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
