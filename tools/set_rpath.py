"""Sets where an ELF file looks for its libraries: writes a new DT_RPATH or DT_RUNPATH over the one that it has, which must be as long at least.

    tools/set_rpath.py FILE FOLDERS

A file that has none is left as it is.
"""

import pathlib
import struct
import sys

PT_LOAD, PT_DYNAMIC = 1, 2
DT_STRTAB, DT_RPATH, DT_RUNPATH = 5, 15, 29


def rpath_place(data):
    """Where the text stands in the file; None where there is none."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no ELF file of 64 bits, little-endian")
    (first,), (size, count) = struct.unpack_from("<Q", data, 32), struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<II4Q", data, first + i * size) for i in range(count)]  # type, flags, offset, address, -, bytes
    dynamic = next(segment for segment in segments if segment[0] == PT_DYNAMIC)
    entries = dict(struct.iter_unpack("<QQ", data[dynamic[2]:dynamic[2] + dynamic[5]]))
    if DT_RPATH not in entries and DT_RUNPATH not in entries:
        return None
    heeded = entries.get(DT_RUNPATH, entries.get(DT_RPATH))  # the loader ignores an RPATH beside a RUNPATH
    offset, address = next((s[2], s[3]) for s in segments if s[0] == PT_LOAD and s[3] <= entries[DT_STRTAB] < s[3] + s[5])
    return entries[DT_STRTAB] - address + offset + heeded


def main():
    path, folders = pathlib.Path(sys.argv[1]), sys.argv[2].encode()
    data = bytearray(path.read_bytes())
    place = rpath_place(bytes(data))
    if place is None:
        return
    length = data.index(0, place) - place
    if len(folders) > length:
        sys.exit(f"{path}: {sys.argv[2]} is longer than the {length} bytes that there are")
    data[place:place + length] = folders.ljust(length, b"\0")
    path.write_bytes(data)


if __name__ == "__main__":
    main()
