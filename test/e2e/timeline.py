#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""timeline.py ADDRESS TOKEN COMMAND [ARGUMENTS]: checks the pages of the debug address."""
import http.client, json, re, socket, sys, urllib.parse


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def get(path, method="GET", body=None, **fields):
    """Status, header fields and text of a page."""
    connection = Unix(address) if address.startswith("/") else http.client.HTTPConnection(address, timeout=30)
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, path, body=body, headers=fields)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, reply.headers, text


def page(path):
    status, _, text = get(path, Authorization=f"Bearer {token}")
    assert status == 200, (path, status, text[:300])
    return text


def data(ref, since=0):
    return json.loads(page(f"/builds/{ref}/data.json?since={since}"))


def step(build, name):
    return next(s for s in build["steps"] if name in s["name"])


def access():
    assert get("/")[0] == 401
    assert get("/", Authorization="Bearer x")[0] == 401
    assert get("/", Authorization="Bearer " + token[:-1] + ("0" if token[-1] != "0" else "1"))[0] == 401
    assert get("/builds/x")[0] == 401 and get("/compare")[0] == 401
    assert get("/metrics")[0] == 200 and get("/readyz")[0] == 200
    assert get("/", method="POST")[0] == 405 and get("/etc/passwd")[0] == 404
    # Another name that resolves to this address.
    for host in ("attacker.example", "127.0.0.1.attacker.example:80", "attacker.example:6060"):
        assert get("/", Authorization=f"Bearer {token}", Host=host)[0] == 403, host
    assert get("/metrics", Host="prometheus.example")[0] == 200
    assert get("/", Authorization=f"Bearer {token}", Host="localhost:1")[0] == 200
    # The form and the address with the token set a cookie, which is not the token.
    status, fields, _ = get("/login", method="POST", body="token=wrong")
    assert status == 401 and not fields["Set-Cookie"]
    for reply in (get("/login", method="POST", body=urllib.parse.urlencode({"token": token})), get(f"/?token={token}")):
        assert reply[0] == 303 and reply[1]["Location"] == "/", reply
        cookie = reply[1]["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and token not in cookie
        assert get("/", Cookie=cookie.split(";")[0])[0] == 200
    assert get("/", Cookie="buildkitd-debug=" + token)[0] == 401
    _, fields, text = get("/", Authorization=f"Bearer {token}")
    policy = fields["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert fields["Cache-Control"] == "no-store" and fields["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r'(src|href)="(https?:)?//', text)


def malformed():
    """Requests that are not HTTP, too long, or never complete; the pages are still served."""
    silent = [socket.create_connection(address.split(":"), timeout=30) for _ in range(10)]
    for text in (b"\0\1\2\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"x" * 9000,
                 b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n"):
        with socket.create_connection(address.split(":"), timeout=30) as s:
            try:
                s.sendall(text)
                reply = s.recv(100)
                assert reply == b"" or b" 400 " in reply, (text[:50], reply)
            except ConnectionResetError:
                pass
    for path in ("/builds/", "/builds/%00", "/builds/%2e%2e", "/builds/x/y/z/w", "/builds//log/1", "/builds/x?since=-1"):
        assert get(path, Authorization=f"Bearer {token}")[0] == 404, path
    assert get("/compare?a=x", Authorization=f"Bearer {token}")[0] == 400
    assert get("/compare?a=x&b=y", Authorization=f"Bearer {token}")[0] == 404
    page("/")
    for s in silent:
        s.close()


def live(ref, name):
    """The build runs, and the step with that name."""
    assert ref in page("/") and 'class="state running"' in page("/")
    build = data(ref)
    assert build["live"] and step(build, name)["state"] == "running", build
    assert step(build, name)["spans"][0][1] is None
    later = data(ref, build["version"])
    assert later["live"] and later["version"] >= build["version"] and later["now"] > build["now"]
    assert all(name in s["name"] for s in later["steps"]), later["steps"]
    assert step(build, "load build definition")["state"] == "done"


def state(ref, name):
    """The pages about the daemon: the build runs, and the step with that name."""
    for path in ("/debug/stuck", "/debug/graph", "/debug/cache", "/debug/stacks", "/debug/memory", "/debug/fds"):
        assert get(path)[0] == 401, path
        assert get(path, Authorization=f"Bearer {token}", Host="attacker.example")[0] == 403, path
        assert path in page("/debug"), path
    stuck = page("/debug/stuck")
    assert f"build {ref}, running for " in stuck and name in stuck and "running for" in stuck.split(name)[1], stuck
    graph = page("/debug/graph")
    assert f"build {ref}\n  running for " in graph and name in graph and "    key " in graph, graph
    cache = page("/debug/cache")
    assert re.search(r"^worker \w+: [1-9][0-9]* records$", cache, re.M) and "in use" in cache, cache
    threads = page("/debug/stacks")
    assert re.search(r"^[0-9]+ solver\n    state [A-Z], CPU time ", threads, re.M), threads
    memory = page("/debug/memory")
    assert re.search(r"^in_use [1-9]", memory, re.M) and "Rss:" in memory, memory
    assert re.search(r"^[0-9]+ socket:", page("/debug/fds"), re.M)


def complete(ref, name, text):
    """The build failed in the step with that name, whose log contains the text."""
    build = data(ref)
    failed = step(build, name)
    assert not build["live"] and failed["state"] == "failed" and failed["error"], build
    assert text in page(f"/builds/{ref}/log/{failed['number']}")
    assert failed["number"] in build["critical"]
    html = page(f"/builds/{ref}")
    assert 'class="state failed"' in html and "<script>alert" not in html and html.count("</script>") == 2
    copy = page(f"/builds/{ref}/file.html")
    assert "/builds/" not in copy and text in copy
    assert get(f"/builds/{ref}/log/999999", Authorization=f"Bearer {token}")[0] == 404


def trace(ref):
    events = json.loads(page(f"/builds/{ref}/trace.json"))["traceEvents"]
    spans = [e for e in events if e["ph"] == "X"]
    assert spans and all(e["ts"] >= 0 and e["dur"] >= 0 and e["tid"] >= 1 for e in spans)
    assert any(e["name"].startswith("[internal] load build definition") for e in spans)


def miss(ref, name, reason, change):
    """The step missed the cache for this reason, and the change is named."""
    s = step(data(ref), name)
    assert reason in s["miss"] and change in s["changes"], s


def compare(a, b):
    text = page(f"/compare?a={a}&b={b}")
    assert a in text and b in text and "cache miss:" in text and "<script>alert" not in text


def browser(a, b, profile, copy):
    """Login, list, search, a step, comparison, and the page as a file, in a browser."""
    import browser as driver
    if not driver.find():
        print("SKIP: chromium is not installed: 9 checks of the pages in a browser")
        return
    with driver.Browser(profile) as w:
        w.open(f"http://{address}/")
        w.wait("document.title === 'Token needed'")
        w.run(f"document.querySelector('input[name=token]').value = '{token}'; document.querySelector('form').submit()")
        w.wait("document.title === 'Builds' && document.querySelectorAll('#builds tbody tr').length >= 2")
        w.run("document.getElementById('list-search').value = 'no such build';"
              "document.getElementById('list-search').dispatchEvent(new Event('input'))")
        w.wait("[...document.querySelectorAll('#builds tbody tr')].every(row => row.hidden)")
        w.open(f"http://{address}/builds/{a}")
        w.wait("document.querySelectorAll('.row').length >= 4")
        # A step whose name and log are markup.
        w.run("document.getElementById('search').value = '<script>'; document.getElementById('search').dispatchEvent(new Event('input'))")
        w.wait("document.querySelectorAll('.row').length === 1 && document.getElementById('count').textContent.startsWith('1 of ')")
        w.run("document.querySelector('.row').click()")
        w.wait("location.hash.startsWith('#step-') && document.querySelector('#panel pre.log')?.textContent.includes('<b>bold</b>')")
        assert w.run("document.querySelectorAll('main script, main img, main b:not(.legend b):not(.critical-list b)').length") == 0
        w.run("history.back()")
        w.wait("location.hash === '' && document.getElementById('panel').hidden")
        w.run("document.getElementById('rows').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown'}))")
        w.wait("document.querySelector('.row.selected')?.getAttribute('aria-selected') === 'true'")
        w.open(f"http://{address}/compare?a={a}&b={b}")
        w.wait("document.querySelectorAll('table.steps tbody tr').length >= 4")
        w.open(f"file://{copy}#step-1")
        w.wait("document.querySelector('#panel h2')?.textContent.includes('load build definition') && document.getElementById('logs').hidden")
        assert w.messages == [], w.messages


def browser_live(ref, name, profile):
    """Waits in a browser until the step with that name runs, then prints a line, then until the build failed."""
    import browser as driver
    if not driver.find():
        print("ready", flush=True)
        return
    with driver.Browser(profile) as w:
        w.open(f"http://{address}/builds/{ref}?token={token}")
        w.wait(f"[...document.querySelectorAll('.row.running')].some(row => row.textContent.includes('{name}'))")
        print("ready", flush=True)
        w.wait("document.getElementById('build-state').textContent === 'failed' && document.querySelector('.row.failed')")
        assert w.messages == [], w.messages


address, token, command = sys.argv[1:4]
globals()[command](*sys.argv[4:])
