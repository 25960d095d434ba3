/* lua_stage.c: any Lua as a stage over a batch of five rows.
 * Input: statements, a line each; those that do not compile are left out, and each runs in a pcall, except after a line "!". The
 * mutator adds statements of the stage's API, for bytes alone seldom make one. Whatever a script does, it ends within its budget;
 * every record is written, filtered or dirty, never two of them; and all cells can be read and are of their column's type. */
#include "fuzz.h"

#include "script/script.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <sys/mman.h>
#include <unistd.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

enum { MEMORY_MAX = 4 << 20, INSTRUCTIONS_MAX = 300000, ARENA_BYTES_MAX = 16 << 20, LINES_MAX = 40 };

/* --- the mutator --- */

static const char *const statements[] = {
    "a = batch.id",
    "a = batch.amount",
    "b = batch.flag",
    "a = batch.city",
    "a = batch.ratio",
    "b = a",
    "c = a",
    "a = b",
    "a = c",
    "d = batch",
    "a = a + b",
    "a = a - 1",
    "a = a * luaduct.decimal('0.1')",
    "a = a / c",
    "a = a // 2",
    "a = a % 3",
    "a = -a",
    "a = a .. 'x'",
    "a = a .. c",
    "b = a:eq(2)",
    "b = a:ne(c)",
    "b = a:lt('b')",
    "b = a:le(1.5)",
    "b = a:gt(luaduct.decimal('100'))",
    "b = a:ge(c)",
    "b = a:is_null()",
    "b = a:is_not_null()",
    "b = a:is_in{1, 2, 'Wuhan'}",
    "b = b & batch.flag",
    "b = b | ~batch.flag",
    "a = a:coalesce(c)",
    "a = a:coalesce('?')",
    "a = a:cast('string')",
    "a = a:cast('decimal(38,18)')",
    "a = a:cast('bigint')",
    "a = a:cast('double')",
    "a = a:cast('binary')",
    "a = a:cast('timestamp')",
    "a = a:cast('date')",
    "a = a:cast('json')",
    "a = a:cast('boolean')",
    "a = luaduct.choose(b, a, c)",
    "a = luaduct.choose(b, 'gold', luaduct.null)",
    "a = luaduct.decimal('12345678901234567890.5')",
    "a = luaduct.null",
    "a = math.maxinteger",
    "a = math.mininteger",
    "a = 0/0",
    "a = 1e308",
    "a = string.rep('x', 5000)",
    "a = ('\\xE4\\xB8\\x8A\\xFF\\0'):rep(9)",
    "c = 'x'",
    "c = 7",
    "c = nil",
    "batch:set('x', a)",
    "batch:set('id', a)",
    "batch:set('city', c)",
    "batch:set('y', b)",
    "batch:add('z', 'string')",
    "batch:add('t', 'timestamp')",
    "batch:add('u', 'decimal(5,2)')",
    "batch:add('j', 'json')",
    "batch:remove('x')",
    "batch:remove('id')",
    "batch:remove('__value__')",
    "batch:keep(b)",
    "batch:drop(b)",
    "batch:dirty(b, 'reason')",
    "batch:dirty(b, a)",
    "a = batch.x",
    "a = batch:column('__key__')",
    "a = batch.__offset__",
    "a = batch:fields()",
    "a = batch:count()",
    "a = batch:has('x')",
    "a = a:type()",
    "a = #a",
    "a = tostring(a)",
    "a = a[1]",
    "a[1] = 2",
    "for row in batch:rows() do row.id = row.id + 1 end",
    "for row in batch:rows() do if row.id == 2 then error('two') end row.city = 'x' end",
    "for row in batch:rows() do row:dirty('no') end",
    "for row in batch:rows() do row:drop() end",
    "for row in batch:rows() do r = row end",
    "for row in batch:rows() do row.amount = '1.5' end",
    "for row in batch:rows() do row.x = a end",
    "for row in batch:rows() do a = row.city end",
    "for row in batch:rows() do row:set('id', row:get('id')) end",
    "for row in batch:rows() do batch:keep(batch.flag) end",
    "r.id = 1",
    "r:dirty('x')",
    "a = r.city",
    "for row in batch:rows() do for other in batch:rows() do other.id = row.id end end",
    "for row in batch:rows() do break end",
    "batch:map({'amount'}, {'m string'}, function(v) return v and v > 400 and 'high' or nil end)",
    "batch:map({'id'}, {'x', 'y'}, function(i) return i * 2, 's' end)",
    "batch:map({'id', 'city'}, {'id'}, function(i, c) if i == 3 then error(c) end return i end)",
    "batch:map({'id'}, {'m json'}, function(i) return '{}' end)",
    "batch:map({'id'}, {'x'}, function(i) return luaduct.decimal(i == 3 and '1.125' or '2.5') end)",
    "batch:map({'id'}, {'x'}, function() batch:keep(b) end)",
    "batch:map({'__value__', '__headers__'}, {'x binary'}, function(v, h) return h end)",
    "batch:map({}, {}, function() end)",
    "a = luaduct.decimal('1.5'):round(0)",
    "a = luaduct.decimal('7'):tonumber()",
    "a = luaduct.json.decode(c)",
    "a = luaduct.json.encode(a)",
    "a = luaduct.json.decode('{\"x\":[1,2.5,null,{}],\"y\":12345678901234567890}')",
    "a.x = a",
    "a = luaduct.json.array(a)",
    "batch:map({'__value__'}, {'m string'}, function(v) return luaduct.json.encode(luaduct.json.decode(v or 'null', {numbers = 'float'})) end)",
    "a = luaduct.time.parse('2024-03-10 02:30:00', nil, 'America/New_York')",
    "a = luaduct.time.date('20240229', 'yyyyMMdd')",
    "a = luaduct.time.from_epoch_ms(a)",
    "a = a:add(-1, 'month', 'Asia/Shanghai')",
    "a = a:add(a:year('UTC'), c)",
    "a = a:trunc('week', '+08:00')",
    "a = a:since(luaduct.time.now(), 'year', 'UTC')",
    "a = a:format(\"yyyy-MM-dd'T'HH:mm:ss.SSSXXX EEE DDD hh a\", 'Europe/London')",
    "a = luaduct.time.parse(c, 'yy/M/d H:m:s.S Z')",
    "c = luaduct.text.normalize(c, 'NFKC')",
    "c = luaduct.text.sub(c, -3, a)",
    "c = luaduct.text.trim(luaduct.text.pad_left(luaduct.text.upper(c), 9, '上'), ' 上')",
    "c = luaduct.text.reverse(luaduct.text.lower(c)) a = luaduct.text.find(c, 'x', 2)",
    "c = luaduct.hash('sm3', c, a)",
    "a = batch.city:upper() b = a:contains(c)",
    "a = batch.city:sub(-2, -1):reverse():trim('a')",
    "a = batch.city:pad_right(a, c)",
    "b = batch.city:like('%a_') | batch.city:matches('^(a|b)*$')",
    "a = batch.city:replace(c, batch.city):split_part('a', batch.id)",
    "a = batch.city:hash('md5', c):length() + batch.city:find(c)",
    "a = luaduct.lookup{file = 'x.csv', key = 'a', value = 'b'}",
    "a = luaduct.counter('c'):add(a)",
    "a = coroutine.wrap(function() coroutine.yield(batch.id) end)()",
    "a = setmetatable({}, {__gc = function() batch:keep(b) end})",
    "a = setmetatable({}, {__index = batch, __close = error})",
    "local q <close> = a",
    "a = coroutine.create(function() for row in batch:rows() do coroutine.yield(row) end end)",
    "a, r = coroutine.resume(a)",
    "a = getmetatable(batch)",
    "a = string.find(a, '(a*)*b')",
    "a = ('x'):rep(1e9)",
    "while true do end",
    "while true do pcall(error) end",
    "local t = {} for i = 1, 1e9 do t[i] = {} end",
    "a = string.format('%99.99f%q%s', 1.5, c, a)",
    "a = string.pack('>I3s1z', 1, 'a', 'b')",
    "a = table.concat({a, c}, ',')",
    "table.sort({3, 1, 2}, function() return true end)",
    "a = require('cjson').encode({a = 1})",
    "a = require('cjson').decode('[1,{}]')",
    "a = os.time()",
    "a = os.date('%Y', 0)",
    "print(a, b)",
    "luaduct.log(a)",
    "error(a)",
    "error()",
    "a = utf8.char(0x7FFFFFFF)",
    "a = load",
    "a = select('#', table.unpack({}, 1, 1e6))",
    "a = function() return a() end",
    "a()",
    "a = pcall(a, a)",
    "batch:add('t', 'timestamp') for row in batch:rows() do row.t = '2024-01-31 00:00:00Z' end",
    "for row in batch:rows() do a = row.t end",
    "a = a:epoch_ms()",
    "b = a < c",
    "b = a == c",
    "b = a <= 2",
    "a = luaduct.decimal('1') == luaduct.decimal('1.0')",
    "c = luaduct.decimal('-0.000001')",
    "a = -luaduct.decimal('5') % 3",
    "xpcall(function() error(a) end, function(m) return m end)",
    "xpcall(function() return a() end, function(m) error(m) end)",
    "a = collectgarbage('count')",
    "batch.x = 1",
    "a.x.y = 1",
    "a = batch:nothing()",
    "a = batch.nothing",
    "for k, v in pairs(batch) do a = v end",
    "a = tonumber(c)",
    "a = 2 ~ 3.0",
    "a = a:cast('datetime')",
    "a = a:cast('timestamp_ntz')",
    "a = a:cast('decimal(3,3)')",
    "a = (a .. a):rep(3)",
    "a = batch.id:eq(batch)",
    "batch.eq(a, b)",
    "a = batch.city.eq(batch.city, 1)",
    "a = row",
    "batch = a",
    "batch:set('__value__', a)",
    "batch:set(a, c)",
    "batch:map({'t'}, {'t'}, function(v) return v end)",
    "batch:map({'amount'}, {'amount'}, function(v) return v and v / 3 end)",
    "for row in batch:rows() do row.amount = row.amount / 3 end",
    "error(batch)",
    "error({})",
    "error(nil)",
    "!",
};

