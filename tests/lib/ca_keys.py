"""The private keys of a workspace's authority, for those who look where they are: both are P-256, 32 bytes each."""
import base64
import ctypes
import subprocess

from processes import parts, spellings

SCALAR, PUBLIC, DER, PRIVATE_AT = 32, 65, 138, 36  # crypt/key.h
NID_P256, UNCOMPRESSED = 415, 4


def root_key(keys, workspace):
    """(private key, certificate) of the root in this key folder, which only keeper opens otherwise (crypt/seal.h: AES-256-GCM, here without
    a look at the tag)."""
    sealed = (keys / "ca" / workspace).read_bytes()
    assert sealed.startswith(b"sawseal\1")
    secret = ["-K", (keys / "seal.key").read_bytes().hex(), "-iv", sealed[16:28].hex() + "00000002"]
    opened = subprocess.run(["openssl", "enc", "-d", "-aes-256-ctr", *secret], input=sealed[44:], stdout=subprocess.PIPE, check=True).stdout
    key, certificate = opened[:DER], opened[DER:]
    assert key[-PUBLIC:] in certificate, "key and certificate do not belong together"
    return key[PRIVATE_AT:PRIVATE_AT + SCALAR], certificate


def issued_key(pid, certificates):
    """The private key of one of these certificates (DER), found in this process's memory as libcrypto keeps it, or None."""
    lib, whole = ctypes.CDLL("libcrypto.so.3"), b"".join(certificates)
    for name in ("EC_GROUP_new_by_curve_name", "EC_POINT_new", "BN_new", "BN_lebin2bn"):
        getattr(lib, name).restype = ctypes.c_void_p
    group = ctypes.c_void_p(lib.EC_GROUP_new_by_curve_name(NID_P256))
    point, number = ctypes.c_void_p(lib.EC_POINT_new(group)), ctypes.c_void_p(lib.BN_new())
    public, room = ctypes.create_string_buffer(PUBLIC), ctypes.c_size_t(PUBLIC)
    tail = b""
    for goes_on, part in parts(pid, written=True):
        data = tail + part if goes_on else part
        tail = data[-(SCALAR - 8):]
        for at in range(0, len(data) - SCALAR + 1, 8):
            scalar = data[at:at + SCALAR]
            if len(set(scalar)) < SCALAR // 2:
                continue  # too regular for a random number
            lib.BN_lebin2bn(scalar, SCALAR, number)
            lib.EC_POINT_mul(group, point, number, None, None, None)
            if lib.EC_POINT_point2oct(group, point, UNCOMPRESSED, public, room, None) == PUBLIC and public.raw in whole:
                return scalar[::-1]
    return None


def key_spellings(name, scalar):
    """As processes.spellings(), and as libcrypto keeps a number, and as a line of PEM cuts it."""
    return {**spellings(name, scalar), f"{name}, in libcrypto": scalar[::-1], f"{name}, PEM": base64.b64encode(scalar[12:30])}
