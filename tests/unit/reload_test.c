/* reload_test.c: new code while the hub runs: tried in the shadow, swapped in, taken back. Also run under the thread sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/job_socket.h"
#include "pipeline/work.h"
#include "support/hub_bed.h"

enum {
    SHIFT = 48000, /* what new code adds to each number: the row's table partition stays right */
    RECORDS = 1500,
    HOLD = 500, /* records of each partition before the new code comes */
};

static const char stages[] = "  - {name: s, kind: lua, file: stage.lua}\n";
static const char plain[] = "local stage = {}\nfunction stage.process(batch) end\nreturn stage\n";
static const char shifted[] = "local stage = {}\nfunction stage.process(batch) batch:set('n', batch.n + 48000) end\nreturn stage\n";

/* What happens while the records flow. */
struct drive {
    struct run *run;
    const char *lua;      /* the new code; NULL: the job file is another one */
    const char *late;     /* late.lua instead */
    const char *old, *new; /* in the job file, instead */
    bool unasked;         /* by the watch alone */
    bool asked;           /* by a command, whose answer is kept */
    int reloads;          /* so many one after another, each with its number in a comment */
    int answers;          /* that are waited for, by default one */
    enum layout layout;   /* a folder beside the files' gets the new code, and the link is switched to it */
    int phase, done;
    int64_t results;
    int64_t until_ms; /* an answer that does not come fails the test */
    pthread_t command;
    char answer[1000];
    atomic_bool heard; /* the answer is there */
};

static int64_t results(const struct drive *drive)
{
    const struct stats *stats = &drive->run->stats;

    return metric_get(stats->reloads_accepted) + metric_get(stats->reloads_refused);
}

/* As editors do it. */
static void replace_file(const struct run *run, const char *name, const char *text)
{
    char from[160], to[160];

    write_file(run->folder, "new.tmp", text);
    snprintf(from, sizeof(from), "%s/new.tmp", run->folder);
    snprintf(to, sizeof(to), "%s/%s", run->folder, name);
    assert_int_equal(rename(from, to), 0);
}

static void change_job(const struct run *run, const char *old, const char *new)
{
    char path[160], text[4096] = "", changed[4200], *at;
    FILE *file;

    snprintf(path, sizeof(path), "%s/job.yaml", run->folder);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    at = strstr(text, old);
    assert_non_null(at);
    snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    replace_file(run, "job.yaml", changed);
}

static void answered(void *arg, pid_t process UNUSED, struct str text)
{
    struct drive *drive = arg;

    snprintf(drive->answer, sizeof(drive->answer), "%.*s", STR_ARG(text));
    atomic_store(&drive->heard, true);
}

static void *ask(void *arg)
{
    struct drive *drive = arg;

    (void)job_socket_ask(drive->run->job->path, "reload", 60 * 1000, answered, drive);
    return NULL;
}

/* As a release is made. Who removes the old one at once, as Kubernetes does, leaves nothing of it to be read. */
static void release(const struct run *run, enum layout layout, const char *lua)
{
    const char *dots = layout == LAYOUT_FILE_LINKS ? ".." : "";
    char command[400], path[80];

    snprintf(command, sizeof(command), "cp -r %s/%s12 %s/%s13", run->folder, dots, run->folder, dots);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof(path), "%s13/stage.lua", dots);
    write_file(run->folder, path, lua);
    snprintf(path, sizeof(path), "%s13", dots);
    switch_link(run->folder, layout == LAYOUT_FOLDER_LINK ? "current" : "..data", path);
    snprintf(command, sizeof(command), "rm -r %s/%s12/*.*", run->folder, dots);
    assert_int_equal(system(command), 0);
}

