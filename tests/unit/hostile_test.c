/* hostile_test.c: every script of tests/hostile through the real chain, between two stages that mean well, with small limits. A script's
 * first lines say how it ends:
 *   -- open: TEXT         the chain does not open, with that text in its error ("a|b": one of them)
 *   -- check: TEXT        so ends the probe with a batch of no rows, which is what `luaduct check` runs; without it the probe passes
 *   -- run: fine          all rows go on
 *   -- run: dirty TEXT    all rows are dirty, with that text in their reasons; "dirty (3) TEXT": that many; with when_error: stop the job
 *                         stops, and says stage, record and text
 *   -- run: set aside TEXT  dirty by the script's own word, which no rule changes
 *   -- run: stop TEXT     the job stops, whatever when_error says
 *   -- partition: TEXT    it is no stage but a script of target.partition; all rows are dirty
 *   -- log: TEXT          in the log, when all is over
 *   -- others: starved    the worker's memory is the script's; the stages beside it fail for want of it, without losing a row
 *   -- others: without fields
 * Each runs twice over a batch, so what a script leaves behind is seen; the two stages beside it check the libraries each time, and that
 * their columns are right. Afterwards another chain works in the same process. */
#include "support/script_support.h"

#include <glob.h>
#include <signal.h>

#include "stages/chain.h"

enum { RECORDS = 16, MEMORY_MAX = 8 << 20, INSTRUCTIONS_MAX = 1000000, ARENA_MAX = 4 << 20, SECONDS_MAX = 100 };

static const char good_text[] =
    "local stage, good, mapped = {}\n"
    "function stage.open(ctx) good, mapped = ctx.stage .. '_good', ctx.stage .. '_mapped' end\n"
    "function stage.process(batch)\n"
    "  assert(poisoned == nil and escaped == nil, 'a global of another stage')\n"
    "  assert(('a'):upper() == 'A' and ('x'):rep(2) == 'xx' and ('%d'):format(7) == '7' and #('abc'):gsub('b', 'c') == 3)\n"
    "  assert(string.sub('abc', 2, 2) == 'b' and table.concat({1, 2}, ',') == '1,2' and math.max(1, 2) == 2 and utf8.char(20013) == '中')\n"
    "  assert(select('#', pcall(error, 'x')) == 2 and type(next) == 'function' and tostring(nil) == 'nil' and _G._G == _G)\n"
    "  assert(luaduct.decimal('0.1') + luaduct.decimal('0.2') == luaduct.decimal('0.3') and os.time() > 0)\n"
    "  assert(coroutine.wrap(function() coroutine.yield(3) end)() == 3 and load('return 1 + 1')() == 2)\n"
    "  local ok, cjson = pcall(require, 'cjson')\n"
    "  assert(not ok or cjson.encode({0.123456789}) == '[0.123456789]')\n"
    "  batch:set(good, batch.__offset__ * 2)\n"
    "  batch:map({'__offset__'}, {mapped .. ' bigint'}, function(offset) return offset + 1 end)\n"
    "  for row in batch:rows() do row[good] = row[good] + 1 end\n"
    "end\n"
    "return stage\n";

struct script {
    char path[300];
    const char *name; /* in path */
    char *text;
};

static char good_path[] = "/tmp/good_XXXXXX.lua", log_path[] = "/tmp/hostile_log_XXXXXX";
static const char *running = "";

