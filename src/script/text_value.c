/* text_value.c: luaduct.text, for single texts by characters and not by bytes, and luaduct.hash.
 * Characters are code points, as in batch/kernels/text.h, whose rules these follow. Texts that are not UTF-8 are errors. */
#include "script/api.h"

#include "batch/kernels/hash.h"

#include <stdlib.h>
#include <utf8proc.h>

enum { BYTES_PER_INSTRUCTION = 16, HASHERS_MAX = 8, HASHER_INSTRUCTIONS = 1000, PADDED_MAX = 1 << 20 };

static void charge_throws(lua_State *L, size_t bytes)
{
    script_budget_charge(script_of(L), (int64_t)(bytes / BYTES_PER_INSTRUCTION));
    script_budget_check_throws(L);
}

/* Bytes of the text, whatever they are. */
static struct str check_bytes(lua_State *L, int index)
{
    struct str text = STR_NONE;

    if (lua_type(L, index) != LUA_TSTRING)
        luaL_typeerror(L, index, "string");
    text.data = lua_tolstring(L, index, &text.size);
    charge_throws(L, text.size);
    return text;
}

static struct str check_text(lua_State *L, int index)
{
    struct str text = check_bytes(L, index);

    if (!str_is_utf8(text))
        luaL_argerror(L, index, "the text is not UTF-8; luaduct.text.is_valid tells");
    return text;
}

/* The character at `at` of a text that is UTF-8; moves at behind it. */
static int32_t next_character(struct str text, size_t *at)
{
    utf8proc_int32_t character = 0;

    *at += (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text.data + *at, (utf8proc_ssize_t)(text.size - *at), &character);
    return character;
}

static size_t count_characters(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xC0) != 0x80;
    return count;
}

/* The byte at which character number `number` (from 1) begins; the size of the text when it has fewer. */
static size_t find_character(struct str text, size_t number)
{
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] & 0xC0) != 0x80 && --number == 0)
            return i;
    return text.size;
}

static int map_case(lua_State *L, utf8proc_int32_t (*map)(utf8proc_int32_t character))
{
    struct str text = check_text(L, 1);
    luaL_Buffer buffer;

    luaL_buffinit(L, &buffer);
    for (size_t at = 0; at < text.size;) {
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t size = utf8proc_encode_char(map(next_character(text, &at)), bytes);

        luaL_addlstring(&buffer, (const char *)bytes, (size_t)size);
    }
    luaL_pushresult(&buffer);
    return 1;
}

/* As whole columns do it: sharp s stays, for its capital is in no other use. */
static utf8proc_int32_t upper_character(utf8proc_int32_t character)
{
    return character == 0xDF ? character : utf8proc_toupper(character);
}

static int text_value_upper(lua_State *L)
{
    return map_case(L, upper_character);
}
static int text_value_lower(lua_State *L)
{
    return map_case(L, utf8proc_tolower);
}

static int text_value_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)count_characters(check_text(L, 1)));
    return 1;
}

/* luaduct.text.sub(text, from [, to]), as string.sub, in characters. */
static int text_value_sub(lua_State *L)
{
    struct str text = check_text(L, 1);
    lua_Integer count = (lua_Integer)count_characters(text), from = luaL_checkinteger(L, 2), to = luaL_optinteger(L, 3, -1);
    size_t begin, end;

    if (from < 0)
        from = from < -count ? 1 : count + from + 1;
    if (from == 0)
        from = 1;
    if (to < 0)
        to = to < -count ? 0 : count + to + 1;
    if (to > count)
        to = count;
    if (from > to) {
        lua_pushliteral(L, "");
        return 1;
    }
    begin = find_character(text, (size_t)from);
    end = begin + find_character(str_make(text.data + begin, text.size - begin), (size_t)(to - from) + 2);
    lua_pushlstring(L, text.data + begin, end - begin);
    return 1;
}

