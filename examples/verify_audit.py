#!/usr/bin/env python3
"""Verifies an exported audit record of rescind with nothing but Python's standard library.
usage: verify_audit.py EXPORT.jsonl [--public-key KEY]      exit 0: whole, 3: broken, 2: usage
Without --public-key the record is only shown to be consistent with the key that it names itself.
"""  # The format: core/src/audit/export.rs. The hashed bytes: core/src/audit/entry.rs.
import base64, functools, hashlib, json, re, struct, sys

# Ed25519: RFC 8032, sections 5.1 and 6. A point is (x, y, z, t) with x / z, y / z and t = x * y / z.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()

def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    return (b - a) * (d - c) % P, (d + c) * (b + a) % P, (d - c) * (d + c) % P, (b - a) * (b + a) % P

def mul(s, p, q=(0, 1, 1, 0)):
    while s:
        q, p, s = add(q, p) if s & 1 else q, add(p, p), s >> 1
    return q

def point(raw):
    y, sign = int.from_bytes(raw, "little") & (2**255 - 1), raw[31] >> 7
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if x * x % P == x2 else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != x2 or (x == 0 and sign):
        raise ValueError("not a point")
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P

def signed(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    p = mul(s, point((4 * pow(5, -1, P) % P).to_bytes(32, "little")))
    q = add(point(r), mul(h, point(key)))
    return s < L and (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0

def b64(text):
    if base64.b64encode(raw := base64.b64decode(text, validate=True)).decode() != text:
        raise ValueError("not the one way to write these bytes")
    return raw

def key_of(header):
    name, key_id, typed = header["public_key"].split("+", 2)
    raw, strange = b64(typed), not name or re.search(r"\s", name)
    if header["rescind_audit"] != 1 or strange or len(raw) != 33 or raw[0] != 1 or \
            sha(name.encode(), b"\n", raw)[:4].hex() != key_id:
        raise ValueError("not a key")
    return name, raw[1:], bytes.fromhex(key_id)

HEADER, CHECKPOINT = {"rescind_audit": int, "public_key": str, "redacted": bool}, {"size": int, "note": str}
LONGEST, OPTIONAL = 2**24, "order jobs provider outcome detail commitments openings".split()
ENTRY = {"seq": int, "at": str, "action": str, "order": str, "jobs": [int], "provider": str, "outcome": str,
         "detail": str, "commitments": [(str, str)], "previous": str, "hash": str,
         "openings": [{"field": str, "salt": str, "value": str}]}

def fits(value, kind):
    if isinstance(kind, dict):
        wanted = [name for name in kind if name not in OPTIONAL or name in value]
        return list(value) == wanted and all(fits(value[name], kind[name]) for name in wanted)
    if isinstance(kind, (list, tuple)):
        kinds = kind if isinstance(kind, tuple) else kind * len(value)
        return type(value) is list and len(value) == len(kinds) > 0 and all(map(fits, value, kinds))
    return type(value) is kind and (kind is not int or 0 <= value < 2**64)

def read(line, kind):  # the content of a line, if it is the one compact form of that kind of content
    try:
        value = json.loads(line.decode())
        compact = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return value if compact == line and len(line) <= LONGEST and fits(value, kind) else None
    except (ValueError, TypeError, RecursionError):
        return None

def root_of(checkpoint, key):  # the root that a checkpoint states, if it is signed
    (name, public, key_id), note = key, checkpoint["note"]
    try:
        signed_text, signature = re.fullmatch(f"(.*?)\n\n\u2014 {re.escape(name)} (.*)\n", note, re.S).groups()
        origin, size, root = signed_text.split("\n")
        raw, root = b64(signature), b64(root)
        said = (origin, size, raw[:4], len(raw), len(root)) == (name, str(checkpoint["size"]), key_id, 68, 32)
        return root if said and signed(public, (signed_text + "\n").encode(), raw[4:]) else None
    except (ValueError, AttributeError):
        return None

def text(value): return struct.pack(">I", len(value)) + value if isinstance(value, bytes) else text(value.encode())
def body(e):
    maybe = lambda name: b"\1" + text(e[name]) if name in e else b"\0"
    jobs, committed = e.get("jobs", []), e.get("commitments", [])
    return b"".join([struct.pack(">Q", e["seq"]), text(e["at"]), text(e["action"]), maybe("order"),
                     struct.pack(f">I{len(jobs)}Q", len(jobs), *jobs), maybe("provider"), maybe("outcome"),
                     maybe("detail"), struct.pack(">I", len(committed)),
                     *(text(field) + bytes.fromhex(hash) for field, hash in committed)])

def verify(file, trusted, found):  # counts what is right, and answers the first fault, or None
    cut = iter(lambda: file.readline(LONGEST + 2), b"")
    lines = (line[:-1] if line.endswith(b"\n") else line for line in cut)
    header = read(next(lines, b""), HEADER)
    try:
        key = key_of(header)
    except (ValueError, TypeError):
        return "malformed", 1
    if trusted not in (None, header["public_key"]):
        return "key", 0
    number, line, roots = 2, next(lines, None), []
    while line is not None and (checkpoint := read(line, CHECKPOINT)):
        roots.append((checkpoint["size"], root_of(checkpoint, key)))
        number, line = number + 1, next(lines, None)
    if unsigned := [size for size, root in roots if root is None]:
        return "signature", unsigned[0]
    roots.sort(key=lambda one: one[0])
    previous, peaks, hexes = bytes(32), [], re.compile("([0-9a-f]{2})*")
    while True:  # once for each number of entries, beginning with none
        size, at = found["entries"], found["entries"] + 1
        while found["checkpoints"] < len(roots) and roots[found["checkpoints"]][0] == size:
            root = functools.reduce(lambda right, left: sha(b"\1", left, right), peaks[::-1]) if peaks else sha()
            if root != roots[found["checkpoints"]][1]:
                return "root", size
            found["checkpoints"], found["covered"] = found["checkpoints"] + 1, size
        if line is None:
            return ("tail", at) if found["checkpoints"] < len(roots) else None
        if (e := read(line, ENTRY)) is None:
            return "malformed", number
        if e["seq"] != at:
            return "missing" if e["seq"] > at else "misplaced", at
        if e["previous"] != previous.hex():
            return "link", at
        committed, opened = e.get("commitments", []), e.get("openings", [])
        legible = all(len(hash) == 64 and hexes.fullmatch(hash) for _, hash in committed)
        previous = sha(b"rescind audit entry v1\n", previous, body(e) if legible else b"")
        if not legible or e["hash"] != previous.hex():
            return "content", at
        closed = iter(committed)
        for o in opened:
            shut = next((hash for field, hash in closed if field == o["field"]), None)
            if not hexes.fullmatch(o["salt"]) or shut != sha(b"rescind audit field v1\n", text(
                    o["field"]), text(bytes.fromhex(o["salt"])), text(o["value"])).hex():
                return "opening", at
        found["erased"] += max(0, len(committed) - len(opened))
        peaks.append(sha(b"\0", previous))
        while size & 1:
            peaks[-2:], size = [sha(b"\1", *peaks[-2:])], size >> 1
        found["entries"], number, line = at, number + 1, next(lines, None)

if len(sys.argv) not in (2, 4) or (len(sys.argv) == 4 and sys.argv[2] != "--public-key"):
    sys.exit(print(__doc__, file=sys.stderr) or 2)
counts = dict.fromkeys(("entries", "checkpoints", "covered", "erased"), 0)
with open(sys.argv[1], "rb") as export:
    fault = verify(export, sys.argv[3] if len(sys.argv) == 4 else None, counts)
print(f"broken: {fault[0]} at {fault[1]}" if fault else "whole", *(f"{k}={v}" for k, v in counts.items()))
sys.exit(3 if fault else 0)
