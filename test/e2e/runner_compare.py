#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""runner_compare.py OURS REFERENCE WORKDIR [COUNT [FIRST]]: the same containers by two OCI runtimes.

Each case is a configuration made from its number. A probe inside prints what it sees; the views, exit statuses and
refusals of both runtimes must be the same, but for the differences that docs/runner.md explains (normalize below).
"""
import json, os, random, re, shutil, subprocess, sys, tempfile

BUSYBOX = shutil.which("busybox")
APPLETS = "sh cat ls id sleep mount hostname grep stat env pwd readlink mkdir chmod touch umask kill sort cut true ln uname".split()

PROBE = r"""
echo "== status"; grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp:|Cap|SigBlk|SigIgn|Umask)' /proc/self/status
echo "== maps"; cat /proc/self/uid_map /proc/self/gid_map
echo "== limits"; cat /proc/self/limits
echo "== oom"; cat /proc/self/oom_score_adj
echo "== env"; env | sort
echo "== cwd"; pwd
echo "== umask"; umask
echo "== host"; hostname
echo "== domainname"; cat /proc/sys/kernel/domainname
echo "== fds"; ls /proc/self/fd | sort | grep -v '^3$'
echo "== cgroup"; cat /proc/self/cgroup
echo "== ns"; for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done
echo "== mounts"; cat /proc/self/mountinfo
echo "== dev"; ls -ln /dev /dev/net 2>/dev/null
echo "== root"; ls -ln / /etc /tmp 2>&1
echo "== limits of cgroups"
for f in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us \
	cpu/cpu.cfs_period_us pids/pids.max cpuset/cpuset.cpus devices/devices.list; do
	echo "$f: $(cat /sys/fs/cgroup/$f 2>&1 | sort)"
done
echo "== sysctl"; cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start 2>&1
echo "== may"
for f in /proc/sys/kernel/msgmax /proc/sysrq-trigger /proc/kcore /proc/keys /proc/timer_list /sys/kernel/uevent_seqnum /ro/f /rw/f /newfile; do
	[ -r $f ] && echo "read $f"; [ -w $f ] && echo "write $f"