static void drive(void *arg)
{
    struct drive *drive = arg;
    struct scripted_source *source = drive->run->source;
    char text[2048];

    if (drive->phase == 0 && metric_get(drive->run->stats.processed) == source->hold_at * SCRIPT_PARTITIONS) {
        drive->results = results(drive);
        if (drive->late) {
            replace_file(drive->run, "late.lua", drive->late);
        } else if (drive->lua) {
            snprintf(text, sizeof(text), "-- %d\n%s", drive->done, drive->lua);
            if (drive->layout)
                release(drive->run, drive->layout, text);
            else
                replace_file(drive->run, "stage.lua", text);
        } else {
            change_job(drive->run, drive->old, drive->new);
        }
        drive->until_ms = clock_monotonic_ms() + 60 * 1000;
        if (drive->asked)
            xthread_create(&drive->command, ask, drive, "the command");
        else if (!drive->unasked)
            hub_reload(drive->run->hub);
        drive->phase = 1;
    }
    if (drive->phase == 1 &&
        (drive->asked ? atomic_load(&drive->heard) :
         results(drive) + metric_get(drive->run->stats.reloads_reverted) >= drive->results + (drive->answers ? drive->answers : 1))) {
        drive->phase = ++drive->done < drive->reloads ? 0 : 2;
        source->hold_at = drive->phase ? -1 : source->hold_at + (RECORDS - HOLD) / drive->reloads;
    }
    if (drive->phase == 1 && clock_monotonic_ms() > drive->until_ms)
        fail_msg("no answer to the new code");
}

static struct run *open_driven(const struct setup *setup, struct drive *drive_with)
{
    struct setup whole = *setup;
    struct run *run;

    whole.stages = stages;
    whole.lua = setup->lua ? setup->lua : plain;
    whole.reloads = true;
    whole.delivery = DELIVERY_EXACTLY_ONCE;
    whole.flush_ms = 200;
    if (!whole.tail)
        whole.tail = "reload: {watch: false}\n";
    run = open_run(&whole, RECORDS);
    run->job->runtime.lua_instructions_max = 1000000;
    run->job->runtime.lua_memory_max = 8 << 20;
    run->source->hold_at = HOLD;
    run->source->says_more = true;
    run->source->on_fetch = drive;
    run->source->on_fetch_arg = drive_with;
    drive_with->run = run;
    if (!drive_with->reloads)
        drive_with->reloads = 1;
    return run;
}

/* Every number is there once, as it was or shifted; numbers below `plain_below` as they were, those from `shifted_from` shifted. */
static void expect_numbers(const struct run *run, int64_t plain_below, int64_t shifted_from)
{
    assert_int_equal(run->sink->rows, RECORDS * SCRIPT_PARTITIONS);
    for (int64_t n = 0; n < RECORDS * SCRIPT_PARTITIONS; n++) {
        assert_int_equal(run->sink->seen[n] + run->sink->seen[n + SHIFT], 1);
        if (n < plain_below)
            assert_int_equal(run->sink->seen[n], 1);
        if (n >= shifted_from)
            assert_int_equal(run->sink->seen[n + SHIFT], 1);
    }
    assert_false(run->sink->wrong_partition);
}

static void expect_results(const struct run *run, int64_t accepted, int64_t refused, int64_t reverted)
{
    assert_int_equal(metric_get(run->stats.reloads_accepted), accepted);
    assert_int_equal(metric_get(run->stats.reloads_refused), refused);
    assert_int_equal(metric_get(run->stats.reloads_reverted), reverted);
}

/* Whatever was in its memory before. */
static void the_version_shows_from_the_first_one_on(void **state UNUSED)
{
    struct metrics *metrics = metrics_new("j");
    struct stats stats;
    struct buffer page;

    memset(&stats, 0xA5, sizeof(stats));
    stats_init(&stats, metrics);
    stats_set_version(&stats, "one");
    stats_set_version(&stats, "two");
    buffer_init(&page, 0);
    metrics_print(metrics, &page);
    assert_non_null(strstr(buffer_text(&page), "luaduct_code_version{job=\"j\",version=\"two\"} 1\n"));
    assert_null(strstr(buffer_text(&page), "\"one\""));
    buffer_release(&page);
    metrics_free(metrics);
}

static void new_code_takes_over_between_two_batches(void **state UNUSED)
{
    static const int workers[] = {0, 1, 3};

    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        struct drive with = {.lua = shifted};
        struct run *run = open_driven(&(struct setup){.workers = workers[i]}, &with);
        struct buffer page;

        go(run);
        expect_ok(run);
        expect_results(run, 1, 0, 0);
        expect_numbers(run, HOLD * SCRIPT_PARTITIONS, HOLD * SCRIPT_PARTITIONS);
        buffer_init(&page, 0);
        metrics_print(run->metrics, &page);
        assert_non_null(strstr(buffer_text(&page), "luaduct_code_version{job=\"j\",version=\""));
        buffer_release(&page);
        close_run(run);
    }
}

