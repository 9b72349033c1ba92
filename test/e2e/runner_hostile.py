#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""runner_hostile.py RUNNER WORKDIR: roots, programs and mounts that try to reach the host through the runner.

X13 to X18 of the security rules: every case must be refused or stay inside, and the canary outside is untouched.
"""
import ctypes, fcntl, json, os, shutil, subprocess, sys, tempfile, threading

RUNNER, WORK = sys.argv[1:3]
BUSYBOX = shutil.which("busybox")
CANARY = f"{WORK}/canary"
SPEC = {
    "ociVersion": "1.1.0", "hostname": "box", "root": {"path": "rootfs"},
    "process": {"args": ["/bin/sh", "-c", "true"], "env": ["PATH=/bin"], "cwd": "/",
                "capabilities": {s: ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_SYS_CHROOT", "CAP_SETUID", "CAP_KILL"]
                                 for s in ("bounding", "effective", "permitted")}},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
               {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
               {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro", "nosuid", "noexec", "nodev"]}],
    "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts")], "maskedPaths": ["/proc/kcore", "/secret"],
              "readonlyPaths": ["/proc/sys"]},
}


def check(ok, what):
    if not ok:
        sys.exit(f"FAIL: {what}")


class Box:
    """A bundle with a separate root; change() edits the root, spec the configuration."""
    count = 0

    def __init__(self, change=None, **process):
        Box.count += 1
        self.id = f"hostile{os.getpid()}.{Box.count}"
        self.dir = tempfile.mkdtemp(dir=WORK)
        self.root = f"{self.dir}/rootfs"
        for d in ("bin", "etc", "tmp", "proc", "dev", "sys"):
            os.makedirs(f"{self.root}/{d}")
        shutil.copy(BUSYBOX, f"{self.root}/bin/busybox")
        for a in ("sh", "cat", "ls", "sleep", "readlink", "echo", "chroot", "mkdir", "true", "stat", "mknod"):
            os.symlink("busybox", f"{self.root}/bin/{a}")
        open(f"{self.root}/secret", "w").write("secret\n")
        self.spec = json.loads(json.dumps(SPEC))
        self.spec["process"].update(process)
        if change:
            change(self)

    def __enter__(self):
        json.dump(self.spec, open(f"{self.dir}/config.json", "w"))
        return self

    def __exit__(self, *_):
        self.ctl("delete", "--force", self.id)
        shutil.rmtree(self.dir)

    def ctl(self, *args, **kw):
        return subprocess.run([RUNNER, "--root", f"{WORK}/state", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, **kw)

    def run(self, **kw):
        return self.ctl("run", "--bundle", self.dir, self.id, **kw)


def sh(line):
    return ["/bin/sh", "-c", line]


def intact(what):
    check(sorted(os.listdir(CANARY)) == ["null", "secret"], f"{what}: {os.listdir(CANARY)}")
    check(open(f"{CANARY}/secret").read() == "untouched\n" and open(f"{CANARY}/null").read() == "", f"{what}: a file was written")
    check(not any(CANARY in l for l in open("/proc/self/mountinfo")), f"{what}: something is mounted outside")


# X13: no descriptor of the runner is open inside, and no working directory leads out of the root by one
def leaked_descriptors():
    fd = os.open("/", os.O_RDONLY)
    os.set_inheritable(fd, True)
    with Box(args=sh("ls /proc/self/fd")) as b:
        r = b.run(pass_fds=[fd])
        check(r.stdout.split() == ["0", "1", "2", "3"], f"descriptors inside: {r.stdout.split()}")
    for n in list(range(3, 20)) + [fd]:
        for cwd in (f"/proc/self/fd/{n}", f"/proc/self/fd/{n}/../..", f"/away/{n}"):
            with Box(lambda b: os.symlink("/proc/self/fd", f"{b.root}/away"), args=sh("ls -d rootfs config.json usr home boot"), cwd=cwd) as b:
                r = b.run(pass_fds=[fd])
                check(r.returncode != 0 and "usr" not in r.stdout.split(), f"cwd {cwd} worked: {r.stdout}")
    os.close(fd)


# X13: our program, seen from inside, is a sealed copy
def own_program():
    before = open(RUNNER, "rb").read()
    with Box(args=["/bin/sleep", "100"]) as b:
        check(b.ctl_create().returncode == 0, "create")
        pid = json.loads(b.ctl("state", b.id).stdout)["pid"]
        fd = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
        check(fcntl.fcntl(fd, 1034) & 15 == 15, "the program is not sealed")  # F_GET_SEALS
        check("memfd" in os.readlink(f"/proc/{pid}/exe"), "the program is the file")
        os.close(fd)
        check(b.ctl("start", b.id).returncode == 0, "start")
        r = b.ctl("exec", b.id, "/proc/self/exe", "--version")
        check(r.returncode != 0 or r.stdout.startswith("buildkit-runc version"), f"/proc/self/exe: {r}")
        r = b.ctl("exec", b.id, "/bin/sh", "-c", "for p in /proc/[0-9]*; do echo x > $p/exe; done; true")
    check(open(RUNNER, "rb").read() == before, "the runner was overwritten")


def ctl_create(b):
    # Its outputs stay open as long as the container lives: not pipes that we would wait for.
    with open(os.devnull, "r+") as null:
        return subprocess.run([RUNNER, "--root", f"{WORK}/state", "create", "--bundle", b.dir, b.id], stdin=null, stdout=null, stderr=null)


Box.ctl_create = ctl_create


# X14, X18: an image in which /proc, /sys or /dev is a link
def linked_kernel_trees():
    for name in ("proc", "sys"):
        for target in ("/tmp", CANARY, "../../../../../../.." + CANARY):
            def change(b):
                os.rmdir(f"{b.root}/{name}")
                os.symlink(target, f"{b.root}/{name}")
            with Box(change) as b:
                r = b.run()
                check(r.returncode != 0 and "directory" in r.stderr, f"/{name} -> {target}: {r}")
            intact(f"/{name} -> {target}")
    for target in ("/tmp", CANARY, "../../../../../../.." + CANARY):
        def change(b):
            os.rmdir(f"{b.root}/dev")
            os.symlink(target, f"{b.root}/dev")
        with Box(change, args=sh("echo x > /dev/null && echo fine")) as b:
            r = b.run()
            check(r.returncode != 0 or r.stdout == "fine\n", f"/dev -> {target}: {r}")
        intact(f"/dev -> {target}")


# X15, X16: mount points through links stay inside; missing ones are made inside
def linked_mount_points():
    for dest in ("/away/made/dir", "/up/made/dir", "/away/secret", "/deep/away2/x"):
        def change(b):
            os.symlink(CANARY, f"{b.root}/away")
            os.symlink("../../../../../../../../../.." + CANARY, f"{b.root}/up")
            os.makedirs(f"{b.root}/deep")
            os.symlink(f"..{CANARY}/..{CANARY}", f"{b.root}/deep/away2")
            b.spec["mounts"].append({"destination": dest, "type": "bind", "source": f"{b.dir}/source", "options": ["rbind"]})
            os.makedirs(f"{b.dir}/source/inside")
        with Box(change, args=sh(f"ls {dest}")) as b:
            r = b.run()
            check(r.returncode != 0 or r.stdout == "inside\n", f"{dest}: {r}")
        intact(dest)


# Another process continuously replaces the parent of the mount point by a link
def swapped_mount_points():
    libc = ctypes.CDLL(None, use_errno=True)
    stop = threading.Event()

    def change(b):
        os.makedirs(f"{b.root}/swap/a/b")
        os.symlink(CANARY, f"{b.root}/link")
        os.makedirs(f"{b.dir}/source")
        b.spec["mounts"].append({"destination": "/swap/a/b/new", "type": "bind", "source": f"{b.dir}/source", "options": ["bind"]})
        b.spec["mounts"].append({"destination": "/swap/a/tmpfs", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k"]})

    with Box(change) as b:
        def swap():
            one, two = f"{b.root}/swap/a".encode(), f"{b.root}/link".encode()
            while not stop.is_set():
                libc.renameat2(-100, one, -100, two, 2)  # RENAME_EXCHANGE
        t = threading.Thread(target=swap)
        t.start()
        try:
            for _ in range(int(os.environ.get("SWAPS", "60"))):
                b.run()
                intact("a swapped mount point")
        finally:
            stop.set()
            t.join()


# X17: what masks is the null device, whatever the image has under its name
def replaced_null():
    for kind in ("link", "file", "other device"):
        def change(b):
            b.spec["mounts"] = [m for m in b.spec["mounts"] if m["destination"] != "/dev"]
            if kind == "link":
                os.symlink(f"{CANARY}/null", f"{b.root}/dev/null")
            elif kind == "file":
                open(f"{b.root}/dev/null", "w").write("door\n")
            else:
                os.mknod(f"{b.root}/dev/null", 0o020666, os.makedev(1, 5))
        with Box(change, args=sh("cat /secret; echo hidden > /secret; true")) as b:
            r = b.run()
            check("secret" not in r.stdout and "door" not in r.stdout, f"null as {kind}: {r}")
            check(open(f"{b.root}/secret").read() == "secret\n", f"null as {kind}: what is masked was written")
        intact(f"null as {kind}")


# exec sees the container's root, also when its process has changed its own
def changed_root():
    with Box(args=sh("mkdir -p /jail/bin && exec chroot /jail /sleep 100")) as b:
        os.makedirs(f"{b.root}/jail")
        shutil.copy(BUSYBOX, f"{b.root}/jail/sleep")
        check(b.ctl_create().returncode == 0 and b.ctl("start", b.id).returncode == 0, "start")
        r = b.ctl("exec", b.id, "/bin/sh", "-c", "ls /; ls ..; cat /proc/1/comm")
        check("canary" not in r.stdout and "home" not in r.stdout.split() and "secret" in r.stdout, f"changed root: {r}")


def main():
    os.makedirs(CANARY)
    open(f"{CANARY}/secret", "w").write("untouched\n")
    open(f"{CANARY}/null", "w").close()
    for test in (leaked_descriptors, own_program, linked_kernel_trees, linked_mount_points, swapped_mount_points, replaced_null,
                 changed_root):
        test()
        print(f"{test.__name__}: fine", flush=True)
    check(os.listdir(f"{WORK}/state") == [], "state is left")


main()
