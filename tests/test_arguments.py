"""The text of kernel arguments."""

import ml_dtypes
import numpy as np
import pytest

from emulator.arguments import TYPE_NAMES, dtype_of, parse_spec
from emulator.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("f32[4]", np.zeros(4, np.float32)),
        ("u32[2,3] = arange", np.arange(6, dtype=np.uint32).reshape(2, 3)),
        ("s32[4]=arange(3, -1)", np.array([3, 2, 1, 0], np.int32)),
        ("f32[3]=arange(0.5, 0.25)", np.array([0.5, 0.75, 1.0], np.float32)),
        ("bf16[2]=ones", np.ones(2, ml_dtypes.bfloat16)),
        ("e4m3[2]=1.5", np.full(2, 1.5, ml_dtypes.float8_e4m3fn)),
        ("e5m2[3]=[0, -0.0, inf]", np.array([0.0, -0.0, np.inf]).astype(ml_dtypes.float8_e5m2)),
        ("f64[3]=[1, 2.5e3, -inf]", np.array([1, 2500, -np.inf])),
        ("b32[2]=0xffffffff", np.full(2, 0xFFFFFFFF, np.uint32)),
        ("u64[1]=0xffffffffffffffff", np.full(1, 2**64 - 1, np.uint64)),
        ("s8[2]=[-128, 127]", np.array([-128, 127], np.int8)),
        ("u8[0]=[]", np.zeros(0, np.uint8)),
        ("s32=-7", np.int32(-7)),
        ("f16 = 0.1", np.float16(0.1)),
        ("f16 = 1e6", np.float16(np.inf)),
        ("f32=nan", np.float32(np.nan)),
    ],
)
def test_reads(text, value):
    got = parse_spec(text).value()
    assert got.dtype == value.dtype
    assert got.shape == value.shape
    assert got.tobytes() == value.tobytes()


@pytest.mark.parametrize("type_name", TYPE_NAMES)
def test_every_type_is_filled_in_every_way(type_name):
    for fill in ("zeros", "ones", "arange", "random", "random(0, 5)", "3", "[1, 2, 3]"):
        array = parse_spec(f"{type_name}[3]={fill}").value(seed=1, name="x")
        assert array.shape == (3,)
        assert array.dtype == dtype_of(type_name)


def test_random_depends_on_seed_and_name_only():
    spec = parse_spec("s16[100]=random")
    first = spec.value(seed=3, name="x")
    assert (first == spec.value(seed=3, name="x")).all()
    assert (first != spec.value(seed=4, name="x")).any()
    assert (first != spec.value(seed=3, name="y")).any()
    assert first.min() < -10000
    assert first.max() > 10000


def test_random_ranges_include_both_ends_for_integers_only():
    assert set(parse_spec("u8[200]=random(3, 5)").value()) == {3, 4, 5}
    floats = parse_spec("f32[1000]=random(-1, 2)").value()
    assert floats.min() >= -1
    assert floats.max() < 2
    assert (parse_spec("s64[9]=random(-9223372036854775808, 9223372036854775807)").value() != 0).any()


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("f31[4]", "no type 'f31' for arguments", "f31"),
        ("f32", "a scalar needs a value", "f32"),
        ("f32[4]=", "nothing stands after the =", "f32[4]="),
        ("f32[a]=1", "[a] is not a shape", "[a]"),
        ("f32[-1]", "[-1] is not a shape", "[-1]"),
        ("f32[]", "[] is not a shape", "[]"),
        ("s32=1.5", "1.5 is not a whole number", "1.5"),
        ("s32[2]=rnd", "'rnd' is neither a number nor a way to fill an array", "rnd"),
        ("u8=256", "256 does not fit u8: 0 to 255", "256"),
        ("u8[300]=arange", "299 does not fit u8: 0 to 255", "arange"),
        ("u32[2]=arange(0, -1)", "-1 does not fit u32: 0 to 4294967295", "arange(0, -1)"),
        ("s8[2]=random(0, 128)", "128 does not fit s8: -128 to 127", "random(0, 128)"),
        ("f32[2]=random(2, 1)", "2.0 is more than 1.0", "random(2, 1)"),
        ("f32[2]=random(2)", "random takes no brackets or two numbers in brackets", "random(2)"),
        ("f32[2]=random()", "random takes no brackets or two numbers in brackets", "random()"),
        ("f32[2]=ones(1, 2)", "ones takes no brackets", "ones(1, 2)"),
        ("f32[3]=[1, 2]", "2 numbers for 3 elements", "[1, 2]"),
        ("f32[2]=[1, 2", "the list has no closing ]", "[1, 2"),
        ("f32[2]=[1,,2]", "'' is neither a number nor a way to fill an array", ""),
        ("7", "this is not TYPE[SHAPE]=FILL, TYPE=NUMBER or @FILE", "7"),
        ("@nowhere.npy", "cannot read nowhere.npy: No such file or directory", "@nowhere.npy"),
    ],
)
def test_refuses(text, message, marked):
    with pytest.raises(UsageError) as caught:
        parse_spec(text, where="--arg x").value()
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.kind, diagnostic.message) == ("PTX-L0103", "usage", message)
    start, end = diagnostic.labels[0].span
    assert text[start:end] == (marked or text[0])
    assert "--arg x:1:" in str(caught.value)


def test_reads_files(tmp_path):
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    np.save(tmp_path / "a.npy", array)
    np.save(tmp_path / "b.npy", np.ones(3, ml_dtypes.bfloat16))
    assert (parse_spec("@a.npy").value(folder=tmp_path) == array).all()
    assert (parse_spec("s32[2,3]=@a.npy").value(folder=tmp_path) == array).all()
    assert parse_spec("bf16[3]=@b.npy").value(folder=tmp_path).dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u32[2,3]=@a.npy", "a.npy holds int32, not uint32"),
        ("s32[6]=@a.npy", "a.npy has the shape [2, 3]"),
        ("f32[4294967297]", "17,179,869,188 bytes, 17,179,869,184 at most"),
        ("u8[99999999999999999999]=arange", "99,999,999,999,999,999,999 bytes, 17,179,869,184 at most"),
        ("@text.npy", "text.npy is not a .npy file"),
        ("@empty.npy", "empty.npy is not a .npy file"),
        ("@many.npz", "many.npz holds several arrays"),
        ("@objects.npy", "objects.npy is not a .npy file"),
    ],
)
def test_refuses_files(tmp_path, text, message):
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.int32))
    np.savez(tmp_path / "many.npz", x=np.zeros(1), y=np.zeros(1))
    np.save(tmp_path / "objects.npy", np.array([None], object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("not an array")
    (tmp_path / "empty.npy").write_text("")
    with pytest.raises(UsageError) as caught:
        parse_spec(text).value(folder=tmp_path)
    assert caught.value.diagnostics[0].message.startswith(message)