/* While both versions are there, a gauge is that of the one which works; a batch that both ran counts once. */
static void what_scripts_count_is_of_the_code_that_runs(void **state UNUSED)
{
    static const char gauged[] = "local stage, level, rows = {}, luaduct.gauge('level'), luaduct.counter('rows')\n"
                                 "function stage.process(batch) level:set(%d) rows:add(batch:count())\n%s end\nreturn stage\n";
    static const char counted[] = "luaduct_script_rows_total{job=\"j\",stage=\"s\"} 6000\n"; /* RECORDS of each partition */
    static const struct {
        const char *body, *want;
    } cases[] = {
        {"batch:set('n', batch.n + 48000)", "luaduct_script_level{job=\"j\",stage=\"s\"} 7\n"},
        {"batch:map({'n'}, {'n'}, function(n) if n == 4001 then error('row') end return n end)",
         "luaduct_script_level{job=\"j\",stage=\"s\"} 5\n"},
    };
    char old[300], new[300];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct drive with = {.lua = new};
        struct buffer page;
        struct run *run;

        snprintf(old, sizeof(old), gauged, 5, "");
        snprintf(new, sizeof(new), gauged, 7, cases[i].body);
        run = open_driven(&(struct setup){.workers = 1, .lua = old}, &with);
        go(run);
        expect_ok(run);
        expect_results(run, 1, 0, (int64_t)i);
        buffer_init(&page, 0);
        metrics_print(run->metrics, &page);
        if (!strstr(buffer_text(&page), cases[i].want) || !strstr(buffer_text(&page), counted))
            fail_msg("%s", buffer_text(&page));
        buffer_release(&page);
        close_run(run);
    }
}

static void code_that_breaks_is_refused_and_the_old_goes_on(void **state UNUSED)
{
    static const struct {
        const char *lua;
        const char *old, *new;
    } cases[] = {
        {"this is no Lua", NULL, NULL},
        {"local stage = {}\nfunction stage.proces(batch) end\nreturn stage\n", NULL, NULL},
        {"local stage = {}\nfunction stage.process(batch) local x = batch.nothing end\nreturn stage\n", NULL, NULL},
        {"local stage = {}\nfunction stage.process(batch) for row in batch:rows() do error('no') end end\nreturn stage\n", NULL, NULL},
        {"local stage = {}\nfunction stage.process(batch) if batch:count() > 0 then while true do end end end\nreturn stage\n", NULL, NULL},
        {"local stage = {}\nlocal all = {}\nfunction stage.process(batch)\nif batch:count() == 0 then return end\n"
         "while true do all[#all + 1] = ('x'):rep(100000) .. #all end end\nreturn stage\n", NULL, NULL},
        {"local stage = {}\nfunction stage.process(batch) for row in batch:rows() do row:dirty('no') end end\nreturn stage\n", NULL, NULL},
        {"local stage = {}\nfunction stage.process(batch) batch:set('n', batch.part) end\nreturn stage\n", NULL, NULL},
        {"local stage = {}\nfunction stage.open(ctx) error('not today') end\nfunction stage.process(batch) end\nreturn stage\n", NULL, NULL},
        {"local stage = {}\nrequire 'missing'\nfunction stage.process(batch) end\nreturn stage\n", NULL, NULL},
        {NULL, "topic: t}", "topic: t2}"},
        {NULL, "batch_rows: 100", "batch_rows: 200"},
        {NULL, "kind: lua,", "kind: luu,"},
        {NULL, "name: j", "name: ["},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct drive with = {.lua = cases[i].lua, .old = cases[i].old, .new = cases[i].new};
        struct run *run = open_driven(&(struct setup){.workers = (int)i % 3}, &with);

        go(run);
        expect_ok(run);
        expect_results(run, 0, 1, 0);
        expect_numbers(run, INT64_MAX, INT64_MAX);
        assert_int_equal(hub_counts(run->hub)->dirty, 0);
        close_run(run);
    }
}

