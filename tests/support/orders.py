"""Order records, and what the jobs `columns` and `five` must make of them, in the plainest way: the reference that luaduct is held against.

The records are those of `src/local/orders.c`, byte for byte; a C test and this module check the same SHA-256.
"""
import hashlib
import json
import re
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from decimal import Decimal

MASK = 2**64 - 1
CITIES = ["上海市浦东新区", "北京市朝阳区", "广州市天河区", "深圳市南山区", "杭州市西湖区", "Zürich Altstadt", "São Paulo", "成都市武侯区"]
SOURCES = ["app_store", "google_play", "mini_program", "web_portal", "h5"]
TAGS = ["vip", "new", "returning", "promo-2024", "coupon", "ios", "android", "lottery"]
DOMAINS = ["example.com", "mail.example.org", "corp.example.cn", "shop.example"]
ZONE = timezone(timedelta(hours=8))
START_MS = 1_700_000_000_000


class Numbers:
    """splitmix64 (Steele, Lea, Flood 2014)."""

    def __init__(self, seed):
        self.state = seed & MASK

    def __call__(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return z ^ z >> 31


def records(count, seed=1, broken_permille=0, shuffle=False, hours=0):
    """Yields the JSON texts."""
    number, odd = Numbers(seed), Numbers(seed ^ 0x5EED)
    step = hours * 3_600_000 / count if hours else 0
    ts = START_MS
    for i in range(count):
        r, q = number(), number()
        ts = START_MS + int(i * step) if step else ts + (r >> 10) % 173
        city = CITIES[r % 8]
        if r >> 8 & 3 == 0:
            city = "".join(c if ord(c) < 128 else "\\u%04x" % ord(c) for c in city)
        members = [
            f'"id":{10_000_000 + i}',
            f'"user":"user_{r >> 32:08x}_{TAGS[r >> 5 & 7]}"',
            f'"phone":"1{30 + (r >> 12) % 60:02d}{(r >> 20) % 100_000_000:08d}"',
            f'"email":"{"zhang.san" if q & 1 else "firstname.lastname"}.{q >> 32:08x}@{DOMAINS[q >> 3 & 3]}"',
            f'"ts":{ts}',
            f'"amount":"{(q >> 6) % 1000}.{(q >> 20) % 100:02d}"',
            f'"city":"{city}"',
            f'"profile":{{"level":{(q >> 9) % 10},"source":"{SOURCES[(q >> 14) % 5]}"}}',
            '"tags":[' + ",".join(f'"{TAGS[q >> shift & 7]}"' for shift in (17, 21, 25, 29)) + "]",
            '"flag":' + ("true" if (q >> 40) % 10 < 8 else "false"),
        ]
        if broken_permille and odd() % 1000 < broken_permille:
            at, text = [(6, '"city":"cut'), (0, '"id":"not a number"'), (5, '"amount":{}'), (4, '"ts":99999999999999999999')][odd() % 4]
            members[at] = text
        if shuffle:
            for k in range(len(members) - 1, 0, -1):
                j = odd() % (k + 1)
                members[k], members[j] = members[j], members[k]
        yield "{" + ",".join(members) + "}"


def parse(text):
    """The record's values, or None for a dirty one."""
    try:
        v = json.loads(text)
        good = (isinstance(v, dict) and type(v["id"]) is int and type(v["ts"]) is int and type(v["flag"]) is bool
                and abs(v["id"]) < 2**63 and abs(v["ts"]) < 2**63
                and all(isinstance(v[k], str) for k in ("user", "phone", "email", "city", "amount"))
                and re.fullmatch(r"-?[0-9]{1,8}(\.[0-9]{1,2})?", v["amount"]))
        return {**v, "amount": Decimal(v["amount"])} if good else None
    except (ValueError, KeyError):
        return None


def digest_of(rows):
    """Sum of the first 8 bytes of each row's SHA-256: order does not matter, duplicates and losses do."""
    total = 0
    for row in rows:
        text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        total += int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return "%016x" % (total & MASK)


def columns_row(v):
    level = "gold" if v["amount"] > 800 else "silver" if v["amount"] > 400 else "bronze"
    return {"id": v["id"], "user": v["user"], "phone": v["phone"], "email": v["email"], "amount": str(v["amount"]), "city": v["city"],
            "level": level, "ts": v["ts"]}


def five_row(v):
    phone, email = v["phone"], hashlib.sha256(v["email"].encode()).hexdigest()
    if len(phone) > 7:
        phone = phone[:3] + "*" * (len(phone) - 7) + phone[-4:]
    return {"id": v["id"], "user": v["user"], "phone": phone, "email": email, "amount": str(v["amount"]),
            "city": v["city"].replace("区", "District"), "source": "bench", "event_time": v["ts"]}


def reference(texts, make_row):
    """What a job must make of the records: {read, written, filtered, dirty, digest, partitions: {spec: [rows, sum of id, sum of amount]}}."""
    counts = {"read": 0, "written": 0, "filtered": 0, "dirty": 0}
    partitions, rows = defaultdict(lambda: [0, 0, Decimal(0)]), []
    for text in texts:
        counts["read"] += 1
        v = parse(text)
        if v is None:
            counts["dirty"] += 1
        elif not (v["amount"] > 100 and v["flag"]):
            counts["filtered"] += 1
        else:
            t = datetime.fromtimestamp(v["ts"] // 1000, ZONE)
            spec = f"year={t.year:04d}/month={t.month:02d}/day={t.day:02d}"
            rows.append({**make_row(v), "_partition": spec})
            counts["written"] += 1
            p = partitions[spec]
            p[0], p[1], p[2] = p[0] + 1, p[1] + v["id"], p[2] + v["amount"]
    return {**counts, "digest": digest_of(rows), "partitions": dict(partitions)}


def columns(texts):
    return reference(texts, columns_row)


def five(texts):
    return reference(texts, five_row)
