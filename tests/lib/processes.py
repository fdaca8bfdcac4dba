"""The processes of a gateway under test, as /proc shows them."""
import pathlib
import re


def roles(gateway):
    """{name: pid} of everything under this gateway's command."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue  # it has ended
        name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        children.setdefault(int(rest[1]), []).append((int(stat.parent.name), name))
    out, todo = {}, [gateway.process.pid]
    while todo:
        for pid, name in children.get(todo.pop(), []):
            out[name] = pid
            todo.append(pid)
    return out


def memory(pid):
    """Resident, in kilobytes."""
    return int(next(l for l in open(f"/proc/{pid}/status", encoding="ascii") if l.startswith("VmRSS")).split()[1])


def _guarded(pid):
    """Starts of the ranges that are locked and stay out of core dumps: where secrets live (crypt/secret.h)."""
    start, out = None, set()
    for line in open(f"/proc/{pid}/smaps", encoding="ascii"):
        if "-" in line.split(" ", 1)[0]:
            start = line.split("-", 1)[0]
        elif line.startswith("VmFlags:") and {"dd", "lo"} <= set(line.split()):
            out.add(start)
    return out


def stray(pid, values):
    """Where these values ({name: bytes}) stand in the process's memory outside of what is guarded for them, and how often they stand inside:
    ([(name, range, what stands before it)], count)."""
    guarded, found, inside = _guarded(pid), [], 0
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line:
                continue
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except OSError:
                continue
            for name, value in values.items():
                at = [m.start() for m in re.finditer(re.escape(value), data)]
                if line.split("-", 1)[0] in guarded:
                    inside += len(at)
                else:
                    found += [(name, line.split()[-1], data[max(0, i - 16):i]) for i in at]
    return found, inside


def holds(pid, value):
    """Whether these bytes stand anywhere in the process's memory."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" not in line.split()[1] or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            tail = b""
            for at in range(start, end, 1 << 20):
                try:
                    mem.seek(at)
                    part = tail + mem.read(min(1 << 20, end - at))
                except OSError:
                    break
                if value in part:
                    return True
                tail = part[-len(value):]
    return False