/* Of the batch in which it fails nothing by the new code is taken; what it made of others before is. */
static void code_that_fails_on_probation_is_taken_back(void **state UNUSED)
{
    static const char *const failures[] = {
        "batch:map({'n'}, {'n'}, function(n) if n == 4001 then error('row') end return n + 48000 end)",
        "for row in batch:rows() do if row.n == 4001 then local x = nil + 1 end row.n = row.n + 48000 end",
        "batch:map({'n'}, {'n'}, function(n) if n == 4001 then while true do end end return n + 48000 end)",
        "local found = false\nfor row in batch:rows() do found = found or row.n == 4001 end\n"
        "batch:set('n', batch.n + 48000)\nif found then error('whole') end",
    };
    char lua[600];

    for (size_t i = 0; i < COUNT_OF(failures) * 2; i++) {
        struct drive with = {.lua = lua};
        struct run *run = open_driven(&(struct setup){.workers = i % 2 ? 3 : 0}, &with);

        snprintf(lua, sizeof(lua), "local stage = {}\nfunction stage.process(batch)\n%s\nend\nreturn stage\n", failures[i / 2]);
        go(run);
        expect_ok(run);
        expect_results(run, 1, 0, 1);
        expect_numbers(run, HOLD * SCRIPT_PARTITIONS, INT64_MAX);
        assert_int_equal(run->sink->seen[4001], 1);
        assert_int_equal(run->sink->seen[HOLD * SCRIPT_PARTITIONS + SHIFT], 1);
        if (i % 2 == 0) /* others may be through before they hear of it */
            assert_int_equal(run->sink->seen[RECORDS * SCRIPT_PARTITIONS - 1], 1);
        assert_int_equal(hub_counts(run->hub)->dirty, 0);
        close_run(run);
    }
}

static int64_t shown(const struct buffer *page, const char *name)
{
    const char *at = strstr(page->data, name);

    assert_non_null(at);
    return strtoll(at + strlen(name), NULL, 10);
}

/* What the failed code kept since the swap is not handed back. */
static void after_a_way_back_the_state_is_that_of_the_swap(void **state UNUSED)
{
    static const char counting[] = "local rows, level = 0, luaduct.gauge('level')\n"
                                   "return {open = function(ctx) rows = ctx.saved or 0 end, save = function() return rows end,\n"
                                   "process = function(batch) rows = rows + batch:count() level:set(rows) end}\n";
    static const char failing[] = "local rows, taken = 0, luaduct.counter('taken')\n"
                                  "return {open = function(ctx) rows = ctx.saved or 0 end, save = function() return rows end,\n"
                                  "process = function(batch) rows = rows + batch:count() taken:add(batch:count())\n"
                                  "  for row in batch:rows() do if row.n == 4001 then error('row') end end end}\n";
    struct drive with = {.lua = failing};
    struct run *run = open_driven(&(struct setup){.workers = 1, .lua = counting}, &with);
    struct buffer page;

    go(run);
    expect_ok(run);
    expect_results(run, 1, 0, 1);
    buffer_init(&page, 0);
    metrics_print(run->metrics, &page);
    (void)buffer_text(&page);
    assert_true(shown(&page, "luaduct_script_taken_total{job=\"j\",stage=\"s\"} ") > 0);
    assert_int_equal(shown(&page, "luaduct_script_taken_total{job=\"j\",stage=\"s\"} ") +
                         shown(&page, "luaduct_script_level{job=\"j\",stage=\"s\"} "),
                     RECORDS * SCRIPT_PARTITIONS);
    buffer_release(&page);
    close_run(run);
}