/* Unicode's White_Space. */
static bool is_blank(int32_t character)
{
    utf8proc_category_t category = utf8proc_category(character);

    return (character >= 9 && character <= 13) || character == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

static bool is_trimmed(int32_t character, struct str characters)
{
    if (!characters.data)
        return is_blank(character);
    for (size_t at = 0; at < characters.size;)
        if (next_character(characters, &at) == character)
            return true;
    return false;
}

static int text_value_trim(lua_State *L)
{
    struct str text = check_text(L, 1), characters = lua_isnoneornil(L, 2) ? STR_NONE : check_text(L, 2);
    size_t begin = 0, end, at = 0;

    if (characters.size > 256)
        return luaL_argerror(L, 2, "at most 256 bytes of characters are taken off");
    while (at < text.size && is_trimmed(next_character(text, &at), characters))
        begin = at;
    end = begin;
    for (at = begin; at < text.size;)
        if (!is_trimmed(next_character(text, &at), characters))
            end = at;
    lua_pushlstring(L, text.data + begin, end - begin);
    return 1;
}

static int pad(lua_State *L, bool left)
{
    struct str text = check_text(L, 1), fill = lua_isnoneornil(L, 3) ? STR(" ") : check_text(L, 3);
    lua_Integer count = (lua_Integer)count_characters(text), length = luaL_checkinteger(L, 2);
    luaL_Buffer buffer;

    luaL_argcheck(L, length <= PADDED_MAX, 2, "a text is made at most 1048576 characters long");
    luaL_argcheck(L, fill.size > 0, 3, "nothing fills nothing");
    charge_throws(L, length > count ? (size_t)(length - count) * 4 : 0);
    luaL_buffinit(L, &buffer);
    if (!left)
        luaL_addlstring(&buffer, text.data, text.size);
    for (size_t at = 0; count < length; count++) {
        size_t before = at;

        (void)next_character(fill, &at);
        luaL_addlstring(&buffer, fill.data + before, at - before);
        at %= fill.size;
    }
    if (left)
        luaL_addlstring(&buffer, text.data, text.size);
    luaL_pushresult(&buffer);
    return 1;
}

static int text_value_pad_left(lua_State *L)
{
    return pad(L, true);
}
static int text_value_pad_right(lua_State *L)
{
    return pad(L, false);
}

static int text_value_reverse(lua_State *L)
{
    struct str text = check_text(L, 1);
    char *reversed = lua_newuserdatauv(L, text.size + 1, 0);

    for (size_t at = 0; at < text.size;) {
        size_t before = at;

        (void)next_character(text, &at);
        memcpy(reversed + text.size - at, text.data + before, at - before);
    }
    lua_pushlstring(L, reversed, text.size);
    return 1;
}

static int text_value_width(lua_State *L)
{
    struct str text = check_text(L, 1);
    lua_Integer width = 0;

    for (size_t at = 0; at < text.size;)
        width += utf8proc_charwidth(next_character(text, &at));
    lua_pushinteger(L, width);
    return 1;
}

static int text_value_normalize(lua_State *L)
{
    static const char *const names[] = {"NFC", "NFD", "NFKC", "NFKD", NULL};
    static const int options[] = {UTF8PROC_STABLE | UTF8PROC_COMPOSE, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
                                  UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
                                  UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT};
    struct str text = check_text(L, 1);
    utf8proc_option_t form = (utf8proc_option_t)options[luaL_checkoption(L, 2, "NFC", names)];
    utf8proc_ssize_t count = utf8proc_decompose((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.size, NULL, 0, form);
    utf8proc_int32_t *characters;

    if (count < 0)
        return luaL_error(L, "luaduct.text.normalize: %s", utf8proc_errmsg(count));
    charge_throws(L, (size_t)count * 4);
    characters = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(*characters), 0);
    (void)utf8proc_decompose((const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.size, characters, count, form);
    count = utf8proc_reencode(characters, count, form);
    if (count < 0)
        return luaL_error(L, "luaduct.text.normalize: %s", utf8proc_errmsg(count));
    lua_pushlstring(L, (const char *)characters, (size_t)count);
    return 1;
}

static int text_value_is_valid(lua_State *L)
{
    lua_pushboolean(L, str_is_utf8(check_bytes(L, 1)));
    return 1;
}

/* luaduct.text.find(text, sought [, from]): first and last character, or nil. */
static int text_value_find(lua_State *L)
{
    struct str text = check_text(L, 1), sought = check_text(L, 2);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    size_t begin;
    const char *found;
    lua_Integer before;

    luaL_argcheck(L, from >= 1, 3, "characters are counted from 1");
    begin = find_character(text, (size_t)from);
    if ((size_t)from > count_characters(text) + 1)
        return 0;
    found = memmem(text.data + begin, text.size - begin, sought.data, sought.size);
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    before = (lua_Integer)count_characters(str_make(text.data, (size_t)(found - text.data)));
    lua_pushinteger(L, before + 1);
    lua_pushinteger(L, before + (lua_Integer)count_characters(sought));
    return 2;
}

/* --- hashes --- */

struct hash_cache {
    struct hash_slot {
        char *key; /* algorithm, a zero, salt */
        size_t size;
        struct hasher *hasher;
    } slots[HASHERS_MAX];
    unsigned next;
};

void text_value_free(struct script_state *state)
{
    for (size_t i = 0; state->hashes && i < HASHERS_MAX; i++) {
        free(state->hashes->slots[i].key);
        hasher_free(state->hashes->slots[i].hasher);
    }
    free(state->hashes);
}

struct hasher *text_value_hasher_throws(lua_State *L, int index, int salt_index)
{
    struct script_state *state = script_of(L);
    struct str algorithm, salt = STR_NONE, key;
    struct hasher *hasher;
    struct hash_slot *slot;
    struct error error;

    algorithm.data = luaL_checklstring(L, index, &algorithm.size);
    if (!lua_isnoneornil(L, salt_index))
        salt = check_bytes(L, salt_index);
    lua_pushlstring(L, algorithm.data, algorithm.size + 1);
    lua_pushlstring(L, salt.data ? salt.data : "", salt.size);
    lua_concat(L, 2);
    key.data = lua_tolstring(L, -1, &key.size);
    if (!state->hashes)
        state->hashes = xcalloc(1, sizeof(*state->hashes));
    for (size_t i = 0; i < HASHERS_MAX; i++) {
        if (state->hashes->slots[i].hasher &&
            str_equal(key, str_make(state->hashes->slots[i].key, state->hashes->slots[i].size))) {
            lua_pop(L, 1);
            return state->hashes->slots[i].hasher;
        }
    }
    script_budget_charge(state, HASHER_INSTRUCTIONS);
    script_budget_check_throws(L);
    if (!hasher_new(&hasher, algorithm, salt, &error)) {
        luaL_argerror(L, index, lua_pushstring(L, error.text));
        return NULL;
    }
    slot = &state->hashes->slots[state->hashes->next++ % HASHERS_MAX];
    free(slot->key);
    hasher_free(slot->hasher);
    *slot = (struct hash_slot){xmalloc(key.size), key.size, hasher};
    memcpy(slot->key, key.data, key.size);
    lua_pop(L, 1);
    return hasher;
}

/* luaduct.hash(algorithm, text [, salt]) */
static int text_value_hash(lua_State *L)
{
    struct hasher *hasher;
    struct str text;
    char hex[HASH_HEX_MAX];

    lua_settop(L, 3);
    luaL_checkstring(L, 1);
    text = check_bytes(L, 2);
    hasher = text_value_hasher_throws(L, 1, 3);
    hasher_hex(hasher, text, hex);
    lua_pushlstring(L, hex, hasher_size(hasher) * 2);
    return 1;
}

void text_value_push_throws(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"upper", text_value_upper},
        {"lower", text_value_lower},
        {"length", text_value_length},
        {"sub", text_value_sub},
        {"trim", text_value_trim},
        {"pad_left", text_value_pad_left},
        {"pad_right", text_value_pad_right},
        {"reverse", text_value_reverse},
        {"width", text_value_width},
        {"normalize", text_value_normalize},
        {"is_valid", text_value_is_valid},
        {"find", text_value_find},
        {NULL, NULL},
    };

    api_table_throws(L, "text", "luaduct.text", functions);
    lua_pushcfunction(L, text_value_hash);
    lua_setfield(L, -2, "hash");
}

