"""Read the QR code of a page as a telephone would (ISO/IEC 18004), from the drawing to the text.

What is drawn by a program is without fault, so nothing is corrected; the codes of addresses are
of version 2 to 10, in bytes.
"""

import re
from collections.abc import Iterator

Grid = list[list[bool]]

_STEP = re.compile(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?")
# By version: all codewords, the centres of the small squares, and for each level of correction how
# many codewords of a block correct, in how many blocks.
_VERSIONS: dict[int, tuple[int, tuple[int, ...], dict[str, tuple[int, int]]]] = {
    2: (44, (6, 18), {"L": (10, 1), "M": (16, 1), "Q": (22, 1), "H": (28, 1)}),
    3: (70, (6, 22), {"L": (15, 1), "M": (26, 1), "Q": (18, 2), "H": (22, 2)}),
    4: (100, (6, 26), {"L": (20, 1), "M": (18, 2), "Q": (26, 2), "H": (16, 4)}),
    5: (134, (6, 30), {"L": (26, 1), "M": (24, 2), "Q": (18, 4), "H": (22, 4)}),
    6: (172, (6, 34), {"L": (18, 2), "M": (16, 4), "Q": (24, 4), "H": (28, 4)}),
    7: (196, (6, 22, 38), {"L": (20, 2), "M": (18, 4), "Q": (18, 6), "H": (26, 5)}),
    8: (242, (6, 24, 42), {"L": (24, 2), "M": (22, 4), "Q": (22, 6), "H": (26, 6)}),
    9: (292, (6, 26, 46), {"L": (30, 2), "M": (22, 5), "Q": (20, 8), "H": (24, 8)}),
    10: (346, (6, 28, 50), {"L": (18, 4), "M": (26, 5), "Q": (24, 8), "H": (28, 8)}),
}
_LEVELS = {0b01: "L", 0b00: "M", 0b11: "Q", 0b10: "H"}
_FORMAT_MASK = 0b10101
_BYTES, _LONG_COUNT_FROM, _WITH_VERSION_FROM = 0b0100, 10, 7


def read(svg: str) -> str:
    """Return the text of the code that an SVG draws."""
    grid = _drawn(svg)
    size, version = len(grid), (len(grid) - 17) // 4
    level, mask = _format(grid)
    bits = [grid[row][column] ^ _masked(mask, row, column) for row, column in _places(size)]
    total, _, levels = _VERSIONS[version]
    codewords = [_number(bits[8 * n : 8 * n + 8]) for n in range(total)]
    data = _in_order(codewords, *levels[level])
    stream = [bool(one >> (7 - n) & 1) for one in data for n in range(8)]
    assert _BYTES == _number(stream[:4])
    width = 8 if version < _LONG_COUNT_FROM else 16
    count, begin = _number(stream[4 : 4 + width]), 4 + width
    said = [_number(stream[begin + 8 * n : begin + 8 * n + 8]) for n in range(count)]
    return bytes(said).decode()


def _drawn(svg: str) -> Grid:
    """Follow the pen: each line of the path is a row of dark modules."""
    [path] = re.findall(r'<path[^>]* d="(M[^"]+)"', svg)[-1:]
    column, row, dark = 0.0, 0.0, set[tuple[int, int]]()
    for act, first, second in _STEP.findall(path):
        if act == "h":
            dark |= {(int(row), int(column) + n) for n in range(int(first))}
            column += int(first)
        elif act == "M":
            column, row = float(first), float(second)
        else:
            column, row = column + float(first), row + float(second)
    top, left = min(row for row, _ in dark), min(column for _, column in dark)
    size = max(row for row, _ in dark) - top + 1
    return [[(top + r, left + c) in dark for c in range(size)] for r in range(size)]


def _number(bits: list[bool]) -> int:
    return int("".join("01"[bit] for bit in bits), 2)


def _format(grid: Grid) -> tuple[str, int]:
    """Return level and mask from the five bits beside the first large square."""
    found = _number([grid[8][column] for column in range(5)]) ^ _FORMAT_MASK
    return _LEVELS[found >> 3], found & 0b111


def _masked(mask: int, r: int, c: int) -> bool:
    rules = (
        *((r + c) % 2, r % 2, c % 3, (r + c) % 3, (r // 2 + c // 3) % 2),
        *(r * c % 2 + r * c % 3, (r * c % 2 + r * c % 3) % 2, ((r + c) % 2 + r * c % 3) % 2),
    )
    return rules[mask] == 0


def _places(size: int) -> Iterator[tuple[int, int]]:
    """Yield the modules of the data in their order: pairs of columns, up and down in turns."""
    version = (size - 17) // 4
    upward = True
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        rows = range(size - 1, -1, -1) if upward else range(size)
        for row in rows:
            for column in (right, right - 1):
                if not _is_reserved(version, size, row, column):
                    yield row, column
        upward = not upward


def _is_reserved(version: int, size: int, row: int, column: int) -> bool:
    """Tell whether a module belongs to what helps to find, measure and name the code."""
    near, far = 9, size - 8
    corner = (row < near and (column < near or column >= far)) or (row >= far and column < near)
    named = version >= _WITH_VERSION_FROM and (
        (row < 6 and column >= size - 11) or (column < 6 and row >= size - 11)
    )
    centres = _VERSIONS[version][1]
    corners = {(6, 6), (6, centres[-1]), (centres[-1], 6)}
    square = any(
        abs(row - r) <= 2 and abs(column - c) <= 2
        for r in centres
        for c in centres
        if (r, c) not in corners
    )
    return corner or named or square or 6 in {row, column}


def _in_order(codewords: list[int], correcting: int, blocks: int) -> list[int]:
    """Undo the interleaving of the blocks; the last ones may be longer by one."""
    short, longer = divmod(len(codewords), blocks)
    lengths = [short - correcting + (n >= blocks - longer) for n in range(blocks)]
    source = iter(codewords)
    found: list[list[int]] = [[] for _ in lengths]
    for place in range(max(lengths)):
        for block, length in zip(found, lengths, strict=True):
            if place < length:
                block.append(next(source))
    return [one for block in found for one in block]
