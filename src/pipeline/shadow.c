/* shadow.c: the old chain is opened anew for the comparison, so that the new one gets what its stages really save. */
#include "pipeline/shadow.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PROBE_BYTES_MAX = 4 << 20 };

/* What became of one sample. */
struct outcome {
    bool ok;
    uint64_t failures;
    uint32_t rows, dirty;
};

struct shadow {
    const struct shadow_options *options;
    struct sample_batch *samples[SAMPLES_MAX];
    size_t count;
    struct outcome before[SAMPLES_MAX];
    struct batch *batch;
    int64_t until_ms;
};

/* The reason of a run that failed as a whole is in error; else the first Lua error is, if there was one. */
static struct outcome run_sample(struct shadow *shadow, struct runner *runner, size_t index, struct error *error)
{
    struct outcome outcome = {0};
    struct routed routed;
    const char *failure;

    batch_clear(shadow->batch);
    sample_load(shadow->samples[index], shadow->batch);
    script_state_failures_clear(chain_state(runner->chain));
    outcome.ok = runner_run(runner, shadow->batch, &routed, error);
    outcome.failures = script_state_failures(chain_state(runner->chain), &failure);
    outcome.rows = shadow->batch->row_count;
    outcome.dirty = shadow->batch->dirty_count;
    if (outcome.ok && outcome.failures)
        error_set(error, ERROR_SCRIPT, "%s", failure);
    return outcome;
}

/* Half of the time is for the old code; samples that it has no time for are left out. */
static bool run_before(struct shadow *shadow, struct code *running, struct buffer *saved, struct error *error)
{
    const struct shadow_options *options = shadow->options;
    struct runner *runner = NULL;
    size_t done = 0;
    struct error ignored;
    bool ok = runner_open(&runner, running, options->schema, STR_NONE, options->log, error);

    while (ok && done < shadow->count && !atomic_load(options->given_up) &&
           options->monotonic_ms() < shadow->until_ms - SHADOW_MS_MAX / 2) {
        shadow->before[done] = run_sample(shadow, runner, done, &ignored);
        done++;
    }
    while (shadow->count > done)
        sample_drop(shadow->samples[--shadow->count]);
    ok = ok && runner_save(runner, saved, error);
    runner_free(runner);
    return ok || error_wrap(error, "the code that runs now");
}

static bool compare(struct shadow *shadow, struct runner *runner, bool force, uint32_t *rows_out, struct error *error)
{
    uint32_t rows = 0, dirty = 0, before = 0;

    for (size_t i = 0; i < shadow->count && shadow->options->monotonic_ms() < shadow->until_ms; i++) {
        if (atomic_load(shadow->options->given_up))
            return error_set(error, ERROR_RETRY, "the job is stopping");
        const struct outcome *old = &shadow->before[i];
        struct outcome now = run_sample(shadow, runner, i, error);

        if ((!now.ok && old->ok) || (now.ok && now.failures > old->failures))
            return error_wrap(error, "on newest records (%u of partition %d, from offset %" PRId64 ")",
                              shadow->batch->message_count, shadow->batch->partition, shadow->batch->offset_first);
        rows += now.rows > old->rows ? now.rows : old->rows;
        dirty += now.dirty;
        before += old->dirty;
    }
    *rows_out = rows;
    if (!force && dirty > before && (uint64_t)(dirty - before) * 1000 > (uint64_t)rows * SHADOW_DIRTY_PERMILLE)
        return error_set(error, ERROR_SCRIPT,
                         "of the %u newest rows %u would become dirty, and %u do with the code that runs now; `luaduct reload "
                         "--force` takes it all the same",
                         rows, dirty, before);
    return true;
}