static unsigned random_next(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return *seed >> 16;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    struct str rest = str_make((const char *)data, size), lines[LINES_MAX];
    struct buffer text;
    size_t count = 0, at;
    unsigned choice = random_next(&seed) % 8;

    if (choice == 0)
        return LLVMFuzzerMutate(data, size, size_max);
    while (count < LINES_MAX - 1 && rest.data)
        str_cut(rest, '\n', &lines[count++], &rest);
    at = random_next(&seed) % (count + 1);
    if (choice < 5 || count < 2) {
        memmove(lines + at + 1, lines + at, (count - at) * sizeof(*lines));
        lines[at] = str_of(statements[random_next(&seed) % COUNT_OF(statements)]);
        count++;
    } else if (choice < 7) {
        at %= count;
        memmove(lines + at, lines + at + 1, (count - at - 1) * sizeof(*lines));
        count--;
    } else {
        struct str line = lines[at %= count];
        size_t other = random_next(&seed) % count;

        lines[at] = lines[other];
        lines[other] = line;
    }
    buffer_init(&text, 0);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_char(&text, '\n');
        buffer_append_str(&text, lines[i]);
    }
    size = size_min(text.size, size_max);
    if (size)
        memcpy(data, text.data, size);
    buffer_release(&text);
    return size;
}