static char *file_text(const char *path)
{
    char *text = xmalloc(1 << 20);
    FILE *file = fopen(path, "rb");
    size_t size;

    assert_non_null(file);
    size = fread(text, 1, (1 << 20) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* What stands behind "-- WORD: " in the script's first lines; the caller frees. NULL: nothing. */
static char *ending(const struct script *script, const char *word)
{
    char *start = xasprintf("\n-- %s:", word), *found = strstr(script->text, start);
    char *end = found ? strchr(found + 1, '\n') : NULL;
    char *text = found ? xstrndup(found + strlen(start) + 1, (size_t)(end - found) - strlen(start) - 1) : NULL;

    free(start);
    return text;
}

/* alternatives: "a|b". */
static bool says(const char *text, const char *alternatives)
{
    struct str rest = str_of(alternatives), one;

    while (rest.data) {
        str_cut(rest, '|', &one, &rest);
        if (memmem(text, strlen(text), one.data, one.size))
            return true;
    }
    return false;
}

#define CHECK(condition, ...)                        \
    do {                                             \
        if (!(condition)) {                          \
            print_error("%s: ", script->name);       \
            print_error(__VA_ARGS__);                \
            print_error("\n");                       \
            return false;                            \
        }                                            \
    } while (0)

static void too_long(int number)
{
    (void)number;
    print_error("%s has not ended within %d s\n", running, SECONDS_MAX);
    _exit(1);
}

static void fill(struct batch *batch)
{
    batch_clear(batch);
    for (int i = 0; i < RECORDS; i++) {
        struct message message = {.value = STR("{\"a\":1}"), .key = STR("k"), .offset = 100 + i};

        batch_add_message(batch, &message, NULL);
    }
    batch->partition = 7;
    assert_true(batch_begin(batch, (1u << BUILTIN_COUNT) - 1));
}

static void job_init(struct job *job, struct job_stage *stages, size_t count)
{
    memset(job, 0, sizeof(*job));
    job->stages = stages;
    job->stage_count = count;
    job->runtime.lua_memory_max = MEMORY_MAX;
    job->runtime.lua_instructions_max = INSTRUCTIONS_MAX;
    job->source.fields = (1u << BUILTIN_COUNT) - 1;
}

static struct job_stage stage_of(const char *name, const char *path, enum when_error when_error)
{
    return (struct job_stage){.name = (char *)name, .kind = (char *)"lua", .file = (char *)path, .when_error = when_error};
}

/* The columns that a stage made, for all rows, whatever became of them afterwards. */
static bool good_is_right(const struct script *script, struct batch *batch, bool before)
{
    struct field *good = batch_field(batch, before ? STR("before_good") : STR("behind_good"));
    struct field *mapped = batch_field(batch, before ? STR("before_mapped") : STR("behind_mapped"));

    CHECK(good && mapped, "the stage %s has no columns; %.*s", before ? "before" : "behind", batch->dirty ? (int)batch->dirty->reason.size : 0,
          batch->dirty ? batch->dirty->reason.data : "");
    for (uint32_t row = 0; row < batch->row_count; row++)
        CHECK(good->column->bigint[row] == (100 + row) * 2 + 1 && mapped->column->bigint[row] == 101 + row, "row %u is wrong: %lld, %lld", row,
              (long long)good->column->bigint[row], (long long)mapped->column->bigint[row]);
    return true;
}

static bool dirty_are_right(const struct script *script, const struct batch *batch, const char *end, bool starved)
{
    unsigned wanted = RECORDS;
    char *rest = NULL;

    if (*end == '(') {
        wanted = (unsigned)strtoul(end + 1, &rest, 10);
        end = rest + 2;
    }
    CHECK(batch->dirty_count == wanted, "%u rows are dirty instead of %u: %.*s", batch->dirty_count, wanted,
          batch->dirty ? (int)batch->dirty->reason.size : 0, batch->dirty ? batch->dirty->reason.data : "");
    for (const struct dirty_row *dirty = batch->dirty; dirty; dirty = dirty->next) {
        char *reason = str_dup(dirty->reason);
        bool right = says(reason, end) && (starved || strcmp(dirty->stage, "hostile") == 0);

        if (!right)
            print_error("%s: stage %s: the reason is: %s\n", script->name, dirty->stage, reason);
        free(reason);
        if (!right)
            return false;
    }
    return true;
}

static bool run_batch(const struct script *script, struct chain *chain, struct batch *batch, enum when_error when_error, const char *end)
{
    char *others = ending(script, "others");
    bool starved = others && strcmp(others, "starved") == 0, fields = !(others && strstr(others, "fields"));
    struct error error = {0};
    bool ok;

    free(others);
    fill(batch);
    ok = chain_process(chain, batch, &error);
    if (strncmp(end, "stop ", 5) == 0 || (when_error == WHEN_ERROR_STOP && strncmp(end, "dirty ", 6) == 0)) {
        end += strcspn(end, " ") + 1;
        end += *end == '(' ? strcspn(end, " ") + 1 : 0;
        CHECK(!ok, "does not stop");
        CHECK(says(error.text, end), "stops with: %s", error.text);
        CHECK(starved || strncmp(error.text, "stage hostile: ", 15) == 0, "the stage is not named: %s", error.text);
        return true;
    }
    CHECK(ok, "stops: %s", error.text);
    CHECK(batch->selected + batch->filtered_count + batch->dirty_count == RECORDS + batch->expanded_count, "rows are lost");
    if (strncmp(end, "dirty ", 6) == 0)
        return dirty_are_right(script, batch, end + 6, starved) && (starved || good_is_right(script, batch, true));
    if (strncmp(end, "set aside ", 10) == 0)
        return dirty_are_right(script, batch, end + 10, false) && good_is_right(script, batch, true);
    CHECK(strcmp(end, "fine") == 0, "has an end that is unknown: %s", end);
    if (!fields)
        return true;
    CHECK(batch->selected == RECORDS, "%u rows go on: %.*s", batch->selected, batch->dirty ? (int)batch->dirty->reason.size : 0,
          batch->dirty ? batch->dirty->reason.data : "");
    return good_is_right(script, batch, true) && good_is_right(script, batch, false);
}

static bool run_stage(const struct script *script, struct log *log, enum when_error when_error)
{
    struct job_stage stages[] = {stage_of("before", good_path, WHEN_ERROR_DIRTY), stage_of("hostile", script->path, when_error),
                                 stage_of("behind", good_path, WHEN_ERROR_DIRTY)};
    char *open = ending(script, "open"), *check = ending(script, "check"), *run = ending(script, "run"), *others = ending(script, "others");
    struct batch *batch = batch_new(ARENA_MAX);
    struct chain *chain = NULL;
    struct error error = {0};
    bool right = true, ok;
    struct job job;

    job_init(&job, stages, others && strstr(others, "fields") ? 2 : 3);
    ok = chain_open(&chain, &job, NULL, log, &error);
    if (ok != !open || (open && (!says(error.text, open) || !strstr(error.text, "stage hostile: ")))) {
        print_error("%s: opening: %s\n", script->name, ok ? "it opened" : error.text);
        right = false;
    }
    if (ok && right) {
        ok = chain_probe(chain, &job, batch, NULL, &error);
        if (ok != !check || (check && !says(error.text, check))) {
            print_error("%s: check: %s\n", script->name, ok ? "finds nothing" : error.text);
            right = false;
        }
        if (!run) {
            print_error("%s: it does not say how it ends\n", script->name);
            right = false;
        }
        for (int round = 0; run && round < 2; round++)
            right = run_batch(script, chain, batch, when_error, run) && right;
    }
    batch_free(batch);
    chain_free(chain);
    free(others);
    free(run);
    free(check);
    free(open);
    return right;
}

static bool run_partition(const struct script *script, struct log *log, const char *end)
{
    struct script_limits limits = {MEMORY_MAX, INSTRUCTIONS_MAX};
    struct script_source source = {.stage = "hostile", .path = script->path};
    struct script_state *state = script_state_new(&limits, log);
    struct batch *batch = batch_new(ARENA_MAX);
    struct script_module *module;
    struct column *columns[2];
    struct error error = {0};
    size_t count = 0;
    bool right = script_module_open(state, &source, &module, &error);

    for (int round = 0; right && round < 2; round++) {
        fill(batch);
        batch->stage = "hostile";
        right = script_partition(module, batch, columns, 2, &count, &error) && dirty_are_right(script, batch, end, false);
    }
    if (error.text[0])
        print_error("%s: %s\n", script->name, error.text);
    batch_free(batch);
    script_state_free(state);
    return right;
}

static bool good_alone(const struct script *script, struct log *log)
{
    struct job_stage stage = stage_of("before", good_path, WHEN_ERROR_DIRTY);
    struct batch *batch = batch_new(ARENA_MAX);
    struct chain *chain;
    struct error error;
    struct job job;
    bool right;

    job_init(&job, &stage, 1);
    assert_true(chain_open(&chain, &job, NULL, log, &error));
    fill(batch);
    right = chain_process(chain, batch, &error) && batch->selected == RECORDS && good_is_right(script, batch, true);
    batch_free(batch);
    chain_free(chain);
    return right;
}

static bool log_is_right(const struct script *script)
{
    char *end = ending(script, "log"), *text = file_text(log_path);
    bool right = !end || says(text, end);

    if (!right)
        print_error("%s: the log says: %s\n", script->name, text);
    free(text);
    free(end);
    return right;
}

static bool try_script(const struct script *script, struct log *log)
{
    char *partition = ending(script, "partition");
    struct error error;
    bool right;

    alarm(SECONDS_MAX);
    running = script->name;
    assert_int_equal(truncate(log_path, 0), 0);
    assert_true(log_start(LOG_INFO, log_path, &error));
    if (partition)
        right = run_partition(script, log, partition);
    else
        right = run_stage(script, log, WHEN_ERROR_DIRTY) && run_stage(script, log, WHEN_ERROR_STOP);
    log_stop(); /* only then is all of it in the file */
    right = log_is_right(script) && right;
    if (!good_alone(script, log)) {
        print_error("%s: another chain does not work afterwards\n", script->name);
        right = false;
    }
    alarm(0);
    free(partition);
    return right;
}

static void every_script_ends_as_it_says(void **state)
{
    const char *only = getenv("HOSTILE"); /* a script's name, to try it alone */
    unsigned failures = 0, tried = 0;
    struct log *log;
    glob_t files;
    FILE *file;
    int fd;

    (void)state;
    signal(SIGALRM, too_long);
    fd = mkstemps(good_path, 4);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    fputs(good_text, file);
    fclose(file);
    fd = mkstemp(log_path);
    assert_true(fd >= 0);
    close(fd);
    log = log_new(NULL, "test");
    assert_int_equal(glob(TEST_SOURCE_DIR "/tests/hostile/*.lua", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        struct script script;

        snprintf(script.path, sizeof(script.path), "%s", files.gl_pathv[i]);
        script.name = strrchr(script.path, '/') + 1;
        if (only && strcmp(only, script.name) != 0)
            continue;
        script.text = file_text(script.path);
        failures += !try_script(&script, log);
        tried++;
        free(script.text);
    }
    globfree(&files);
    log_free(log);
    unlink(log_path);
    unlink(good_path);
    assert_true(only || tried > 150);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_script_ends_as_it_says)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