static bool run_beside(const struct shadow_options *options, struct code *running, struct code *wanted, bool force,
                       uint32_t *rows_out, struct error *error)
{
    struct shadow shadow = {.options = options, .until_ms = options->monotonic_ms() + SHADOW_MS_MAX};
    struct runner *runner = NULL;
    struct buffer saved;
    bool ok;

    buffer_init(&saved, 2 * SCRIPT_SAVED_BYTES_MAX);
    shadow.batch = batch_new(shadow_batch_bytes(options->job));
    shadow.count = samples_take(options->samples, shadow.samples);
    ok = run_before(&shadow, running, &saved, error) &&
         runner_open(&runner, wanted, options->schema, buffer_str(&saved), options->log, error) &&
         compare(&shadow, runner, force, rows_out, error);
    wanted->keeps_state = ok && runner_keeps_state(runner);
    runner_free(runner);
    batch_free(shadow.batch);
    for (size_t i = 0; i < shadow.count; i++)
        sample_drop(shadow.samples[i]);
    buffer_release(&saved);
    return ok;
}

/* Chain, types and the table: as `check` does it, against the table as it is. */
static bool check(const struct shadow_options *options, struct code *wanted, struct report *report, struct error *error)
{
    struct batch *probe = batch_new(PROBE_BYTES_MAX);
    struct chain *chain = NULL;
    bool ok = chain_open(&chain, wanted->job, report, options->log, error) &&
              chain_probe(chain, wanted->job, probe, report, error) &&
              (route_check(wanted->job, options->schema, probe, report) ||
               error_set(error, ERROR_CONFIG, "the job does not fit the table %s", wanted->job->target.table)) &&
              (route_check_scripts(wanted->job, chain_state(chain), probe, report) ||
               error_set(error, ERROR_CONFIG, "a partition function does not fit the job"));

    chain_free(chain);
    batch_free(probe);
    return ok;
}

static void say_refused(const struct report *report, const struct error *error, struct buffer *said)
{
    buffer_clear(said);
    if (report_mistakes(report)) {
        report_print(report, said);
        while (said->size && said->data[said->size - 1] == '\n')
            said->size--;
    } else {
        buffer_print(said, "%s", error->text);
    }
}

enum shadow_result shadow_run(const struct shadow_options *options, struct code *running, bool force, struct code **code_out,
                              struct file_set *seen, struct buffer *said)
{
    enum shadow_result result = SHADOW_REFUSED;
    struct report *report = report_new();
    struct code *wanted = NULL;
    struct job_changes changes = {0};
    struct error error = {0};
    struct job *job;
    uint32_t rows = 0;
    bool loaded = job_load(&job, options->job->path, options->datasources_path, report);

    if (job)
        wanted = code_new(job, false);
    if (!loaded)
        goto out;
    job_compare(options->job, job, &changes);
    if (changes.fixed.size) {
        error_set(&error, ERROR_CONFIG, "%s cannot be changed while the job runs: restart it; nothing was taken",
                  buffer_text(&changes.fixed));
        goto out;
    }
    job->runtime = options->job->runtime; /* with what runtime.auto derived at the start */
    if (!check(options, wanted, report, &error))
        goto out;
    job_version(job, wanted->version);
    job_changes_release(&changes);
    job_compare(running->job, job, &changes);
    if (!changes.live && strcmp(wanted->version, running->version) == 0 && !job_files_changed(running->job)) {
        result = SHADOW_UNCHANGED;
        goto out;
    }
    if (options->test && !options->test(job, options->log, &error))
        goto out;
    if (!run_beside(options, running, wanted, force, &rows, &error))
        goto out;
    buffer_print(said, "tried on %u rows", (unsigned)rows);
    result = SHADOW_PASSED;
out:
    if (result == SHADOW_REFUSED)
        say_refused(report, &error, said);
    if (wanted)
        file_set_put_all(seen, wanted->job->files, false);
    if (result == SHADOW_PASSED)
        *code_out = code_keep(wanted);
    code_drop(wanted);
    job_changes_release(&changes);
    report_free(report);
    return result;
}