/* --- the stage --- */

/* Whether it compiles by itself: one line must not end the function around it. */
static bool compiles(lua_State *L, struct str line)
{
    bool ok = luaL_loadbufferx(L, line.data, line.size, "line", "t") == LUA_OK;

    lua_settop(L, 0);
    return ok;
}

static void write_stage(int file, struct str lines)
{
    lua_State *L = luaL_newstate();
    struct buffer text;
    struct str line;
    bool bare = false;

    buffer_init(&text, 0);
    buffer_append_str(&text, STR("local stage, a, b, c, d, r = {}\nfunction stage.process(batch)\n"));
    for (int i = 0; i < LINES_MAX && lines.data; i++) {
        str_cut(lines, '\n', &line, &lines);
        if (str_is(line, "!"))
            bare = true;
        if (!line.size || !compiles(L, line))
            continue;
        buffer_print(&text, bare ? "do " : "pcall(function() ");
        buffer_append_str(&text, line);
        buffer_append_str(&text, bare ? STR("\nend\n") : STR("\nend)\n"));
    }
    buffer_append_str(&text, STR("end\nfunction stage.partition(batch) return a, {a, c} end\nreturn stage\n"));
    if (ftruncate(file, 0) != 0 || pwrite(file, text.data, text.size, 0) != (ssize_t)text.size)
        abort();
    buffer_release(&text);
    lua_close(L);
}

