"""Job files that several tests use."""

ORDERS = """\
name: {name}
source:
  kafka: k
  topic: {topic}
  start: {{at: committed, otherwise: earliest}}
stages:
  - name: parse
    kind: json
    columns:
      - {{name: id, path: $.id, type: bigint, required: true}}
      - {{name: user, path: $.user, type: string, required: true}}
      - {{name: phone, path: $.phone, type: string, required: true}}
      - {{name: email, path: $.email, type: string, required: true}}
      - {{name: ts, path: $.ts, type: bigint, required: true}}
      - {{name: amount, path: $.amount, type: "decimal(10,2)", required: true}}
      - {{name: city, path: $.city, type: string, required: true}}
      - {{name: flag, path: $.flag, type: boolean, required: true}}
{stages}
target:
  maxcompute: m
  table: {name}
  create: if_missing
  quota_share: unlimited
  columns:
    - {{name: id, type: bigint}}
    - {{name: user, type: string}}
    - {{name: phone, type: string}}
    - {{name: email, type: string}}
    - {{name: amount, type: "decimal(10,2)"}}
    - {{name: city, type: string}}
{columns}
  partition:
    - {{name: year, kind: time, from: ts, unit: year, zone: Asia/Shanghai}}
    - {{name: month, kind: time, from: ts, unit: month, zone: Asia/Shanghai}}
    - {{name: day, kind: time, from: ts, unit: day, zone: Asia/Shanghai}}
dirty: {{directory: dirty}}
runtime:
  workers: {workers}
  flush_interval: {flush}
{more}
"""

COLUMNS_STAGES = """\
  - name: level
    kind: lua
    file: {examples}/level_by_amount.lua
    options: {{minimum: 100, silver: 400, gold: 800}}"""

FIVE_STAGES = """\
  - name: hide
    kind: mask
    rules:
      - {field: phone, rule: cover, before: 3, after: 4}
      - {field: email, rule: hash, algo: sha256}
  - name: tidy
    kind: replace
    rules:
      - {field: city, find: 区, with: District}
  - name: good
    kind: filter
    condition: amount > 100 and flag
  - name: shape
    kind: assign
    set:
      - {field: source, value: bench}
      - {field: event_time, expression: cast(ts as timestamp)}"""


def columns(name, topic, workers=1, flush="500ms", more=""):
    from .agent import ROOT
    return ORDERS.format(name=name, topic=topic, workers=workers, flush=flush, more=more,
                         stages=COLUMNS_STAGES.format(examples=ROOT / "scripts" / "examples"),
                         columns="    - {name: level, type: string}\n    - {name: ts, type: bigint}")


def five(name, topic, workers=1, flush="500ms", more=""):
    return ORDERS.format(name=name, topic=topic, workers=workers, flush=flush, more=more, stages=FIVE_STAGES,
                         columns="    - {name: source, type: string}\n    - {name: event_time, type: timestamp}")


# One row a record: number, and the partition of the table by a field.
NUMBERS = """\
name: {name}
source: {{kafka: k, topic: {topic}, start: {{at: committed, otherwise: earliest}}}}
stages:
  - name: parse
    kind: json
    columns:
      - {{name: n, path: $.n, type: bigint, required: true}}
      - {{name: part, path: $.part, type: string, default: "all"}}
target:
  maxcompute: m
  table: {name}
  create: if_missing
  quota_share: unlimited
  columns:
    - {{name: n, type: bigint}}
  partition:
    - {{name: part, kind: field, from: part}}
runtime: {{workers: {workers}, flush_interval: {flush}}}
{more}
"""


def numbers(name, topic, workers=1, flush="500ms", more=""):
    return NUMBERS.format(name=name, topic=topic, workers=workers, flush=flush, more=more)
