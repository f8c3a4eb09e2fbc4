"""The conversions of printf against C's rules; numbers that glibc prints."""

import struct
from typing import Any

import pytest

from emulator.engines.printf import WIDEST, format_text

INF = float("inf")
TEXTS = {0x1000: "words", 0x2000: ""}


class Stack:
    """Arguments as a compiler lays them out."""

    def __init__(self, *arguments: Any) -> None:
        self.data = b""
        for code, value in arguments:
            size = struct.calcsize(code)
            self.data += bytes(-len(self.data) % size) + struct.pack("<" + code, value)

    def number(self, address: int, code: str) -> Any:
        assert address % struct.calcsize(code) == 0
        return struct.unpack_from("<" + code, self.data, address)[0]

    def string(self, address: int) -> str:
        return TEXTS[address]


def printed(text: str, *arguments: Any) -> str:
    return format_text(text, 0, Stack(*arguments))[0]


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("plain 100%% %5%", (), "plain 100% %"),
        ("%d %i", (("i", -5), ("i", 7)), "-5 7"),
        ("%5u|%-8x|%X|%o", (("I", 42), ("I", 255), ("I", 0xABC), ("I", 8)), "   42|ff      |ABC|10"),
        ("%u", (("i", -1),), "4294967295"),
        ("%lld %llu %ld %zx", (("q", -(2**40)), ("Q", 2**64 - 1), ("q", 5), ("Q", 2**63)),
         "-1099511627776 18446744073709551615 5 8000000000000000"),
        ("%hd %hu %hhd %hhx", (("i", 0x18000), ("i", -1), ("i", 0x1FF), ("i", 0x1FF)), "-32768 65535 -1 ff"),
        ("%+d % d %+u", (("i", 5), ("i", 5), ("I", 5)), "+5  5 5"),
        ("%05d|%-5d|%5d|%05d", (("i", -42),) * 4, "-0042|-42  |  -42|-0042"),
        ("%.3d|%8.3d|%08.3d|%-8.3d|%.0d|%.d", (("i", 7),) * 4 + (("i", 0),) * 2, "007|     007|     007|007     ||"),
        ("%#x %#X %#o %#x %#o", (("I", 255), ("I", 255), ("I", 8), ("I", 0), ("I", 0)), "0xff 0XFF 010 0 0"),
        ("%#08x|%#.4x", (("I", 255), ("I", 255)), "0x0000ff|0x00ff"),
        ("%*d|%*d|%-*d|", (("i", 6), ("i", 42), ("i", -6), ("i", 42), ("i", 4), ("i", 1)), "    42|42    |1   |"),
        ("%.*d|%.*f|%.*f", (("i", 3), ("i", 7), ("i", 2), ("d", 1.0), ("i", -1), ("d", 1.0)), "007|1.00|1.000000"),
        ("%f|%.0f|%8.2f|%-8.2f|%08.2f", (("d", 2.5),) * 5, "2.500000|2|    2.50|2.50    |00002.50"),
        ("%e|%.3e|%E|%.0e", (("d", 12345.678),) * 4, "1.234568e+04|1.235e+04|1.234568E+04|1e+04"),
        ("%g|%g|%g|%G|%.3g|%#g", (("d", 1e10), ("d", 0.0001), ("d", 1e-5), ("d", 1e-5), ("d", 2 / 3), ("d", 1.0)),
         "1e+10|0.0001|1e-05|1E-05|0.667|1.00000"),
        ("%+f|% f|%f", (("d", 1.5), ("d", 1.5), ("d", -0.0)), "+1.500000| 1.500000|-0.000000"),
        ("%f|%5.1f|%05f|%F|%+e|%f", (("d", INF), ("d", -INF), ("d", INF), ("d", INF), ("d", INF), ("d", float("nan"))),
         "inf| -inf|  inf|INF|+inf|nan"),
        ("%a|%a|%A|%a|%a", (("d", 1.5), ("d", 0.0), ("d", 255.0), ("d", -0.1), ("d", 5e-324)),
         "0x1.8p+0|0x0p+0|0X1.FEP+7|-0x1.999999999999ap-4|0x0.0000000000001p-1022"),
        ("%.1a|%.0a|%.2a|%.15a|%12a|%-12a|%012a", (("d", 1.97), ("d", 1.5), ("d", 1.0), ("d", 1.5)) + (("d", 1.5),) * 3,
         "0x2.0p+0|0x2p+0|0x1.00p+0|0x1.800000000000000p+0|    0x1.8p+0|0x1.8p+0    |0x00001.8p+0"),
        ("%s|%8s|%-8s|%.2s|%s|%8.3s", (("Q", 0x1000),) * 4 + (("Q", 0x2000), ("Q", 0x1000)),
         "words|   words|words   |wo||     wor"),
        ("%s|%p|%p|%18p", (("Q", 0), ("Q", 0), ("Q", 0x700000001000), ("Q", 16)),
         "(null)|(nil)|0x700000001000|              0x10"),
        ("%c%c%3c|%-3c|", (("i", 65), ("i", 0x142), ("i", 67), ("i", 68)), "AB  C|D  |"),
        ("%d%n%d", (("i", 1), ("Q", 0x1000), ("i", 2)), "12"),
        ("%d %lld %d %f", (("i", 1), ("q", 2), ("i", 3), ("d", 4.0)), "1 2 3 4.000000"),
        ("50%; %d, %k", (("i", 3),), "50%; 3, %k"),
    ],
)  # fmt: skip
def test_prints(text: str, arguments: tuple[Any, ...], expected: str) -> None:
    assert printed(text, *arguments) == expected


def test_the_number_of_arguments() -> None:
    stack = Stack(("i", 3), ("i", 1), ("d", 2.0))
    assert format_text("%*d %f %%", 0, stack)[1] == 3
    assert format_text("none", 0, stack) == ("none", 0)


def test_absurd_widths_are_cut() -> None:
    assert len(printed("%*d", ("i", 2**31 - 1), ("i", 1))) == WIDEST
    assert len(printed("%.*f", ("i", 2**31 - 1), ("d", 1.0))) == WIDEST + 2
    assert len(printed("%99999999999d", ("i", 1))) == WIDEST
