#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""runner_commands.py RUNNER WORKDIR: the OCI command line through a container's life, with terminals and signals."""
import array, json, os, shutil, signal, socket, subprocess, sys, threading, time

RUNNER, WORK = sys.argv[1:3]
STATE = f"{WORK}/state"
BUNDLE = f"{WORK}/bundle"
SPEC = {
    "ociVersion": "1.1.0", "hostname": "box", "root": {"path": "rootfs"}, "annotations": {"a": "b"},
    "process": {"args": ["/bin/sleep", "100"], "env": ["PATH=/bin", "TERM=dumb"], "cwd": "/"},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
               {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
               {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666", "mode=0620"]}],
    "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts")]},
}


def check(ok, what):
    if not ok:
        sys.exit(f"FAIL: {what}")


def ctl(*args, **kw):
    return subprocess.run([RUNNER, "--root", STATE, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, **kw)


def silent(*args):
    with open(os.devnull, "r+") as null:
        return subprocess.run([RUNNER, "--root", STATE, *args], stdin=null, stdout=null, stderr=null, timeout=30).returncode


def configure(**process):
    spec = json.loads(json.dumps(SPEC))
    spec["process"].update(process)
    json.dump(spec, open(f"{BUNDLE}/config.json", "w"))


def status(name):
    return json.loads(ctl("state", name).stdout)["status"]


def wait_status(name, wanted):
    for _ in range(100):
        if status(name) == wanted:
            return
        time.sleep(.05)
    sys.exit(f"FAIL: {name} is {status(name)}, not {wanted}")


def life():
    configure()
    check(silent("create", "--bundle", BUNDLE, "--pid-file", f"{WORK}/pid", "life") == 0, "create")
    state = json.loads(ctl("state", "life").stdout)
    check(state["status"] == "created" and state["annotations"] == {"a": "b"} and state["bundle"] == BUNDLE, f"state: {state}")
    check(int(open(f"{WORK}/pid").read()) == state["pid"], "pid file")
    check("buildkit-runc" in open(f"/proc/{state['pid']}/comm").read() or "memfd" in os.readlink(f"/proc/{state['pid']}/exe"), "started too early")
    r = ctl("create", "--bundle", BUNDLE, "life")
    check(r.returncode == 1 and "already exists" in r.stderr, f"second create: {r}")
    check(ctl("start", "life").returncode == 0 and status("life") == "running", "start")
    for _ in range(100): # from the gate to exec is a moment
        if os.readlink(f"/proc/{state['pid']}/exe").endswith("busybox"):
            break
        time.sleep(.05)
    else:
        sys.exit("FAIL: the program does not run")
    check(ctl("start", "life").returncode == 1, "second start")
    r = ctl("delete", "life")
    check(r.returncode == 1 and "not stopped" in r.stderr, f"delete of a running one: {r}")
    r = ctl("exec", "--env", "X=y", "--cwd", "/bin", "--user", "5:6", "life", "sh", "-c", "echo $X $(pwd) $(id -u) $(id -g); exit 9")
    check((r.returncode, r.stdout) == (9, "y /bin 5 6\n"), f"exec: {r}")
    r = ctl("exec", "life", "/no/such")
    check(r.returncode == 1 and "/no/such" in r.stderr, f"exec of nothing: {r}")
    json.dump({"args": ["sh", "-c", "kill -9 $$"], "env": ["PATH=/bin"], "cwd": "/"}, open(f"{WORK}/process.json", "w"))
    check(ctl("exec", "--process", f"{WORK}/process.json", "life").returncode == 137, "exec that is killed")
    check(silent("exec", "--detach", "--pid-file", f"{WORK}/pid2", "life", "sleep", "50") == 0, "detached exec")
    check("sleep" in open(f"/proc/{open(f'{WORK}/pid2').read()}/cmdline").read(), "pid of a detached exec")
    check(ctl("kill", "life", "NOSUCH").returncode == 1, "unknown signal")
    check(ctl("kill", "life", "SIGKILL").returncode == 0, "kill")
    wait_status("life", "stopped")
    check(ctl("kill", "life", "TERM").returncode == 1, "kill of a stopped one")
    check(ctl("exec", "life", "true").returncode == 1, "exec in a stopped one")
    check(ctl("delete", "life").returncode == 0 and ctl("state", "life").returncode == 1, "delete")
    check(silent("create", "--bundle", BUNDLE, "other") == 0 and ctl("delete", "--force", "other").returncode == 0, "delete of a created one")


def exits():
    for args, code in ((["true"], 0), (["sh", "-c", "exit 77"], 77), (["/no/such"], 1)):
        configure(args=args)
        r = ctl("run", "--bundle", BUNDLE, "exits")
        check(r.returncode == code, f"{args}: {r}")
    configure(args=["sh", "-c", "trap 'exit 5' USR1; echo ready; while :; do sleep 0.1; done"])
    p = subprocess.Popen([RUNNER, "--root", STATE, "run", "--bundle", BUNDLE, "signals"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    check(p.stdout.readline() == "ready\n", "not ready")
    p.send_signal(signal.SIGUSR1)
    check(p.wait(10) == 5, f"signal passed on: {p.returncode}")
    r = ctl("--log", f"{WORK}/told", "--log-format", "json", "run", "--bundle", "/no/such/bundle", "x")
    line = json.loads(open(f"{WORK}/told").read())
    check(r.returncode == 1 and line["level"] == "error" and "/no/such/bundle" in line["msg"], f"log: {line}")
    for bad in (["run", "--nonsense", "x"], ["start"], ["frobnicate"], ["run", "--bundle", BUNDLE, "../x"], ["state", ".."]):
        check(ctl(*bad).returncode == 1, f"{bad} worked")


def take_console(server, got):
    connection, _ = server.accept()
    fds = array.array("i")
    _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
    fds.frombytes(ancillary[0][2][:4])
    got.append(fds[0])


def terminal():
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{WORK}/console")
    server.listen()
    got = []
    t = threading.Thread(target=take_console, args=(server, got))
    t.start()
    configure(args=["sh", "-c", "stty size; tty; [ -c /dev/console ] && echo console; read x; echo got $x"], terminal=True,
              consoleSize={"height": 41, "width": 102})
    check(silent("create", "--bundle", BUNDLE, "--console-socket", f"{WORK}/console", "tty") == 0, "create with a terminal")
    t.join(10)
    check(ctl("start", "tty").returncode == 0, "start with a terminal")
    text = b""
    try:
        while b"console\r\n" not in text:
            text += os.read(got[0], 4096)
        os.write(got[0], b"hello\n")
        while b"got hello" not in text:
            text += os.read(got[0], 4096)
    except OSError:
        pass
    text = text.decode().replace("\r", "")
    check("41 102\n/dev/pts/0\nconsole\n" in text and "got hello" in text, f"terminal: {text!r}")
    wait_status("tty", "stopped")
    check(ctl("delete", "tty").returncode == 0, "delete")
    check(ctl("run", "--detach", "--bundle", BUNDLE, "tty2").returncode == 1, "a detached terminal without a socket")


def privileged():
    """A specification that lists the host's devices, as privileged containers do: /dev/ptmx stays the link to pts/ptmx."""
    spec = json.loads(json.dumps(SPEC))
    spec["process"]["args"] = ["/bin/sh", "-c", "readlink /dev/ptmx; [ -c /dev/pts/ptmx ] && [ -c /dev/null ] && [ -c /dev/stdin ] && echo fine"]
    spec["linux"]["devices"] = [{"path": path, "type": "c", "major": major, "minor": minor} for path, major, minor in
                                (("/dev/ptmx", 5, 2), ("/dev/null", 1, 3), ("/dev/tty", 5, 0), ("/dev/stdin", 1, 5), ("/dev/tty", 5, 0))]
    json.dump(spec, open(f"{BUNDLE}/config.json", "w"))
    r = ctl("run", "--bundle", BUNDLE, "privileged")
    check((r.returncode, r.stdout) == (0, "pts/ptmx\nfine\n"), f"devices of the host: {r}")


os.makedirs(f"{BUNDLE}/rootfs/bin")
for d in ("proc", "dev"):
    os.makedirs(f"{BUNDLE}/rootfs/{d}")
shutil.copy(shutil.which("busybox"), f"{BUNDLE}/rootfs/bin/busybox")
for a in ("sh", "sleep", "true", "id", "stty", "tty", "pwd", "readlink"):
    os.symlink("busybox", f"{BUNDLE}/rootfs/bin/{a}")
for test in (life, exits, terminal, privileged):
    test()
    print(f"{test.__name__}: fine", flush=True)
check(os.listdir(STATE) == [], f"state is left: {os.listdir(STATE)}")
check(json.loads(ctl("features").stdout)["linux"]["cgroup"]["v2"] is True, "features")
version = subprocess.run([RUNNER, "--version"], capture_output=True, text=True)
check(version.returncode == 0 and version.stdout.startswith("buildkit-runc version "), "version")
