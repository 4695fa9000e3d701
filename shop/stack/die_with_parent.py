"""Becomes the given command, which the kernel kills once the thread that started us has ended.

Usage: python die_with_parent.py PARENT_PID COMMAND [ARGUMENT...]
A program of its own rather than a hook between fork and exec, which is unsafe with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

parent, command = int(sys.argv[1]), sys.argv[2:]
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() == parent:
    os.execvp(command[0], command)  # noqa: S606 - the command is ours, and no shell is wanted
