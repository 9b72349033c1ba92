#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""old_kernel.py PROGRAM [ARGS]: runs a program as if the kernel were Linux 4.18.

A filter answers ENOSYS to each system call that is newer: from pidfd_send_signal (5.1) on, they have the same numbers on all
architectures. statx is older, but its mount ids and the mark of mount roots (5.8) are not, so the C library has to do without.
"""
import ctypes
import os
import platform
import struct
import sys

FIRST_NEW = 424
STATX = {"x86_64": 332, "aarch64": 291}[platform.machine()]
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2
RET_ALLOW, RET_ERRNO, ENOSYS = 0x7FFF0000, 0x00050000, 38


def filter_program():
    load, at_least, equal, leave = 0x20, 0x35, 0x15, 0x06
    rows = [(load, 0, 0, 0), (at_least, 2, 0, FIRST_NEW), (equal, 1, 0, STATX), (leave, 0, 0, RET_ALLOW),
            (leave, 0, 0, RET_ERRNO | ENOSYS)]
    return b"".join(struct.pack("HBBI", *row) for row in rows)


def install():
    libc = ctypes.CDLL(None, use_errno=True)
    code = filter_program()
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if os.geteuid() != 0 and libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("no_new_privs: " + os.strerror(ctypes.get_errno()))
    if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.create_string_buffer(program, len(program)), 0, 0) != 0:
        sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))


install()
os.execvp(sys.argv[1], sys.argv[1:])