/* A script whose errors make rows dirty may be changed while such rows come. */
static void errors_that_the_old_code_has_as_well_are_no_fault_of_the_new(void **state UNUSED)
{
    static const char failing[] = "local stage = {}\nfunction stage.process(batch)\n"
                                  "for row in batch:rows() do if row.n %% 500 == 1 then error('odd') end %s end end\nreturn stage\n";
    char old[300], new[300];

    snprintf(old, sizeof(old), failing, "");
    snprintf(new, sizeof(new), failing, "row.n = row.n + 48000");
    for (int workers = 0; workers < 3; workers += 2) {
        struct drive with = {.lua = new};
        struct run *run = open_driven(&(struct setup){.workers = workers, .lua = old}, &with);

        go(run);
        expect_ok(run);
        expect_results(run, 1, 0, 0);
        assert_int_equal(hub_counts(run->hub)->dirty, RECORDS * SCRIPT_PARTITIONS / 500);
        assert_int_equal(run->sink->seen[RECORDS * SCRIPT_PARTITIONS - 1 + SHIFT], 1);
        close_run(run);
    }
}

/* Rows have to come in order, over all versions: a version that starts from nothing would call them dirty. */
static void what_a_stage_saves_the_next_one_gets(void **state UNUSED)
{
    static const char ordered[] =
        "local stage = {state = 'partition'}\n"
        "local due = {}\n"
        "function stage.open(ctx) if ctx.saved then due = ctx.saved.due end end\n"
        "function stage.save() return {due = due} end\n"
        "function stage.process(batch)\n"
        "  for row in batch:rows() do\n"
        "    local p = row.__partition__\n"
        "    if row.n ~= (due[p] or p) then row:dirty('out of order') end\n"
        "    due[p] = row.n + 4\n"
        "  end\n"
        "end\n"
        "return stage\n";

    for (int workers = 0; workers < 4; workers++) {
        struct drive with = {.lua = ordered, .reloads = 5};
        struct run *run = open_driven(&(struct setup){.workers = workers, .lua = ordered}, &with);

        go(run);
        expect_ok(run);
        /* The trial begins with samples from the middle: all of them are out of order there, for old and new code. */
        expect_results(run, 5, 0, 0);
        expect_numbers(run, INT64_MAX, INT64_MAX);
        assert_int_equal(hub_counts(run->hub)->dirty, 0);
        close_run(run);
    }
}

/* The same of a function that gives the partition; the stage of the same file keeps nothing, and one of another file no state. */
static void what_a_partition_function_saves_the_next_one_gets(void **state UNUSED)
{
    static const char ordered[] =
        "local stage = {state = 'partition'}\n"
        "local due = {}\n"
        "function stage.open(ctx) if ctx.saved then due = ctx.saved end end\n"
        "function stage.save() return due end\n"
        "function stage.process(batch) end\n"
        "function stage.partition(batch)\n"
        "  for row in batch:rows() do\n"
        "    local p = row.__partition__\n"
        "    if row.n ~= (due[p] or p) then row:dirty('out of order') end\n"
        "    due[p] = row.n + 4\n"
        "  end\n"
        "  return batch.part\n"
        "end\n"
        "return stage\n";

    for (int i = 0; i < 8; i++) {
        const char *stage = i % 2 ? plain : ordered;
        struct drive with = {.lua = stage, .reloads = 5};
        struct run *run = open_driven(&(struct setup){.workers = i / 2, .lua = stage, .late = ordered,
                                                      .partition = i % 2 ? "kind: lua, file: late.lua" : "kind: lua, file: stage.lua"},
                                      &with);

        go(run);
        expect_ok(run);
        expect_results(run, 5, 0, 0);
        expect_numbers(run, INT64_MAX, INT64_MAX);
        assert_int_equal(hub_counts(run->hub)->dirty, 0);
        close_run(run);
    }
}

/* The trial finds nothing wrong with it, since 8 samples of 100 rows are fewer than a worker has had. */
static void a_worker_that_cannot_swap_brings_all_back(void **state UNUSED)
{
    static const char unsavable[] = "local stage = {}\nlocal rows = 0\n"
                                    "function stage.save() if rows > 900 then return {list = {print}} end end\n"
                                    "function stage.process(batch) rows = rows + batch:count() end\nreturn stage\n";

    for (int workers = 0; workers < 3; workers += 2) {
        struct drive with = {.lua = shifted};
        struct run *run = open_driven(&(struct setup){.workers = workers, .lua = unsavable}, &with);

        go(run);
        expect_ok(run);
        expect_results(run, 0, 1, 1);
        /* With two workers one may have had few rows, and work with the new code until it hears of the other one. */
        expect_numbers(run, workers ? HOLD * SCRIPT_PARTITIONS : INT64_MAX, INT64_MAX);
        close_run(run);
    }
}