done
mkdir /tmp/made 2>&1; chmod 711 /tmp/made 2>&1; touch /ro/x 2>&1; touch /rw/x 2>&1; ls /hidden 2>&1; cat /secret 2>&1
stat -c '%n %F %a %u %g' / /tmp /scratch /rw /ro /job/dir /run /etc/one 2>&1
uname -a | cut -d' ' -f1
"""


def base(spec):
    c = json.loads(json.dumps(spec))
    p = c["process"]
    p["terminal"] = False
    p["args"] = ["/bin/sh", "/probe"]
    p["env"] = ["PATH=/bin"]
    p.pop("rlimits", None)
    c["hostname"] = "box"
    c["root"] = {"path": "rootfs"}
    c["linux"]["cgroupsPath"] = "/compare/x"
    return c


def linux(c):
    return c["linux"]


def drop_namespace(c, kind):
    linux(c)["namespaces"] = [n for n in linux(c)["namespaces"] if n["type"] != kind]


CAPS = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_SETUID", "CAP_SETGID", "CAP_DAC_OVERRIDE",
        "CAP_FOWNER", "CAP_BPF", "CAP_NO_SUCH"]


def m_user(c, r):
    c["process"]["user"] = {"uid": r.choice([0, 1, 1000, 65534, 4000000]), "gid": r.choice([0, 5, 1000]),
                            "additionalGids": r.choice([[], [5], [10, 20, 1000]])}
    if r.random() < .4:
        c["process"]["user"]["umask"] = r.choice([0, 0o27, 0o77])


def m_caps(c, r):
    chosen = [x for x in CAPS if r.random() < .5]
    c["process"]["capabilities"] = {s: chosen for s in ("bounding", "permitted", "effective")}
    if r.random() < .3:
        c["process"]["capabilities"]["inheritable"] = chosen[:3]
    if r.random() < .2:
        c["process"]["capabilities"]["inheritable"] = chosen
        c["process"]["capabilities"]["ambient"] = chosen[:2]


def m_no_caps(c, r):
    c["process"]["capabilities"] = {}


def m_rlimits(c, r):
    c["process"]["rlimits"] = [{"type": t, "soft": s, "hard": h} for t, s, h in r.sample(
        [("RLIMIT_NOFILE", 100, 200), ("RLIMIT_CORE", 0, 0), ("RLIMIT_NPROC", 500, 1000), ("RLIMIT_STACK", 8 << 20, 16 << 20),
         ("RLIMIT_MEMLOCK", 65536, 65536), ("RLIMIT_CPU", 50, 60)], r.randint(1, 3))]


def m_bad_rlimit(c, r):
    c["process"]["rlimits"] = [{"type": "RLIMIT_NONSENSE", "soft": 1, "hard": 1}]


def m_rlimit_order(c, r):
    c["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 300, "hard": 200}]


def m_nnp(c, r):
    c["process"]["noNewPrivileges"] = r.random() < .5


def m_cwd(c, r):
    c["process"]["cwd"] = r.choice(["/tmp", "/made/on/the/way", "/job/../tmp", "/link", "/etc/one", "relative", ""])


def m_args(c, r):
    c["process"]["args"] = r.choice([
        ["/no/such"], ["nosuch"], ["/etc/one"], ["/etc"], ["sh", "/probe"], ["sh", "-c", "exit 42"], ["/bin/sh", "-c", "kill -9 $$"],
        ["sh", "-c", "kill -TERM $$; sleep 1"], ["true"], ["/script"], ["/noshebang"], [], ["./bin/sh", "/probe"], ["/loop"]])


def m_env(c, r):
    c["process"]["env"] = r.choice([[], ["PATH=/bin", "HOME=/elsewhere"], ["PATH=/bin", "A=1", "A=2"], ["PATH=/nowhere:/bin", "X=y z"],
                                    ["PATH=/bin", "HOME="]])


def m_hostname(c, r):
    c["hostname"] = r.choice(["", "other", "a" * 64])


def m_no_uts(c, r):
    drop_namespace(c, "uts")
    if r.random() < .7:
        c.pop("hostname", None)


def m_no_net(c, r):
    drop_namespace(c, "network")


def m_no_ipc(c, r):
    drop_namespace(c, "ipc")
    c["mounts"] = [m for m in c["mounts"] if m["type"] != "mqueue"]


def m_no_pid(c, r):
    drop_namespace(c, "pid")


def m_cgroupns(c, r):
    if not any(n["type"] == "cgroup" for n in linux(c)["namespaces"]):
        linux(c)["namespaces"].append({"type": "cgroup"})


def m_user_ns(c, r):
    linux(c)["namespaces"].append({"type": "user"})
    m = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    linux(c)["uidMappings"] = linux(c)["gidMappings"] = m
    c["root"]["path"] = "rootfs-mapped"
    c["process"]["user"] = {"uid": r.choice([0, 1000]), "gid": 0}


def m_maps_without_user(c, r):
    linux(c)["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def m_double_ns(c, r):
    linux(c)["namespaces"].append({"type": "pid"})


def m_bad_ns(c, r):
    linux(c)["namespaces"].append({"type": "nonsense"})


def m_join_net(c, r):
    for n in linux(c)["namespaces"]:
        if n["type"] == "network":
            n["path"] = r.choice(["/proc/self/ns/net", "/no/such/ns", "/proc/1/ns/net"])


def m_tmpfs(c, r):
    c["mounts"].append({"destination": r.choice(["/scratch", "/tmp", "/made/tmpfs", "/etc/deep/er"]), "type": "tmpfs", "source": "tmpfs",
                        "options": r.choice([[], ["nosuid", "size=1m"], ["mode=0711", "noexec"], ["ro"], ["nodev", "uid=5", "gid=6"],
                                             ["size=1m", "nr_inodes=50", "noatime"], ["tmpcopyup"], ["bogus=1"]])})


def m_bind(c, r):
    c["mounts"].append({"destination": r.choice(["/rw", "/new/place", "/link/inside", "/etc/dirlink"]), "type": "bind",
                        "source": r.choice(["SOURCE/tree", "SOURCE/tree/sub"]),
                        "options": r.choice([["rbind"], ["bind", "ro"], ["rbind", "ro", "nosuid", "nodev"], ["bind", "noexec"], ["rbind", "rro"],
                                             ["rbind", "rprivate"], ["bind", "noatime"], ["bind", "rshared"], ["rbind", "slave"]])})


def m_bind_ro(c, r):
    c["mounts"].append({"destination": "/ro", "type": "bind", "source": "SOURCE/tree", "options": ["rbind", "ro"]})


def m_bind_file(c, r):
    c["mounts"].append({"destination": r.choice(["/etc/one", "/etc/new", "/secret", "/very/new/file"]), "type": "bind",
                        "source": "SOURCE/file", "options": r.choice([["bind"], ["bind", "ro"], ["rbind", "ro", "noexec"]])})


def m_bind_missing(c, r):
    c["mounts"].append({"destination": "/x", "type": "bind", "source": "SOURCE/missing", "options": ["bind"]})


def m_bind_dir_on_file(c, r):
    c["mounts"].append({"destination": "/etc/one", "type": "bind", "source": "SOURCE/tree", "options": ["bind"]})


def m_unknown_type(c, r):
    c["mounts"].append({"destination": "/x", "type": "nosuchfs", "source": "x"})


def m_readonly_root(c, r):
    c["root"]["readonly"] = True


def m_masks(c, r):
    linux(c)["maskedPaths"] = r.choice([[], ["/secret", "/hidden", "/nothing"], ["/proc/keys", "/hidden/dir", "/sys/kernel"]])


def m_readonly_paths(c, r):
    linux(c)["readonlyPaths"] = r.choice([[], ["/tmp"], ["/secret", "/proc/sys", "/missing"], ["/proc", "/etc"]])


def m_devices(c, r):
    linux(c)["devices"] = r.choice([
        [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 3, "gid": 4}],
        [{"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200}],
        [{"path": "/dev/pipe", "type": "p", "fileMode": 0o622}],
        [{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}, {"path": "/dev/null", "type": "c", "major": 1, "minor": 3},
         {"path": "/dev/tty", "type": "c", "major": 5, "minor": 0, "fileMode": 0o620}],
        [{"path": "/dev/stdin", "type": "c", "major": 1, "minor": 5}, {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229},
         {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}, {"path": "/etc/one", "type": "c", "major": 1, "minor": 3}],
        [{"path": "/tmp/loop", "type": "b", "major": 7, "minor": 0, "fileMode": 0o660}],
        [{"path": "/dev/x", "type": "z", "major": 1, "minor": 1}]])


def m_device_rules(c, r):
    linux(c)["resources"] = {"devices": r.choice([
        [{"allow": True, "access": "rwm"}], [{"allow": False, "access": "rwm"}],
        [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}],
        [{"allow": False, "access": "rwm"}, {"allow": True, "type": "b", "major": 7, "access": "r"}]])}


def resources(c):
    return linux(c).setdefault("resources", {})


def m_memory(c, r):
    resources(c)["memory"] = r.choice([{"limit": 64 << 20}, {"limit": 64 << 20, "swap": 128 << 20}, {"limit": 64 << 20, "swap": -1},
                                       {"limit": 128 << 20, "swap": 64 << 20}, {"limit": -1}])


def m_cpu(c, r):
    resources(c)["cpu"] = r.choice([{"shares": 512}, {"quota": 50000, "period": 100000}, {"cpus": "0"}, {"cpus": "999"}, {"shares": 1},
                                    {"quota": -1, "period": 100000}, {"quota": 20000}])


def m_pids(c, r):
    resources(c)["pids"] = {"limit": r.choice([50, -1, 0, 1000])}


def m_sysctl(c, r):
    linux(c)["sysctl"] = r.choice([{"kernel.msgmax": "9000"}, {"net.ipv4.ip_forward": "1"}, {"net/ipv4/ip_unprivileged_port_start": "80"},
                                   {"kernel.panic": "1"}, {"kernel.msgmax": "nonsense"}, {"net.no.such": "1"}, {"kernel.domainname": "d.test"}])


def m_oom(c, r):
    c["process"]["oomScoreAdj"] = r.choice([0, 100, -100, 1000])


def m_seccomp(c, r):
    linux(c)["seccomp"] = r.choice([
        {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
         "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
                                                         {"names": ["no_such_call"], "action": "SCMP_ACT_KILL"}]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO",
                                                          "args": [{"index": 1, "value": 0o711, "op": "SCMP_CMP_EQ"}]}]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]},
        {"defaultAction": "SCMP_ACT_LOG"},
        {"defaultAction": "SCMP_ACT_NONSENSE"},
        {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NONSENSE"]}])


def m_propagation(c, r):
    linux(c)["rootfsPropagation"] = r.choice(["private", "rslave", "slave", "rprivate", "shared", "nonsense"])


def m_cgroup_mount(c, r):
    c["mounts"] = [m for m in c["mounts"] if m["type"] != "cgroup"]
    if r.random() < .5:
        c["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                            "options": ["nosuid", "noexec", "nodev", "relatime"] + r.choice([[], ["ro"]])})


def m_no_mounts(c, r):
    c["mounts"] = [m for m in c["mounts"] if m["destination"] in ("/proc", "/dev")]


def m_proc_options(c, r):
    for m in c["mounts"]:
        if m["destination"] == "/proc":
            m["options"] = r.choice([["nosuid"], ["ro"], ["nosuid", "noexec", "nodev", "hidepid=2"]])


def m_evil_root(c, r):
    c["root"]["path"] = r.choice(["rootfs-proclink", "rootfs-syslink", "rootfs-procfile"])


def m_no_rootfs(c, r):
    c["root"]["path"] = "missing"


def m_version(c, r):
    c["ociVersion"] = r.choice(["1.0.0", "1.0.2-dev", "1.1.0"])


MUTATIONS = [f for n, f in sorted(globals().items()) if n.startswith("m_")]
RARE = {m_bad_rlimit, m_rlimit_order, m_maps_without_user, m_double_ns, m_bad_ns, m_bind_missing, m_bind_dir_on_file, m_unknown_type,
        m_no_rootfs, m_version, m_evil_root, m_join_net}


def make_case(number, spec):
    r = random.Random(number)
    c = base(spec)
    if number < len(MUTATIONS):
        chosen = [MUTATIONS[number]]          # first each by itself
    elif number < 4 * len(MUTATIONS):
        chosen = [MUTATIONS[number % len(MUTATIONS)]]
    else:
        common = [m for m in MUTATIONS if m not in RARE]
        chosen = r.sample(common, r.randint(2, 5))
    for m in chosen:
        m(c, r)
    return c, [m.__name__[2:] for m in chosen]


# ---- the tree of a container

def make_rootfs(path, uid=0):
    for d in ("bin", "etc", "tmp", "proc", "dev", "sys", "hidden/dir", "work/dir", "run"):
        os.makedirs(f"{path}/{d}", exist_ok=True)
    os.chmod(f"{path}/tmp", 0o1777)
    os.chmod(f"{path}/run", 0o700)
    shutil.copy(BUSYBOX, f"{path}/bin/busybox")
    for a in APPLETS:
        os.symlink("busybox", f"{path}/bin/{a}")
    files = {"probe": PROBE, "etc/one": "one\n", "secret": "secret\n", "script": "#!/bin/sh\nexit 7\n", "noshebang": "exit 8\n",
             "etc/passwd": "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n", "etc/group": "root:x:0:\n", "hidden/file": "x"}
    for name, text in files.items():
        with open(f"{path}/{name}", "w") as f:
            f.write(text)
    os.chmod(f"{path}/script", 0o755)
    os.chmod(f"{path}/noshebang", 0o755)
    os.symlink("/job/dir", f"{path}/link")
    os.symlink("/tmp/not/there", f"{path}/etc/dirlink")
    os.symlink("loop", f"{path}/loop")
    if uid:
        for top, dirs, names in os.walk(path):
            for n in dirs + names:
                os.lchown(f"{top}/{n}", uid, uid)
        os.chown(path, uid, uid)


def make_bundle(path, c, source):
    os.makedirs(path)
    name = c["root"]["path"]
    root = f"{path}/{name}"
    if name != "missing":
        make_rootfs(root, 100000 if name == "rootfs-mapped" else 0)
    kind = name.partition("-")[2]
    if kind in ("proclink", "syslink", "devlink"):
        os.rmdir(f"{root}/{kind[:-4]}")
        os.symlink("/tmp", f"{root}/{kind[:-4]}")
    if kind == "procfile":
        os.rmdir(f"{root}/proc")
        open(f"{root}/proc", "w").close()
    os.makedirs(f"{source}/tree/sub", exist_ok=True)
    for n in ("tree/f", "tree/sub/g", "file"):
        with open(f"{source}/{n}", "w") as f:
            f.write(n + "\n")
    for m in c["mounts"]:
        if m.get("source", "").startswith("SOURCE"):
            m["source"] = m["source"].replace("SOURCE", source, 1)
    with open(f"{path}/config.json", "w") as f:
        json.dump(c, f)


def run(runtime, work, c, number):
    bundle = tempfile.mkdtemp(dir=work)
    try:
        make_bundle(f"{bundle}/b", json.loads(json.dumps(c)), f"{bundle}/source")
        done = subprocess.run([runtime, "--root", f"{bundle}/state", "run", "--bundle", f"{bundle}/b", f"compare{number}"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        left = os.listdir(f"{bundle}/state") if os.path.isdir(f"{bundle}/state") else []
        if left:
            subprocess.run([runtime, "--root", f"{bundle}/state", "delete", "--force", f"compare{number}"], capture_output=True)
        return done.returncode, done.stdout.decode(errors="replace").replace(bundle, "B"), done.stderr.decode(errors="replace"), left
    finally:
        shutil.rmtree(bundle, ignore_errors=True)


# ---- what may differ: each line here is explained in docs/runner.md

HOST_NS = {n: os.readlink(f"/proc/self/ns/{n}") for n in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")}


def normalize_mount(line):
    f = line.split(" ")
    root, point, options, rest = f[3], f[4], f[5], " ".join(f[6:])
    optional, _, tail = rest.partition("- ")
    kind, source, super_options = (tail.split(" ") + ["", "", ""])[:3]
    if re.sub(r"\(deleted\)|//deleted", "", root) in ("/null", "/empty") or (kind == "tmpfs" and point.startswith(MASKABLE)):
        return f"{point} masked"
    if kind == "cgroup2" and point.endswith("/unified"):
        return None
    if point == "/sys/fs/cgroup":
        options = re.sub(r"^r[ow]", "r?", options)
    if kind == "cgroup":
        source = "cgroup"
    super_options = ",".join(sorted(o for o in super_options.split(",") if not o.startswith(("size=", "seclabel", "inode64"))))
    if kind in ("ext4", "overlay", "xfs", "btrfs", "tmpfs"):
        root = re.sub(r".*/source/", "SOURCE/", root)
        root = re.sub(r".*/b/rootfs", "ROOT", root)
    optional = re.sub(r"\d+", "N", optional)
    if point == "/":
        optional = "" # rootfsPropagation "shared" shows since runc 1.2
    return f"{point} {kind} {root} {options} {optional} {source} {super_options}"


MASKABLE = ("/proc/", "/sys/", "/secret", "/hidden")


def normalize(text):
    out, section = [], ""
    for line in text.split("\n"):
        if line.startswith("== "):
            section = line[3:]
        elif section == "mounts" and line.count(" ") > 5:
            line = normalize_mount(line)
            if line is None:
                continue
        elif line.startswith("SigIgn:"):
            continue # runc passes on what was ignored where it was started; see runner_leaks for ours
        elif section == "domainname":
            continue # runc has it since 1.2
        elif section == "ns":
            line = line.partition(":")[0] + (" host" if line in HOST_NS.values() else " own")
        elif section == "cgroup" and ":name=" not in line and line.startswith("0::"):
            line = "0::" # runc leaves the unified hierarchy of a hybrid system alone
        elif section == "root" and line.endswith(" proc"):
            continue # its links count processes
        elif section in ("dev", "root"):
            line = re.sub(r" [A-Z][a-z]{2} [ 0-9]\d (\d\d:\d\d|[ 0-9]\d{3})", "", line)
            line = re.sub(r"^(d\S+ +\d+ +\d+ +\d+) +\d+", r"\1", line)
            if line.startswith("total "):
                continue
        elif section == "limits of cgroups":
            line = line.replace("c 10:200 rwm", "").strip()
            if not line:
                continue
        out.append(f"{section}: {line}")
    # In the order of the kernel's ids, which depends on when a mount was made and not on when it came into place.
    mounts = sorted(l for l in out if l.startswith("mounts: "))
    return "\n".join([l for l in out if not l.startswith("mounts: ")] + mounts)


def compare(a, b):
    """None, or what differs. a is ours."""
    if a[3]:
        return f"ours left its state: {a[3]}"
    started = "== status" in a[1], "== status" in b[1]
    if started != (False, False) or a[0] == b[0] == 0:
        ours, theirs = normalize(a[1]).split("\n"), normalize(b[1]).split("\n")
        if ours != theirs:
            import difflib
            return "\n".join(l for l in difflib.unified_diff(theirs, ours, "reference", "ours", lineterm="", n=0))
    if a[0] != b[0]:
        return f"exit status {a[0]}, reference {b[0]}\n  ours: {a[2].strip()[-300:]}\n  reference: {b[2].strip()[-300:]}"
    return None


def main():
    ours, reference, work = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 4 * len(MUTATIONS) + 100
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    with tempfile.TemporaryDirectory(dir=work) as d:
        subprocess.run([reference, "spec"], cwd=d, check=True)
        spec = json.load(open(f"{d}/config.json"))
    bad = refused = 0
    for number in range(first, first + count):
        c, names = make_case(number, spec)
        a, b = run(ours, work, c, number), run(reference, work, c, number)
        refused += b[0] != 0
        difference = compare(a, b)
        if difference:
            bad += 1
            print(f"--- case {number} ({' '.join(names)}):\n{difference}")
    print(f"{count} configurations, {refused} of them refused or failing, {bad} different")
    sys.exit(bad != 0)


main()
