"""A program on the card: holds memory and computes as a file tells it.

hold.py FILE READY: FILE holds `PERCENT idle|busy`: how full the whole card is to be, and whether to
compute. READY is written once it is as told. `end` ends it.
"""
import os
import sys
import time

import torch

told, ready = sys.argv[1], sys.argv[2]
card = torch.device("cuda:0")
held, done = [], None
GIB = 1 << 30
a = torch.randn(8192, 8192, device=card, dtype=torch.bfloat16)


def filled():
    free, total = torch.cuda.mem_get_info()
    return 100 * (total - free) / total


def fill(percent):
    while filled() < percent:
        try:
            held.append(torch.empty(GIB, dtype=torch.uint8, device=card))
        except torch.cuda.OutOfMemoryError:
            return
    while held and filled() > percent + 0.8:
        held.pop()
        torch.cuda.empty_cache()


while True:
    try:
        with open(told) as file:
            words = file.read().split()
    except OSError:
        words = []
    if words[:1] == ["end"]:
        break
    if len(words) == 2:
        if words != done:
            fill(float(words[0]))
            done = words
            with open(ready + ".part", "w") as file:
                file.write(f"{' '.join(words)} pid {os.getpid()} filled {filled():.1f} %\n")
            os.replace(ready + ".part", ready)
        if words[1] == "busy":
            for _ in range(20):
                b = a @ a
            torch.cuda.synchronize()
            continue
    time.sleep(0.1)