/* An error of Lua may quote an option that came from the environment. */
static void the_answer_to_a_command_keeps_secrets(void **state UNUSED)
{
    static const char quoting[] = "return {process = function(batch) if batch:count() > 0 then error('not with hunter2222') end end}";
    struct drive with = {.lua = quoting, .asked = true};
    struct run *run = open_driven(&(struct setup){.workers = 1}, &with);

    log_secret("hunter2222");
    go(run);
    pthread_join(with.command, NULL);
    log_secret_forget("hunter2222");
    expect_ok(run);
    expect_results(run, 0, 1, 0);
    assert_int_equal(with.answer[0], '-');
    assert_non_null(strstr(with.answer, "not with ***"));
    close_run(run);
}

static void files_are_watched(void **state UNUSED)
{
    struct drive with = {.lua = shifted, .unasked = true};
    struct run *run = open_driven(&(struct setup){.workers = 1, .tail = "reload: {watch: true}\n"}, &with);

    go(run);
    expect_ok(run);
    expect_results(run, 1, 0, 0);
    expect_numbers(run, HOLD * SCRIPT_PARTITIONS, HOLD * SCRIPT_PARTITIONS);
    close_run(run);
}

/* The link on the way to the files points to another folder: both the watch and whoever types the path as at the start get what
 * is there. */
static void a_switched_link_is_a_change(void **state UNUSED)
{
    static const enum layout layouts[] = {LAYOUT_FOLDER_LINK, LAYOUT_FILE_LINKS};

    for (size_t i = 0; i < COUNT_OF(layouts) * 2; i++) {
        bool watch = i % 2;
        struct drive with = {.lua = shifted, .unasked = watch, .asked = !watch, .layout = layouts[i / 2]};
        struct run *run = open_driven(&(struct setup){.workers = 1, .layout = with.layout,
                                                      .tail = watch ? "reload: {watch: true}\n" : NULL},
                                      &with);

        go(run);
        if (!watch) {
            pthread_join(with.command, NULL);
            assert_int_equal(with.answer[0], '+');
        }
        expect_ok(run);
        expect_results(run, 1, 0, 0);
        expect_numbers(run, HOLD * SCRIPT_PARTITIONS, HOLD * SCRIPT_PARTITIONS);
        close_run(run);
    }
}

/* A file that is required first in the middle of a batch is watched, and its text is of the version; so is that of a partition's
 * function. */
static void all_files_are_of_the_version(void **state UNUSED)
{
    static const struct {
        const char *lua, *partition, *late, *changed;
        int64_t shifted_from;
    } cases[] = {
        {"return {process = function(batch) for row in batch:rows() do row.n = row.n + require('late') end end}\n", NULL, "return 0",
         "return 48000", HOLD * SCRIPT_PARTITIONS},
        {plain, "kind: lua, file: late.lua", "return {partition = function(batch) return batch.part end}",
         "return {partition = function(batch) return batch.part, nil end}", INT64_MAX},
    };
    char now[16], before[16];

    for (size_t i = 0; i < COUNT_OF(cases) * 2; i++) {
        bool same = i % 2;
        struct drive with = {.late = same ? cases[i / 2].late : cases[i / 2].changed, .asked = true};
        struct run *run = open_driven(&(struct setup){.workers = 1, .lua = cases[i / 2].lua, .late = cases[i / 2].late,
                                                      .partition = cases[i / 2].partition},
                                      &with);

        go(run);
        pthread_join(with.command, NULL);
        expect_ok(run);
        if (same ? with.answer[0] != '='
                 : sscanf(with.answer, "+version %12s runs in all workers, before it did %12s;", now, before) != 2 ||
                       strcmp(now, before) == 0)
            fail_msg("%zu: %s", i, with.answer);
        expect_results(run, !same, 0, 0);
        expect_numbers(run, HOLD * SCRIPT_PARTITIONS, same ? INT64_MAX : cases[i / 2].shifted_from);
        close_run(run);
    }
}

