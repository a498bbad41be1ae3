"""What Linux counts of processes and of the machine, read from /proc; elsewhere there is nothing to read.

Linux counts CPU time, memory and disk by process, and network traffic by interface only. The local run uses the
loopback interface, and everything else on the machine that does is in its numbers too.
"""

import os
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SECTOR = 512  # bytes, in /proc/diskstats whatever the disk's own sectors are
LOOPBACK = "lo"


def has_figures() -> bool:
    return (PROC / "self" / "stat").exists()


def process(pid: int) -> dict | None:
    """CPU time, memory and disk of a process since its start; None if it has ended."""
    try:
        # The command's name, in brackets, may have spaces.
        after_name = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        resident = int((PROC / str(pid) / "statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None
    figures = {
        "cpuSeconds": (int(after_name[11]) + int(after_name[12])) / TICKS,
        "memoryBytes": resident * PAGE, "readBytes": 0, "writtenBytes": 0,
    }  # fmt: skip
    with suppress(OSError):  # another user's, or it has just ended
        lines = dict(line.split(": ") for line in (PROC / str(pid) / "io").read_text().splitlines())
        figures |= {"readBytes": int(lines["read_bytes"]), "writtenBytes": int(lines["write_bytes"])}
    return figures


def machine() -> dict:
    """The machine's processors, memory, traffic and disks since it was started."""
    user, nice, system, idle, wait, *others = map(int, (PROC / "stat").read_text().splitlines()[0].split()[1:9])
    memory = {}
    for line in (PROC / "meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        memory[name] = int(value.split()[0]) * 1024
    return {
        "processors": os.cpu_count(),
        "cpuSeconds": (user + nice + system + sum(others)) / TICKS,
        "idleSeconds": (idle + wait) / TICKS,
        "load": os.getloadavg()[0],
        "memoryBytes": memory["MemTotal"] - memory["MemAvailable"],
        "totalMemoryBytes": memory["MemTotal"],
        **traffic((PROC / "net" / "dev").read_text()),
        **disks((PROC / "diskstats").read_text()),
    }


def traffic(text: str) -> dict:
    """Bytes that were received, by loopback and by all other interfaces; a byte on loopback is sent and received once."""
    loopback, received, sent = 0, 0, 0
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        fields = numbers.split()
        if name.strip() == LOOPBACK:
            loopback += int(fields[0])
        else:
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return {"loopbackBytes": loopback, "receivedBytes": received, "sentBytes": sent}


def disks(text: str) -> dict:
    """Bytes that were read from and written to whole disks."""
    read, written = 0, 0
    for line in text.splitlines():
        fields = line.split()
        if (Path("/sys/block") / fields[2]).exists() and not fields[2].startswith(("loop", "ram")):
            read, written = read + int(fields[5]) * SECTOR, written + int(fields[9]) * SECTOR
    return {"readBytes": read, "writtenBytes": written}
