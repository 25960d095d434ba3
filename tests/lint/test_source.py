"""The shape of the source: layers, dead headers, banned functions, file and line sizes, words that must not be there."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted(p for p in (ROOT / "src").rglob("*.[ch]"))
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
# What is unsafe, locale dependent, or reads the environment's time zone.
BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atol", "atof", "localtime", "localtime_r", "gmtime", "ctime", "asctime",
          "mktime", "tmpnam", "system", "popen", "alloca", "setlocale"]


def layers():
    lines = [line.split() for line in (ROOT / "tests/lint/layers.txt").read_text().splitlines() if line and not line.startswith("#")]
    return {folder: level for level, folders in enumerate(lines) for folder in folders}


def test_includes_point_down():
    level = layers()
    wrong = []
    for path in SOURCES:
        folder = path.relative_to(ROOT / "src").parts[0]
        if folder == "main.c":
            continue
        for include in INCLUDE.findall(path.read_text()):
            other = include.split("/")[0] if "/" in include else folder
            if other not in level:
                wrong.append(f"{path.relative_to(ROOT)}: includes {include}, whose folder is in no layer")
            elif other != folder and level[other] <= level[folder]:
                wrong.append(f"{path.relative_to(ROOT)}: includes {include}, which is not below it")
    assert not wrong, "\n".join(wrong)


def test_every_folder_has_a_layer():
    level = layers()
    assert [p.name for p in (ROOT / "src").iterdir() if p.is_dir() and any(p.iterdir()) and p.name not in level] == []


def test_every_header_is_included_and_guarded():
    included = {i for p in [*SOURCES, *(ROOT / "tests").rglob("*.[ch]")] for i in INCLUDE.findall(p.read_text())}
    wrong = []
    for path in SOURCES:
        if path.suffix != ".h":
            continue
        name = str(path.relative_to(ROOT / "src"))
        if name not in included and path.name not in included:
            wrong.append(f"{name} is included nowhere")
        guard = "LUADUCT_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
        if f"#ifndef {guard}\n#define {guard}\n" not in path.read_text():
            wrong.append(f"{name} has no include guard {guard}")
    assert not wrong, "\n".join(wrong)


def test_every_file_opens_with_its_name():
    wrong = [str(p.relative_to(ROOT)) for p in SOURCES if not p.read_text().startswith((f"/* {p.name}: ", f"/* {p.name} */\n"))]
    assert not wrong, "no opening comment that names the file: " + ", ".join(wrong)


def test_every_public_header_says_who_owns_and_which_thread():
    wrong = []
    for path in SOURCES:
        opening = path.read_text().partition("*/")[0]
        if path.suffix == ".h" and "internal" not in path.name:
            wrong += [f"{path.relative_to(ROOT)}: no \"{word}\" in the opening comment" for word in ("Ownership:", "Threads:") if word not in opening]
    assert not wrong, "\n".join(wrong)


def test_lua_is_known_in_one_folder():
    wrong = [str(p.relative_to(ROOT)) for p in SOURCES if re.search(r"#\s*include\s+<(lua|lauxlib|lualib)\.h>", p.read_text()) and p.parent.name != "script"]
    assert not wrong, wrong


def test_no_banned_functions():
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    wrong = []
    for path in SOURCES:
        code = re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", lambda m: re.sub(r"[^\n]", " ", m.group()), path.read_text(), flags=re.S)
        for number, line in enumerate(code.splitlines(), 1):
            if found := pattern.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {found.group(1)} is banned")
    assert not wrong, "\n".join(wrong)


def test_offsets_move_in_one_file():
    wrong = [str(p.relative_to(ROOT)) for p in SOURCES if "ops->commit(" in p.read_text() and p.name != "epoch.c"]
    assert not wrong, wrong


def test_files_and_lines_have_bounds():
    wrong = []
    lua = [*(ROOT / "lua").glob("*.lua"), *(ROOT / "scripts").rglob("*.lua")]
    for path, columns in [*((p, 130) for p in [*SOURCES, *lua]), *((p, 160) for p in (ROOT / "tests").rglob("*.[ch]"))]:
        name = path.relative_to(ROOT)
        lines = path.read_text().splitlines()
        if path in SOURCES and len(lines) > 900:
            wrong.append(f"{name} has {len(lines)} lines: there are two modules inside")
        wrong += [f"{name}:{n} is longer than {columns} columns" for n, line in enumerate(lines, 1) if len(line) > columns]
        wrong += [f"{name}:{n} has a tab or trailing blank" for n, line in enumerate(lines, 1) if "\t" in line or line != line.rstrip()]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_for_later():
    # The last is a mark where a comment begins; elsewhere it is the offset in a pattern of times.
    words = re.compile(r"\b(%s)\b|(?://|/\*|--|#) *%s\b" % ("|".join(["TO" + "DO", "FIX" + "ME"]), "X" + "XX"))
    found = []
    for folder in ("src", "lua", "scripts", "tests", "config"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".c", ".h", ".lua", ".py", ".yaml", ".txt", ".cmake"):
                found += [f"{path.relative_to(ROOT)}:{n}" for n, line in enumerate(path.read_text(errors="replace").splitlines(), 1) if words.search(line)]
    assert not found, found