static const struct run *changing;

/* Between its reading and the end of the trial. */
static bool change_helper(const struct job *job UNUSED, struct log *log UNUSED, struct error *error UNUSED)
{
    replace_file(changing, "helper.lua", "return 48000");
    return true;
}

static void a_change_while_new_code_is_tried_is_a_change(void **state UNUSED)
{
    static const char by_helper[] = "local shift = require('helper')\n"
                                    "return {process = function(batch) batch:set('n', batch.n + shift) end}\n";
    struct drive with = {.lua = by_helper, .unasked = true, .answers = 2};
    struct run *run =
        open_driven(&(struct setup){.workers = 1, .tail = "reload: {watch: true}\n", .reload_test = change_helper}, &with);

    changing = run;
    write_file(run->folder, "helper.lua", "return 0");
    go(run);
    expect_ok(run);
    expect_results(run, 2, 0, 0);
    expect_numbers(run, HOLD * SCRIPT_PARTITIONS, HOLD * SCRIPT_PARTITIONS);
    close_run(run);
}

static void the_dirty_limit_is_taken_live(void **state UNUSED)
{
    static const char sometimes[] = "local stage = {}\nfunction stage.process(batch)\n"
                                    "batch:dirty(batch.n:ge(4000) & batch.n:lt(4020), 'late') end\nreturn stage\n";

    for (int lowered = 0; lowered < 2; lowered++) {
        struct drive with = {.old = "max: 100}", .new = lowered ? "max: 10}" : "max: 50}"};
        struct run *run = open_driven(&(struct setup){.workers = 1, .lua = sometimes, .dirty_max = "100"}, &with);

        go(run);
        expect_results(run, 1, 0, 0);
        assert_int_equal(run->ok, !lowered);
        if (lowered)
            assert_non_null(strstr(run->error.text, "more than dirty.max (10)"));
        close_run(run);
    }
}

/* Newer code comes while the one before is on probation; and at the end one that fails, after which the very first one runs again,
 * for none of the others was proven. */
static void many_reloads_lose_and_double_nothing(void **state UNUSED)
{
    static const char last[] = "local stage = {}\nfunction stage.process(batch)\n"
                               "batch:map({'n'}, {'n'}, function(n) if n == 5900 then error('row') end return n + 48000 end) end\n"
                               "return stage\n";
    static const int workers[] = {0, 1, 3};

    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        struct drive with = {.lua = last, .reloads = 30};
        struct run *run = open_driven(&(struct setup){.workers = workers[i]}, &with);

        go(run);
        expect_ok(run);
        expect_results(run, 30, 0, 1);
        expect_numbers(run, HOLD * SCRIPT_PARTITIONS, INT64_MAX);
        assert_int_equal(run->sink->seen[5900], 1);
        close_run(run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_version_shows_from_the_first_one_on),
        cmocka_unit_test(new_code_takes_over_between_two_batches),
        cmocka_unit_test(what_scripts_count_is_of_the_code_that_runs),
        cmocka_unit_test(code_that_breaks_is_refused_and_the_old_goes_on),
        cmocka_unit_test(code_that_fails_on_probation_is_taken_back),
        cmocka_unit_test(after_a_way_back_the_state_is_that_of_the_swap),
        cmocka_unit_test(errors_that_the_old_code_has_as_well_are_no_fault_of_the_new),
        cmocka_unit_test(what_a_stage_saves_the_next_one_gets),
        cmocka_unit_test(what_a_partition_function_saves_the_next_one_gets),
        cmocka_unit_test(a_worker_that_cannot_swap_brings_all_back),
        cmocka_unit_test(the_answer_to_a_command_keeps_secrets),
        cmocka_unit_test(files_are_watched),
        cmocka_unit_test(a_switched_link_is_a_change),
        cmocka_unit_test(all_files_are_of_the_version),
        cmocka_unit_test(a_change_while_new_code_is_tried_is_a_change),
        cmocka_unit_test(the_dirty_limit_is_taken_live),
        cmocka_unit_test(many_reloads_lose_and_double_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
