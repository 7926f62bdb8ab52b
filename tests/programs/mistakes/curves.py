"""Signatures in plain Python: ECDSA on two curves, EdDSA over Baby Jubjub with the Poseidon hash of
2019, RSA with PKCS#1 v1.5 padding. Slow, naive, and sharing nothing with the program under test."""

import base64
import hashlib


class Curve:
    """A short Weierstrass curve."""

    def __init__(self, name, p, a, n, gx, gy, oid):
        self.name, self.p, self.a, self.n, self.g, self.oid = name, p, a, n, (gx, gy), oid

    def add(self, one, two):
        if one is None:
            return two
        if two is None:
            return one
        p = self.p
        if one[0] == two[0]:
            if (one[1] + two[1]) % p == 0:
                return None
            slope = (3 * one[0] * one[0] + self.a) * pow(2 * one[1], -1, p)
        else:
            slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, p)
        x = (slope * slope - one[0] - two[0]) % p
        return x, (slope * (one[0] - x) - one[1]) % p

    def times(self, number, point=None):
        point, out = point or self.g, None
        while number:
            if number & 1:
                out = self.add(out, point)
            point, number = self.add(point, point), number >> 1
        return out

    def sign(self, d, digest):
        """r and s over bytes of a digest, the leftmost 256 bits of them."""
        e = int.from_bytes(digest[:32], "big")
        seed = d.to_bytes(32, "big") + digest + self.name.encode()
        k = int.from_bytes(hashlib.sha512(seed).digest(), "big") % (self.n - 1) + 1
        r = self.times(k)[0] % self.n
        return r, pow(k, -1, self.n) * (e + r * d) % self.n

    def point(self, d, compressed=False):
        x, y = self.times(d)
        if compressed:
            return bytes([2 + y % 2]) + x.to_bytes(32, "big")
        return b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def spki(self, d):
        head = {
            "p256": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
            "k256": "3056301006072a8648ce3d020106052b8104000a034200",
        }
        return bytes.fromhex(head[self.name]) + self.point(d)

    def pem(self, d):
        """PKCS#8, as short as it can be."""
        algorithm = {
            "p256": "301306072a8648ce3d020106082a8648ce3d030107",
            "k256": "301006072a8648ce3d020106052b8104000a",
        }[self.name]
        inner = bytes.fromhex("30250201010420") + d.to_bytes(32, "big")
        inside = bytes.fromhex("020100" + algorithm) + b"\4" + bytes([len(inner)]) + inner
        der = b"\x30" + bytes([len(inside)]) + inside
        text = base64.encodebytes(der).decode()
        return f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n"


P256 = Curve(
    "p256",
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    -3,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    "1.2.840.10045.3.1.7",
)
K256 = Curve(
    "k256",
    2**256 - 2**32 - 977,
    0,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    "1.3.132.0.10",
)


def der(signature):
    def integer(number):
        data = number.to_bytes(number.bit_length() // 8 + 1, "big")
        return b"\2" + bytes([len(data)]) + data

    inside = integer(signature[0]) + integer(signature[1])
    return b"\x30" + bytes([len(inside)]) + inside


def raw(signature):
    return b"".join(number.to_bytes(32, "big") for number in signature)


# Baby Jubjub as ethsnarks has it.
Q = 21888242871839275222246405745257275088548364400416034343698204186575808495617
L = 2736030358979909402780800718157159386076813972158567259200215660948447373041
ORDER = 8 * L
A, D = 168700, 168696
BASE = (
    16540640123574156134436876038791482806971768689494387082833631921987005038935,
    20819045374670962167435360035096875258406992893633759881276124905556507972311,
)
BASE8 = (
    5299619240641551281634865583518297030282874472190772894086521144482721001553,
    16950150798460657717958625567821834550301663161624707787222815936182638968203,
)


def jub_add(one, two):
    x1, y1 = one
    x2, y2 = two
    t = D * x1 * x2 * y1 * y2 % Q
    x = (x1 * y2 + y1 * x2) * pow(1 + t, -1, Q) % Q
    return x, (y1 * y2 - A * x1 * x2) * pow(1 - t, -1, Q) % Q


def jub_times(number, point):
    out = (0, 1)
    while number:
        if number & 1:
            out = jub_add(out, point)
        point, number = jub_add(point, point), number >> 1
    return out


def chain(label, count):
    digest, out = hashlib.blake2b(label.encode(), digest_size=32).digest(), []
    for _ in range(count):
        out.append(int.from_bytes(digest, "little") % Q)
        digest = hashlib.blake2b(digest, digest_size=32).digest()
    return out


def poseidon(inputs, width, partial=None):
    partial = partial or (52 if width <= 6 else 53)
    rounds = chain("poseidon_constants", 6 + partial)
    points = chain("poseidon_matrix_0000", 2 * width)
    matrix = [
        [pow(points[row] - points[width + column], -1, Q) for column in range(width)]
        for row in range(width)
    ]
    state = list(inputs) + [0] * (width - len(inputs))
    for index, constant in enumerate(rounds):
        state = [(lane + constant) % Q for lane in state]
        full = index < 3 or index >= len(rounds) - 3
        state = [pow(v, 5, Q) if full or at == 0 else v for at, v in enumerate(state)]
        state = [sum(m * v for m, v in zip(row, state)) % Q for row in matrix]
    return state[0]


def jub_sign(k, message, partial=52, base=BASE, public=None):
    """Rx, Ry and S over a number of the field."""
    public = public or jub_times(k, BASE)
    seed = k.to_bytes(32, "little") + (message % 2**256).to_bytes(32, "little")
    r = int.from_bytes(hashlib.sha512(seed).digest(), "little") % L
    point = jub_times(r, base)
    t = poseidon([*point, *public, message % Q], 6, partial)
    return point[0], point[1], (r + k * t) % ORDER % Q


# RSA with PKCS#1 v1.5 padding.
def integers(data):
    """Every INTEGER of DER, in order, through sequences and octet strings."""
    out, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        inside = data[at : at + length]
        if tag == 2:
            out.append(int.from_bytes(inside, "big"))
        elif tag == 0x30 or tag == 4:
            out += integers(inside)
        at += length
    return out


def rsa(pem):
    """n and d of a private key in PKCS#8 and PEM."""
    body = "".join(line for line in pem.split("\n") if "-----" not in line)
    numbers = integers(base64.b64decode(body))
    return numbers[2], numbers[4]


INFO = {
    "sha256": "3031300d060960864801650304020105000420",
    "sha512": "3051300d060960864801650304020305000440",
    "sha384": "3041300d060960864801650304020205000430",
}


def rsa_sign(key, text, name="sha256"):
    n, d = key
    length = (n.bit_length() + 7) // 8
    info = bytes.fromhex(INFO[name]) + hashlib.new(name, text).digest()
    padded = b"\0\1" + b"\xff" * (length - len(info) - 3) + b"\0" + info
    return pow(int.from_bytes(padded, "big"), d, n).to_bytes(length, "big")
