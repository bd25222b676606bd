#!/usr/bin/env python3
"""Computes feed.json: a small feed, as docs/feed-format.md describes it.

A second opinion on src/ledger: nothing here but the standard library, and no code in common.
Usage: python3 make_feed.py > feed.json
The bytes are frozen. If the output ever differs from the file, the program is wrong.
"""

import base64
import hashlib
import hmac
import json

# ---- protobuf, by hand: field numbers are those of proto/sluss/v1/feed_record.proto ----


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    """A number; zero is left out."""
    return varint(field << 3) + varint(n) if n else b""


def present(field, n):
    """An `optional` number; zero is written."""
    return varint(field << 3) + varint(n)


def signed(field, n):
    """A sint32."""
    return number(field, n << 1 if n >= 0 else (-n << 1) - 1)


def blob(field, value):
    """Text or a message; empty text is left out, an empty message is not."""
    if value == "":
        return b""
    raw = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def packed(field, numbers):
    return blob(field, b"".join(map(varint, numbers))) if numbers else b""


# ---- RFC 6962 ----


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(index, kind, record, salt):
    inner = hmac.new(salt, record, hashlib.sha256).digest()
    head = b"\x00" + b"sluss-leaf/v1\x00"
    return sha256(head + index.to_bytes(8, "big") + bytes([kind]) + inner)


def root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:]))


# ---- Ed25519, from the equations of RFC 8032 section 5.1; slow, and only for test keys ----

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def recover_x(y, sign):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x % 2 != sign else x


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    x3 = (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P)
    y3 = (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P)
    return x3 % P, y3 % P


def times(n, point):
    total = (0, 1)
    while n:
        if n & 1:
            total = add(total, point)
        point, n = add(point, point), n >> 1
    return total


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y)


def encode(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def scalar_and_prefix(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & ((1 << 254) - 8) | 1 << 254
    return a, h[32:]


def public_key(seed):
    return encode(times(scalar_and_prefix(seed)[0], BASE))


def sign(seed, message):
    a, prefix = scalar_and_prefix(seed)
    hash_int = lambda data: int.from_bytes(hashlib.sha512(data).digest(), "little") % L
    r = hash_int(prefix + message)
    big_r = encode(times(r, BASE))
    k = hash_int(big_r + public_key(seed) + message)
    return big_r + ((r + k * a) % L).to_bytes(32, "little")


# ---- pseudonyms ----


def pseudonym(key, feed, letter, ident):
    fields = [b"sluss-pseudonym/v1", feed.encode(), letter.encode(), ident]
    data = b"".join(len(f).to_bytes(8, "big") + f for f in fields)
    raw = hmac.new(key, data, hashlib.sha256).digest()[:10]
    return letter + "-" + base64.b32encode(raw).decode().lower()


# ---- the feed ----

NAME = "dc1.example"
ORIGIN = "dc1.example/feed/acme/e1"
SEED = bytes(range(32))
PSEUDONYM_KEY = bytes([0x42] * 32)
CARD_KEY = bytes(range(16))

person = pseudonym(PSEUDONYM_KEY, "acme", "p", b"p-umbra-7")
card = pseudonym(PSEUDONYM_KEY, "acme", "c", CARD_KEY)

summer = blob(1, "2026-10-25") + number(2, 2) + signed(3, 120)
winter = blob(1, "2026-10-25") + number(2, 2) + signed(3, 60)
to_minute = blob(1, "2026-11-23") + number(2, 8) + signed(3, 60) + present(4, 0)
to_second = to_minute + present(5, 0)
west = blob(1, "2027-01-01") + signed(3, -210)
place = blob(3, "accessPoints/hall-in") + blob(4, "doors/hall")

leaves = [
    # Genesis: format 1, precision hour.
    ("genesis", 1, number(1, 1) + blob(2, ORIGIN) + blob(3, "Europe/Stockholm") + number(4, 1)),
    # A grant by the badge with PIN, on line 4711 of Acme's own list.
    ("grant", 2, blob(1, summer) + blob(2, blob(1, "B-1042")) + place + number(5, 1)
        + number(6, 1) + packed(8, [1, 2])
        + blob(9, "customers/acme/accessList/entries/4711") + blob(10, "persons/boss")
        + number(11, 1) + number(13, 1)),
    # A denial for three reasons of somebody on no list of Acme's, in the hour's second run.
    ("denial", 2, blob(1, winter) + blob(2, blob(2, person)) + place + number(5, 1)
        + number(6, 2) + packed(7, [2, 8, 13]) + packed(8, [1]) + number(11, 1) + number(13, 2)),
    # An unknown card, on the way out, decided by the controller and handed in later.
    ("unknown card", 2, blob(1, to_minute)
        + blob(2, blob(3, blob(1, "H10301") + number(2, 26) + blob(3, card)))
        + blob(3, "accessPoints/hall-out") + blob(4, "doors/hall") + number(5, 2)
        + number(6, 2) + packed(7, [1]) + number(11, 2) + number(12, 1) + number(13, 300)),
    # A grant on another customer's list: grounds are left out.
    ("foreign grant", 2, blob(1, to_second) + blob(2, blob(2, person)) + place + number(5, 1)
        + number(6, 1) + packed(8, [1]) + number(11, 1) + number(13, 3)),
    # The door was forced, west of Greenwich and at midnight.
    ("door event", 3, blob(1, west) + blob(2, "accessPoints/hall-in") + blob(3, "doors/hall")
        + number(4, 4) + number(5, 4)),
    # Kinds without a record of their own yet: any bytes, and none.
    ("other", 8, bytes(range(256))),
    ("empty", 11, b""),
]

hashes, listed = [], []
for index, (about, kind, record) in enumerate(leaves):
    salt = sha256(b"salt" + bytes([index]))
    hashes.append(leaf_hash(index, kind, record, salt))
    listed.append({
        "about": about, "index": index, "kind": kind, "record": record.hex(),
        "salt": salt.hex(), "leaf_hash": hashes[-1].hex(),
    })
far = leaf_hash(2**40 + 1, 2, b"far", bytes(32))

public = public_key(SEED)
key_id = sha256(NAME.encode() + b"\n\x01" + public)[:4]
b64 = lambda data: base64.b64encode(data).decode()
text = "%s\n%d\n%s\n" % (ORIGIN, len(hashes), b64(root(hashes)))
note = "%s\n\u2014 %s %s\n" % (text, NAME, b64(key_id + sign(SEED, text.encode())))

print(json.dumps({
    "leaves": listed,
    "far_leaf": {"index": 2**40 + 1, "kind": 2, "record": b"far".hex(), "salt": bytes(32).hex(),
                 "leaf_hash": far.hex()},
    "roots": [root(hashes[:n]).hex() for n in range(len(hashes) + 1)],
    "pseudonyms": {"key": PSEUDONYM_KEY.hex(), "feed": "acme", "person": "p-umbra-7",
                   "person_text": person, "card": CARD_KEY.hex(), "card_text": card},
    "checkpoint": {
        "name": NAME, "seed": SEED.hex(), "origin": ORIGIN, "size": len(hashes),
        "verifying_key": "%s+%s+%s" % (NAME, key_id.hex(), b64(b"\x01" + public)),
        "text": text, "note": note,
    },
}, indent=1, ensure_ascii=False))
