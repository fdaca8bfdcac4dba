"""The processes of a gateway under test, as /proc shows them."""
import array
import base64
import os
import pathlib
import re

PAGE = os.sysconf("SC_PAGESIZE")
PART = 64 * PAGE
NOTHING = bytes(PART)


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


def ticks(pid):
    """CPU time that it has used, in clock ticks (user and system)."""
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


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


def _untouched(pagemap, at, n):
    """No page of these was ever there: to read them would make them (Documentation/admin-guide/mm/pagemap.rst: present, or swapped)."""
    pagemap.seek(at // PAGE * 8)
    return not any(entry >> 62 for entry in array.array("Q", pagemap.read(n // PAGE * 8)))


def parts(pid, written=False):
    """All that can be read of the process's memory (`written`: its own data alone, no file), in order: (whether this goes on where the
    part before ended, bytes)."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem, open(f"/proc/{pid}/pagemap", "rb", 0) as pagemap:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            rights, own = line.split()[1], line.split()[4] == "0"
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]")) or (written and not (own and "w" in rights)):
                continue
            at, goes_on = start, False
            while at < end:
                n = min(PART, end - at)
                if own and "p" in rights and _untouched(pagemap, at, n):
                    at, goes_on = at + n, False
                    continue
                try:
                    mem.seek(at)
                    part = mem.read(n)
                except OSError:
                    break
                yield goes_on, part
                at, goes_on = at + len(part), True


def _file_parts(path):
    """The same of a file; holes are left out."""
    with open(path, "rb", 0) as f:
        at, end = 0, os.fstat(f.fileno()).st_size
        while at < end:
            try:
                start = at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:
                return  # nothing but a hole up to the end
            stop = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            f.seek(at)
            while at < stop and (part := f.read(min(PART, stop - at))):
                yield at > start, part
                at += len(part)
            at = max(at, stop)


def _search(pieces, values):
    every = re.compile(b"|".join(re.escape(v) for v in values.values()))
    names = {v: k for k, v in values.items()}
    lap, tail, found, looked = max(map(len, names)) - 1, b"", set(), 0
    for goes_on, part in pieces:
        looked += len(part)
        if part == NOTHING:
            tail = NOTHING[-lap:]
            continue
        part = tail + part if goes_on else part
        found.update(names[m.group()] for m in every.finditer(part))
        tail = part[-lap:]
    return found, looked


def in_memory(pid, values):
    """Which of these values ({name: bytes}) stand anywhere in the process's memory: ({name}, how many bytes were looked at)."""
    return _search(parts(pid), values)


def in_file(path, values):
    """The same of a file."""
    return _search(_file_parts(path), values)


def in_bytes(data, values):
    """The same of these bytes."""
    return _search([(False, data)], values)


def holds(pid, value):
    """Whether these bytes stand anywhere in the process's memory."""
    return bool(in_memory(pid, {"": value})[0])


def spellings(name, value):
    """{what: bytes} of a value as it is, and in the forms that a header, a log or a file would give it."""
    out = {name: value, f"{name}, hex": value.hex().encode(), f"{name}, HEX": value.hex().upper().encode()}
    for shift in range(3):  # whatever stands before it, and what the first and the last letter take from their neighbours is left out
        first = -(-4 * shift // 3)
        out[f"{name}, base64 at {shift}"] = base64.b64encode(bytes(shift) + value)[first:4 * ((shift + len(value)) // 3)]
    return out