static struct column *add_column(struct batch *batch, const char *name, struct type type)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, true);

    if (!column || !batch_set(batch, str_of(name), column))
        abort();
    return column;
}

static void fill_batch(struct batch *batch, enum when_error when_error)
{
    static const char *const cities[] = {"Shanghai", "Beijing", "", NULL, "Wuhan"};
    static const int cents[] = {5000, 15000, 45000, 85000, 0};
    struct column *id, *amount, *flag, *city, *ratio;

    batch_clear(batch);
    for (int i = 0; i < 5; i++)
        batch_add_message(
            batch, &(struct message){.value = STR("{\"a\":1}"), .key = i == 2 ? STR_NONE : STR("acme:1"), .offset = 100 + i},
            NULL);
    if (!batch_begin(batch, (1u << BUILTIN_COUNT) - 1))
        abort();
    batch->partition = 3;
    batch->stage = "s";
    batch->when_error = when_error;
    id = add_column(batch, "id", TYPE_OF(TYPE_BIGINT));
    amount = add_column(batch, "amount", type_decimal(10, 2));
    flag = add_column(batch, "flag", TYPE_OF(TYPE_BOOLEAN));
    city = add_column(batch, "city", TYPE_OF(TYPE_STRING));
    ratio = add_column(batch, "ratio", TYPE_OF(TYPE_DOUBLE));
    for (int i = 0; i < 5; i++) {
        id->bigint[i] = i + 1;
        amount->decimal[i] = cents[i];
        amount->null[i] = i == 4;
        flag->boolean[i] = i != 1;
        city->text[i] = str_of(cities[i]);
        city->null[i] = !cities[i];
        ratio->real[i] = i + 0.5;
    }
}

static void check_cell(const struct column *column, uint32_t row)
{
    static volatile unsigned char sink UNUSED; /* each byte is read */

    switch (column->type.kind) {
    case TYPE_BOOLEAN:
        FUZZ_CLAIM(column->boolean[row] <= 1, "a boolean is %u", column->boolean[row]);
        break;
    case TYPE_DECIMAL: {
        int128 value = column->decimal[row], limit = 1;

        FUZZ_CLAIM(column->type.precision >= 1 && column->type.precision <= 38 && column->type.scale <= column->type.precision,
                   "type");
        for (int i = 0; i < column->type.precision; i++)
            limit *= 10;
        FUZZ_CLAIM(value > -limit && value < limit, "a decimal has too many digits");
        break;
    }
    case TYPE_STRING:
    case TYPE_BINARY:
    case TYPE_JSON:
        FUZZ_CLAIM(column->text[row].data || !column->text[row].size, "a text without bytes");
        for (size_t i = 0; i < column->text[row].size; i++)
            sink ^= (unsigned char)column->text[row].data[i];
        break;
    case TYPE_DATETIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        FUZZ_CLAIM(column->instant[row].nanos >= 0 && column->instant[row].nanos < 1000000000, "nanoseconds");
        break;
    default:
        break;
    }
}

