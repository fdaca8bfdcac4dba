"""The processes of a gateway under test, as /proc shows them."""
import pathlib


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