static const struct manual_row rows[] = {
    {"luaduct.text.upper(text), luaduct.text.lower(text)", "In capitals, in small letters; one character for one.",
     "luaduct.text.upper('élan')", "ÉLAN"},
    {"luaduct.text.length(text)", "How many characters.", "luaduct.text.length('上海')", "2"},
    {"luaduct.text.sub(text, from [, to])", "From one character to another, both included; negative ones count from the end.",
     "luaduct.text.sub('上海市浦东新区', 1, 3)", "上海市"},
    {"luaduct.text.trim(text [, characters])", "Without the blanks of any script, or the characters, at both ends.",
     "luaduct.text.trim('　上海 ')", "上海"},
    {"luaduct.text.pad_left(text, length [, fill]), pad_right", "So many characters long, or as it is when it is longer.",
     "luaduct.text.pad_left('7', 3, '0')", "007"},
    {"luaduct.text.reverse(text)", "Its characters from the last to the first.", "luaduct.text.reverse('上海')", "海上"},
    {"luaduct.text.width(text)", "Columns that it takes in a terminal.", "luaduct.text.width('上海 x')", "6"},
    {"luaduct.text.normalize(text [, form])",
     "In the form NFC, NFD, NFKC or NFKD of Unicode; NFC when none is named. NFKC makes full-width letters and digits plain "
     "ones.",
     "luaduct.text.normalize('１２３ＡＢＣ', 'NFKC')", "123ABC"},
    {"luaduct.text.is_valid(text)", "Whether it is UTF-8. All other functions want that.", "luaduct.text.is_valid('\\xFF')",
     "false"},
    {"luaduct.text.find(text, sought [, from])",
     "The first and the last character of where it is found first, without patterns; nil when it is not.",
     "select(2, luaduct.text.find('上海市浦东', '浦东'))", "5"},
    {"luaduct.hash(algorithm, text [, salt])",
     "The digest in hex: md5, sha256, sha512 or sm3, of the salt's bytes and then the text's.", "luaduct.hash('md5', 'abc')",
     "900150983cd24fb0d6963f7d28e17f72"},
    {0},
};

const struct manual_section text_value_manual = {
    "Texts and hashes", "The functions of luaduct.text count characters (code points), where Lua's string functions count bytes.",
    rows};
