#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tars: hostile archives, one a file, for the e2e tests.

    tars.py DIR CANARY     writes DIR/KIND for every kind; CANARY is a directory outside that none may reach

Every archive begins with a Dockerfile, so that it can be a context too. The names begin with the fault they are for.
"""
import io, os, sys, tarfile

DIR, CANARY = sys.argv[1:]
UP = "../" * 16
DOCKERFILE = b"FROM scratch\nCOPY . /all\n"


class Tar:
    def __init__(self):
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode="w", format=tarfile.PAX_FORMAT)
        self.file("Dockerfile", DOCKERFILE)

    def add(self, name, kind, link="", data=b"", **more):
        i = tarfile.TarInfo(name)
        i.type, i.linkname, i.size, i.mode = kind, link, len(data), 0o755 if kind == tarfile.DIRTYPE else 0o644
        for key, value in more.items():
            setattr(i, key, value)
        self.tar.addfile(i, io.BytesIO(data) if data else None)
        return self

    def file(self, name, data=b"hostile\n", **more):
        return self.add(name, tarfile.REGTYPE, data=data, **more)

    def dir(self, name, **more):
        return self.add(name, tarfile.DIRTYPE, **more)

    def link(self, name, to):
        return self.add(name, tarfile.SYMTYPE, to)

    def hard(self, name, to):
        return self.add(name, tarfile.LNKTYPE, to)

    def bytes(self):
        self.tar.close()
        return self.out.getvalue()


def checksum(block):
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def crafted(fields, data=b"hostile\n", kind=b"0"):
    """A good archive followed by one member whose header has these bytes in place of the right ones."""
    t = Tar()
    i = tarfile.TarInfo("crafted")
    i.size = len(data)
    block = bytearray(i.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = kind
    for at, value in fields:
        block[at:at + len(value)] = value
    body = data + b"\0" * (-len(data) % 512)
    t.tar.fileobj.write(checksum(bytes(block)) + body)
    t.tar.offset += 512 + len(body)
    return t.bytes()


def pax(**headers):
    t = Tar()
    t.file("pax", pax_headers={key.replace("__", "."): value for key, value in headers.items()})
    return t.bytes()


def xattrs(pairs):
    t = Tar()
    t.file("attributes", pax_headers={"SCHILY.xattr." + name: value for name, value in pairs})
    return t.bytes()


def whole(build):
    t = Tar()
    build(t)
    return t.bytes()


def chain(t):
    for n in range(300):
        t.link(f"l{n}", f"l{n + 1}")
    t.file("l0/x")


def swapped(t):
    t.dir("d").file("d/a").link("d", CANARY).file("d/b")


def stub(name, to):
    return whole(lambda t: t.link(name, to))


SECRET = CANARY + "/secret"
KINDS = {
    # F51: headers that lie
    "51-sparse": crafted([(386, b"00000000000\0" + b"00000000010\0"), (483, b"\x80" + (1 << 40).to_bytes(11, "big"))], kind=b"S"),
    "51-pax-size": pax(size="99999999999999"), "51-pax-negative": pax(size="-5"),
    "51-octal": crafted([(124, b"zzzzzzzzzzz\0")]), "51-base256": crafted([(124, b"\x80" + b"\xff" * 11)]),
    "51-base256-negative": crafted([(124, b"\xff" * 12)]), "51-uid": crafted([(108, b"\xff" * 8)]),
    "51-unknown-type": crafted([], kind=b"Z"), "51-volume": crafted([], kind=b"M"), "51-checksum": crafted([])[:-1024] + b"x" * 512,
    "51-long-name": whole(lambda t: t.tar.fileobj.write(tarfile.TarInfo("././@LongLink").tobuf(tarfile.GNU_FORMAT))),
    # F53: names
    "53-parent": whole(lambda t: t.file(UP + CANARY[1:] + "/x")), "53-middle": whole(lambda t: t.file("a/" + UP + CANARY[1:] + "/x")),
    "53-absolute": whole(lambda t: t.file(CANARY + "/x")), "53-dot": whole(lambda t: t.dir("./")), "53-empty": pax(path=""),
    "53-long": whole(lambda t: t.file("n" * 300)), "53-deep": whole(lambda t: t.file("d/" * 1900 + "x")),
    "53-nul": crafted([(0, b"a\0../../x")]), "53-newline": whole(lambda t: t.file("a\nb\x1b[2J")),
    # F54: symbolic links
    "54-absolute": whole(lambda t: t.link("out", CANARY).file("out/x")),
    "54-relative": whole(lambda t: t.link("out", UP + CANARY[1:]).file("out/x")),
    "54-file": whole(lambda t: t.link("out", SECRET).file("out")), "54-swapped": whole(swapped), "54-chain": whole(chain),
    "54-loop": whole(lambda t: t.link("a", "b").link("b", "a").file("a/x")),
    "54-chmod": whole(lambda t: t.link("d", CANARY).dir("d", mode=0o777)), "54-long": whole(lambda t: t.link("l", "x" * 5000)),
    "54-empty": whole(lambda t: t.link("l", "")),
    # F61: hard links
    "61-absolute": whole(lambda t: t.hard("h", SECRET)), "61-parent": whole(lambda t: t.hard("h", UP + SECRET[1:])),
    "61-through": whole(lambda t: t.link("out", CANARY).hard("h", "out/secret")),
    "61-to-link": whole(lambda t: t.link("out", SECRET).hard("h", "out").file("h")),
    "61-directory": whole(lambda t: t.dir("d").hard("h", "d")), "61-itself": whole(lambda t: t.hard("h", "h")),
    "61-forward": whole(lambda t: t.hard("h", "later").file("later")), "61-missing": whole(lambda t: t.hard("h", "none")),
    # F62: the root, and what steps need
    "62-root-link": whole(lambda t: t.link(".", CANARY).file("x")), "62-root-file": whole(lambda t: t.file("/")),
    "62-dev": stub("dev", CANARY), "62-proc": stub("proc", CANARY), "62-sys": stub("sys", CANARY), "62-etc": stub("etc", CANARY),
    "62-resolv": whole(lambda t: t.link("etc/resolv.conf", SECRET).link("etc/hosts", SECRET)),
    "62-passwd": whole(lambda t: t.link("etc/passwd", SECRET).link("etc/group", SECRET)),
    "62-fifo-names": whole(lambda t: [t.add("etc/" + n, tarfile.FIFOTYPE) for n in ("resolv.conf", "hosts")]),
    "62-fifo-users": whole(lambda t: [t.add("etc/" + n, tarfile.FIFOTYPE) for n in ("passwd", "group")]),
    "62-dev-file": whole(lambda t: t.file("dev").file("proc").file("sys")),
    # F63: whiteouts
    "63-empty": whole(lambda t: t.file(".wh.")), "63-dot": whole(lambda t: t.dir("d").file("d/.wh..")),
    "63-dots": whole(lambda t: t.dir("d").file("d/.wh...")), "63-through": whole(lambda t: t.link("out", CANARY).file("out/.wh.secret")),
    "63-opaque": whole(lambda t: t.link("out", CANARY).file("out/.wh..wh..opq")), "63-same": whole(lambda t: t.file("f").file(".wh.f")),
    "63-device": whole(lambda t: t.add("gone", tarfile.CHRTYPE, devmajor=0, devminor=0)),
    "63-overlay": xattrs([("trusted.overlay.redirect", CANARY), ("trusted.overlay.opaque", "y"), ("user.overlay.redirect", CANARY)]),
    # F63b: attributes
    "63b-large": xattrs([("user.large", "x" * 1_000_000)]), "63b-many": xattrs([(f"user.a{n}", "v") for n in range(5000)]),
    "63b-selinux": xattrs([("security.selinux", "system_u:object_r:etc_t:s0")]),
    "63b-setuid": whole(lambda t: t.file("s", mode=0o4755, uid=1000, gid=1000)), "63b-uid": pax(uid="4294967295"),
    "63b-uid-negative": pax(uid="-1"), "63b-mtime": pax(mtime="1" + "0" * 20), "63b-mtime-negative": pax(mtime="-1" + "0" * 20),
    "63b-mtime-nan": pax(mtime="nan"),
    # F63c: special files
    "63c-special": whole(lambda t: (t.add("null", tarfile.CHRTYPE, devmajor=1, devminor=3), t.add("disk", tarfile.BLKTYPE, devmajor=8),
                                    t.add("fifo", tarfile.FIFOTYPE))),
}
for name, data in KINDS.items():
    with open(os.path.join(DIR, name), "wb") as f:
        f.write(data)
