# SPDX-License-Identifier: Apache-2.0
"""cpu: the CPU time of a daemon and of everything that it starts."""
import os, subprocess


def daemon_cpu(pid):
    """Seconds of CPU time of a process, its children, and all that they have waited for."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    ticks = sum(int(n) for n in fields[11:15])
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    spent = ticks / os.sysconf("SC_CLK_TCK")
    for child in children:
        try:
            spent += daemon_cpu(child)
        except FileNotFoundError:
            pass
    return spent