static void check_batch(struct batch *batch)
{
    for (uint32_t i = 0; i < batch->selected; i++)
        FUZZ_CLAIM(batch->selection[i] < batch->row_count && (!i || batch->selection[i] > batch->selection[i - 1]),
                   "the selection is not ascending");
    FUZZ_CLAIM(batch->selected + batch->filtered_count + batch->dirty_count == batch->message_count + batch->expanded_count,
               "%u written, %u filtered, %u dirty of %u", batch->selected, batch->filtered_count, batch->dirty_count,
               batch->message_count);
    for (uint32_t k = 0; k < batch->field_count; k++) {
        struct column *column = batch_column(batch, &batch->fields[k]);

        FUZZ_CLAIM(batch->fields[k].name.size, "a field without a name");
        if (!column)
            continue;
        FUZZ_CLAIM(column->rows >= batch->row_count || !batch->selected, "a column of %u rows", column->rows);
        for (uint32_t i = 0; i < batch->selected; i++)
            if (!column_is_null(column, batch->selection[i]))
                check_cell(column, batch->selection[i]);
    }
    for (const struct dirty_row *row = batch->dirty; row; row = row->next)
        FUZZ_CLAIM(row->message < batch->message_count && row->reason.data && str_is_utf8(row->column),
                   "a dirty row without a reason");
}

/* The batch is not over yet, and what the script left in a may be a column of it. */
static void partition(struct script_module *module, struct batch *batch)
{
    struct column *columns[4];
    struct error error = {0};
    size_t count;

    if (batch->stopped)
        return;
    if (!script_partition(module, batch, columns, COUNT_OF(columns), &count, &error)) {
        FUZZ_CLAIM(error.text[0], "no reason");
        return;
    }
    for (size_t k = 0; k < count; k++)
        for (uint32_t i = 0; i < batch->selected; i++)
            if (!column_is_null(columns[k], batch->selection[i]))
                check_cell(columns[k], batch->selection[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct batch *batch;
    static struct log *log;
    static int file = -1;
    static char path[64];
    struct script_limits limits = {MEMORY_MAX, INSTRUCTIONS_MAX};
    struct script_source source = {.stage = "s", .path = path};
    struct script_state *state;
    struct script_module *module;
    struct error error = {0};

    if (file < 0) {
        file = memfd_create("stage", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
        if (file < 0 || !log_start(LOG_ERROR, "/dev/null", &error))
            abort();
        log = log_new(NULL, "fuzz");
        batch = batch_new(ARENA_BYTES_MAX);
    }
    write_stage(file, str_make((const char *)data, size));
    state = script_state_new(&limits, log);
    if (script_module_open(state, &source, &module, &error)) {
        /* Twice: what the first batch left in the script's variables is over. */
        for (int i = 0; i < 2; i++) {
            fill_batch(batch, size % 5 == 0 ? WHEN_ERROR_STOP : size % 5 == 1 ? WHEN_ERROR_DROP : WHEN_ERROR_DIRTY);
            if (script_process(module, batch, &error))
                check_batch(batch);
            else
                FUZZ_CLAIM(error.text[0], "no reason");
        }
        partition(module, batch);
    } else {
        FUZZ_CLAIM(error.text[0], "no reason");
    }
    FUZZ_CLAIM(script_state_memory(state) <= MEMORY_MAX, "%zu bytes", script_state_memory(state));
    script_state_free(state);
    batch_clear(batch);
    return 0;
}
