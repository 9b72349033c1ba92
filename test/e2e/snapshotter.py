#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""snapshotter: serves containerd's snapshots service at a unix socket, as a snapshotter with lazy layers does.

    snapshotter.py SOCKET DIR     overlay mounts of DIR/snapshots/N/{fs,work}; DIR/state.json holds the names

DIR/log gets a line per call: METHOD KEY PARENT and the labels as JSON. A layer whose digest names a directory in DIR/layers
is not unpacked: its directory is mounted where its files would be, as stargz-snapshotter mounts a file system that reads
the registry. The file DIR/mode, read at each call, makes it hostile: see MODES. Mounts are removed at SIGTERM, and made
again at the next start.
"""
import json, os, shutil, signal, socket, subprocess, sys, threading, time
import gateway
from gateway import Failed, decode, encode, frame
from session import Session

SOCKET, DIR = sys.argv[1:]
PREFIX = "/containerd.services.snapshots.v1.Snapshots/"
TARGET, DIGEST = "containerd.io/snapshot.ref", "containerd.io/snapshot/remote/stargz.digest"
LOCK = threading.Lock()
NOT_FOUND, EXISTS, PRECONDITION = 5, 6, 9

gateway.TYPES.update({
    "Label": {"key": (1, "s"), "value": (2, "s")},
    "Keyed": {"snapshotter": (1, "s"), "key": (2, "s"), "parent": (3, "s"), "labels": (4, "*Label")},
    "Commit": {"snapshotter": (1, "s"), "name": (2, "s"), "key": (3, "s")},
    "SnapshotMount": {"type": (1, "s"), "source": (2, "s"), "target": (3, "s"), "options": (4, "*s")},
    "Mounts": {"mounts": (1, "*SnapshotMount")},
    "Info": {"name": (1, "s"), "parent": (2, "s"), "kind": (3, "i")},
    "Infos": {"info": (1, "*Info")},
    "One": {"info": (1, "Info")},
})
KINDS = {"view": 1, "active": 2, "committed": 3}


def bad_mount(kind, source, options):
    return lambda mounts: [{"type": kind, "source": source, "options": options}]


def slow(mounts):
    time.sleep(3600)


def dead(mounts):
    os._exit(1)


# What Prepare returns instead of the mounts of a snapshot.
MODES = {
    "dots": bad_mount("bind", DIR + "/snapshots/../..", ["rbind"]),
    "root": bad_mount("bind", "/", ["rbind"]),
    "relative": bad_mount("overlay", "overlay", ["upperdir=etc", "workdir=tmp", "lowerdir=/etc"]),
    "no-upper": bad_mount("overlay", "overlay", ["index=off"]),
    "gone": bad_mount("overlay", "overlay", ["upperdir=%s/gone/fs" % DIR, "workdir=%s/gone/work" % DIR, "lowerdir=/etc"]),
    "type": bad_mount("ext4", "/dev/null", []),
    "none": lambda mounts: [],
    "two": lambda mounts: mounts * 2,
    "options": bad_mount("bind", "/tmp", ["o"] * 1000),
    "many": lambda mounts: mounts * 1000000,
    "slow": slow,
    "dead": dead,
}


class Store:
    def __init__(self):
        self.path = os.path.join(DIR, "state.json")
        self.rows = json.load(open(self.path)) if os.path.exists(self.path) else {}

    def save(self):
        with open(self.path + ".new", "w") as f:
            json.dump(self.rows, f)
        os.rename(self.path + ".new", self.path)

    def find(self, key):
        if key not in self.rows:
            raise Failed(NOT_FOUND, "snapshot %s does not exist: not found" % key)
        return self.rows[key]

    def make(self, key, parent, kind):
        if key in self.rows:
            raise Failed(EXISTS, "snapshot %s: already exists" % key)
        if parent and self.find(parent)["kind"] != "committed":
            raise Failed(PRECONDITION, "parent %s is not committed" % parent)
        number = max([r["number"] for r in self.rows.values()], default=0) + 1
        shutil.rmtree(os.path.dirname(self.dir(number, "fs")), ignore_errors=True)  # of a killed snapshotter
        for name in ("fs", "work"):
            os.makedirs(self.dir(number, name), mode=0o755)
        self.rows[key] = {"number": number, "parent": parent, "kind": kind, "layer": None}
        self.save()
        return self.rows[key]

    def dir(self, number, name):
        return os.path.join(DIR, "snapshots", str(number), name)

    def mounts(self, row):
        lowers, at = [], row["parent"]
        while at:
            lowers.append(self.dir(self.rows[at]["number"], "fs"))
            at = self.rows[at]["parent"]
        own = self.dir(row["number"], "fs")
        if row["kind"] == "view":
            if len(lowers) == 1:
                return [{"type": "bind", "source": lowers[0], "options": ["ro", "rbind"]}]
            return [{"type": "overlay", "source": "overlay", "options": ["index=off", "lowerdir=" + ":".join(lowers)]}]
        if not lowers:
            return [{"type": "bind", "source": own, "options": ["rw", "rbind"]}]
        return [{"type": "overlay", "source": "overlay", "options": [
            "index=off", "workdir=" + self.dir(row["number"], "work"), "upperdir=" + own, "lowerdir=" + ":".join(lowers)]}]

    def mount(self, row):
        subprocess.run(["mount", "--bind", row["layer"], self.dir(row["number"], "fs")], check=True)

    def unmount(self, row):
        subprocess.run(["umount", "--lazy", self.dir(row["number"], "fs")], check=False)


STORE = Store()


def log(method, key, parent, labels):
    with open(os.path.join(DIR, "log"), "a") as f:
        f.write("%s %s %s %s\n" % (method, key, parent or "-", json.dumps(labels, sort_keys=True)))


def request(stream, kind):
    return decode(kind, stream.recv())


def mode(mounts):
    try:
        return MODES[open(os.path.join(DIR, "mode")).read().strip()](mounts)
    except FileNotFoundError:
        return mounts


def prepare(stream):
    m = request(stream, "Keyed")
    labels = {label["key"]: label["value"] for label in m["labels"]}
    with LOCK:
        log("Prepare", m["key"], m["parent"], labels)
        row = STORE.make(m["key"], m["parent"], "active")
        layer = os.path.join(DIR, "layers", labels.get(DIGEST, "none"))
        if TARGET in labels and os.path.isdir(layer):
            row.update(kind="committed", layer=layer)
            STORE.mount(row)
            STORE.rows[labels[TARGET]] = STORE.rows.pop(m["key"])
            STORE.save()
            raise Failed(EXISTS, "target snapshot %s: already exists" % labels[TARGET])
        mounts = STORE.mounts(row)
    mounts = mode(mounts)
    stream.send(encode("Mounts", {"mounts": mounts[:1]}) * len(mounts))


def view(stream):
    m = request(stream, "Keyed")
    with LOCK:
        log("View", m["key"], m["parent"], {})
        mounts = STORE.mounts(STORE.make(m["key"], m["parent"], "view"))
    stream.send(encode("Mounts", {"mounts": mounts}))


def commit(stream):
    m = request(stream, "Commit")
    with LOCK:
        log("Commit", m["name"], m["key"], {})
        row = STORE.find(m["key"])
        if m["name"] in STORE.rows:
            raise Failed(EXISTS, "snapshot %s: already exists" % m["name"])
        row["kind"] = "committed"
        STORE.rows[m["name"]] = STORE.rows.pop(m["key"])
        STORE.save()
    stream.send(b"")


def remove(stream):
    m = request(stream, "Keyed")
    with LOCK:
        log("Remove", m["key"], "", {})
        row = STORE.find(m["key"])
        if any(r["parent"] == m["key"] for r in STORE.rows.values()):
            raise Failed(PRECONDITION, "cannot remove snapshot with child: failed precondition")
        if row["layer"]:
            STORE.unmount(row)
        del STORE.rows[m["key"]]
        STORE.save()
        shutil.rmtree(os.path.dirname(STORE.dir(row["number"], "fs")))
    stream.send(b"")


def info(name):
    row = STORE.rows[name]
    return {"name": name, "parent": row["parent"], "kind": KINDS[row["kind"]]}


def stat(stream):
    m = request(stream, "Keyed")
    with LOCK:
        STORE.find(m["key"])
        reply = {"info": info(m["key"])}
    stream.send(encode("One", reply))


def list_all(stream):
    with LOCK:
        rows = [info(name) for name in STORE.rows]
    if os.path.exists(os.path.join(DIR, "endless")):
        payload = encode("Infos", {"info": [{"name": "x"}]}) * 50000
        while True:
            stream.send(payload)
    stream.send(encode("Infos", {"info": rows}))


HANDLERS = {PREFIX + name: handler for name, handler in (
    ("Prepare", prepare), ("View", view), ("Commit", commit), ("Remove", remove), ("Stat", stat), ("List", list_all))}


class Peer(Session):
    """A connection to the socket instead of a tunnel inside a call."""

    def __init__(self, conn):
        self.conn, self.handlers, self.closed = conn, HANDLERS, False
        self.lock, self.changed, self.streams, self.resets = threading.Lock(), threading.Condition(), {}, set()
        self.window = self.first_window = 65535
        self.write(frame(4, 0, 0))
        threading.Thread(target=self.run, daemon=True).start()

    def write(self, data):
        with self.lock:
            self.conn.sendall(data)

    def read_exactly(self, n):
        out = b""
        while len(out) < n:
            part = self.conn.recv(n - len(out))
            if not part:
                raise EOFError
            out += part
        return out


def stop(*_):
    with LOCK:
        for row in STORE.rows.values():
            if row["layer"]:
                STORE.unmount(row)
        os._exit(0)


def main():
    os.makedirs(os.path.join(DIR, "snapshots"), exist_ok=True)
    signal.signal(signal.SIGTERM, stop)
    if not os.path.exists(os.path.join(DIR, "unmounted")):
        for row in STORE.rows.values():
            if row["layer"]:
                STORE.mount(row)
    server = socket.socket(socket.AF_UNIX)
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    server.bind(SOCKET)
    server.listen()
    while True:
        Peer(server.accept()[0])


main()
