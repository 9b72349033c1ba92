# SPDX-License-Identifier: Apache-2.0
# SIGKILL of the daemon when a client sees a step as DONE (or CACHED): the next daemon has the step in its cache.
# ROUNDS=150 test/e2e/run BIN done_kept runs more of them.
make_context "$WORK/c"
cat > "$WORK/kills.py" <<'PYTHON'
import os, random, re, subprocess, sys
work, bin, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
base = open(work + "/c/base").read()
seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
print("SEED", seed)
rand = random.Random(seed)
log = open(work + "/daemon.log", "ab")

def start():
    d = subprocess.Popen([bin + "/buildkitd", "--root", work + "/root", "--addr", os.environ["BUILDKIT_HOST"],
                          "--config", work + "/buildkitd.toml"], stderr=log)
    subprocess.run([bin + "/buildctl", "--wait", "--timeout", "20", "debug", "workers"], stdout=subprocess.DEVNULL, check=True)
    return d

def build(seen, stop):
    """Names of steps that ended, with how; stop(name, how) is asked for each and ends the reading."""
    client = subprocess.Popen([bin + "/buildctl", "build", "--progress=plain", "--frontend=dockerfile.v0",
                               "--local", f"context={work}/c", "--local", f"dockerfile={work}/c"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    names = {}
    for line in client.stderr:
        if m := re.match(r"#(\d+) (\[.*\d+/\d+\].*)", line):
            names.setdefault(m[1], m[2])
        if (m := re.match(r"#(\d+) (DONE|CACHED)", line)) and m[1] in names:
            seen[names[m[1]]] = m[2]
            if stop():
                break
    return client

lost = 0
for n in range(rounds):
    steps = rand.randrange(3, 8)
    with open(work + "/c/Dockerfile", "w") as f:
        f.write(base)
        for i in range(steps):
            f.write(rand.choice([f"RUN echo {n}-{i}-{seed} > /f{i}\n", f"WORKDIR /d{n}-{i}\n", f"COPY data{i} /c{i}\n"]))
            open(f"{work}/c/data{i}", "w").write(f"{seed} {n} {i}")
        f.write("RUN sleep 60\n")
    at = rand.randrange(1, steps + 3)
    seen, again = {}, {}
    daemon = start()
    client = build(seen, lambda: len(seen) >= at)
    daemon.kill(); daemon.wait(); client.kill(); client.wait()
    daemon = start()
    client = build(again, lambda: set(seen) <= set(again))
    client.kill(); client.wait(); daemon.terminate()
    assert daemon.wait(20) == 0
    bad = [s for s in seen if again.get(s) != "CACHED"]
    lost += len(bad)
    if bad:
        print(f"round {n}: ran again: {bad}, of {list(seen)}")
print(rounds, "kills")
sys.exit(lost > 0)
PYTHON
python3 "$WORK/kills.py" "$WORK" "$BIN" "${ROUNDS:-6}" || fail "steps that were shown as done ran again"
