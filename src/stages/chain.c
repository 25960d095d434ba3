/* chain.c: the decoder, if there is one, and a list of modules, run one after another. Which module a stage is, is decided in
 * open_stage alone. */
#include "stages/chain.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode/decode.h"
#include "util/clock.h"

struct chain_stage {
    const struct job_stage *spec;
    struct script_module *module;
    struct chain_counts counts;
};

struct chain {
    const struct job *job;
    struct script_state *state;
    struct zone *zone; /* of local date-times; NULL when the job names none */
    struct decoder *decoder; /* NULL: records are rows as they are */
    struct chain_counts decoder_counts;
    struct chain_stage *stages;
    size_t count;
    bool mistaken;             /* options are wrong: the report knows, and the probe fails */
    bool cut;                  /* a stage did not open, so that what comes behind it is not known: it is not in `stages` */
    struct error mistake;      /* the first one */
    _Atomic(const char *) now; /* for whoever wonders why it takes so long */
};

/* Tells wrong options of one stage with their places. */
struct complainer {
    struct report *report;
    const struct job_stage *spec;
    unsigned complaints;
    struct error first;
};

static size_t characters(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

/* Of the key that a path ends with, "rename.user". */
static bool place_key(struct tree_node *options, const char *path, struct location *at, unsigned *width)
{
    const char *point = strrchr(path, '.'), *key = point ? point + 1 : path;
    char map[160];
    const struct tree_node *node;

    snprintf(map, sizeof(map), "%.*s", point ? (int)(point - path) : 0, path);
    node = tree_at(options, map, false);
    for (size_t i = 0; node && node->kind == TREE_MAP && i < node->count; i++) {
        if (!str_is(node->entries[i].key, key))
            continue;
        *at = node->entries[i].at;
        *width = (unsigned)characters(node->entries[i].key);
        return true;
    }
    return false;
}

static void complain(void *arg, const char *option_path, struct script_place place, const char *text)
{
    struct complainer *complainer = arg;
    const struct job_stage *spec = complainer->spec;
    struct tree_node *node = spec->options ? tree_at(spec->options, option_path, true) : NULL;
    struct location at = node ? node->at : spec->at;
    unsigned width = node ? node->width : spec->width;
    char character[40] = "";

    if (place.at == SCRIPT_PLACE_NAME)
        (void)(spec->options && place_key(spec->options, option_path, &at, &width));
    else if (place.at >= 0 && !(node && tree_place(node, (size_t)place.at, place.width, &at, &width)))
        snprintf(character, sizeof(character), "at character %zu: ",
                 node && node->text.data
                     ? characters(str_make(node->text.data, size_min((size_t)place.at, node->text.size))) + 1
                     : (size_t)place.at + 1);
    if (complainer->complaints++ == 0)
        error_set(&complainer->first, ERROR_CONFIG, "stage %s: %s%s%s%s", spec->name, option_path, *option_path ? ": " : "",
                  character, text);
    if (complainer->report)
        report_mistake(complainer->report, at, width, "stage %s: %s%s%s%s", spec->name, option_path, *option_path ? ": " : "",
                       character, text);
}

static void warn(void *arg, unsigned line, unsigned column, unsigned width, const char *text)
{
    struct complainer *complainer = arg;

    report_warning(complainer->report, (struct location){complainer->spec->file, line, column}, width, "stage %s: %s",
                   complainer->spec->name, text);
}

bool chain_save(struct chain *chain, struct buffer *saved, struct error *error)
{
    bool ok = true;

    for (size_t i = 0; ok && i < chain->count; i++) {
        const char *name = chain->stages[i].spec->name;

        atomic_store_explicit(&chain->now, name, memory_order_relaxed);
        ok = script_module_save_as(chain->stages[i].module, name, saved, error) || error_wrap(error, "stage %s", name);
        atomic_store_explicit(&chain->now, NULL, memory_order_relaxed);
    }
    return ok;
}

/* Only the first one is kept. */
static void note_mistake(struct chain *chain, const struct error *mistake)
{
    if (!chain->mistaken)
        chain->mistake = *mistake;
    chain->mistaken = true;
}

static bool open_stage(struct chain *chain, const struct job *job, const struct job_stage *spec, struct str saved, bool warns,
                       struct report *report, struct error *error)
{
    struct complainer complainer = {.report = report, .spec = spec};
    bool lua = strcmp(spec->kind, "lua") == 0;
    struct script_source source = {
        .stage = spec->name,
        .path = lua ? spec->file : NULL,
        .builtin = lua ? NULL : spec->kind,
        .options = spec->options,
        .zone = chain->zone,
        .job = chain->job->name,
        .topic = chain->job->source.topic,
        .execute_time_ms = chain->job->execute_time_ms,
        .files = job->files,
        .saved = script_saved_find(saved, spec->name),
        .complain = complain,
        .complain_arg = &complainer,
        .warn = report && warns ? warn : NULL,
    };
    struct script_module *module = NULL;
    bool ok = script_module_open(chain->state, &source, &module, error);

    if (ok && !script_module_has(module, "process"))
        ok = error_set(error, ERROR_CONFIG, "%s has no function process(batch)", lua ? spec->file : spec->kind);
    if (!ok) {
        if (report && complainer.complaints == 0)
            report_mistake(report, spec->at, spec->width, "stage %s: %s", spec->name, error->text);
        return error_wrap(error, "stage %s", spec->name);
    }
    if (complainer.complaints)
        note_mistake(chain, &complainer.first);
    if (chain->cut) /* it was looked at for its mistakes */
        return true;
    chain->stages[chain->count++] = (struct chain_stage){.spec = spec, .module = module};
    return true;
}

/* warns: names that are nobody's are told; a test run opens a chain per case, and would tell them as often. */
static bool open_chain(struct chain **chain_out, const struct job *job, struct str saved, struct coverage *coverage, bool warns,
                       struct report *report, struct log *log, struct error *error)
{
    bool ok = true;
    struct chain *chain = xcalloc(1, sizeof(*chain));
    struct script_limits limits = {(size_t)int64_max(job->runtime.lua_memory_max, 0), job->runtime.lua_instructions_max};
    struct error mistake;

    chain->job = job;
    chain->stages = xcalloc(job->stage_count ? job->stage_count : 1, sizeof(*chain->stages));
    if (job->time_zone && !zone_open(&chain->zone, str_of(job->time_zone), error)) {
        ok = error_wrap(error, "time_zone");
        goto out;
    }
    chain->state = script_state_new(&limits, log);
    script_state_cover(chain->state, coverage);
    ok = decoder_open(&chain->decoder, job, chain->zone, report, error);
    if (!ok && !report)
        goto out;
    for (size_t i = 0; (!chain->mistaken || report) && i < job->stage_count; i++) {
        if (open_stage(chain, job, &job->stages[i], saved, warns, report, &mistake))
            continue;
        note_mistake(chain, &mistake);
        chain->cut = true;
    }
    if (ok && chain->mistaken && !report)
        ok = error_set(error, chain->mistake.kind, "%s", chain->mistake.text);
    if (!ok)
        goto out;
    *chain_out = chain;
    chain = NULL;
out:
    chain_free(chain);
    return ok;
}

bool chain_open(struct chain **chain_out, const struct job *job, struct report *report, struct log *log, struct error *error)
{
    return chain_open_saved(chain_out, job, STR_NONE, report, log, error);
}

bool chain_open_saved(struct chain **chain_out, const struct job *job, struct str saved, struct report *report, struct log *log,
                      struct error *error)
{
    return open_chain(chain_out, job, saved, NULL, true, report, log, error);
}

bool chain_open_covered(struct chain **chain_out, const struct job *job, struct coverage *coverage, struct report *report,
                        struct log *log, struct error *error)
{
    return open_chain(chain_out, job, STR_NONE, coverage, false, report, log, error);
}

void chain_free(struct chain *chain)
{
    if (!chain)
        return;
    script_state_free(chain->state);
    decoder_free(chain->decoder);
    zone_free(chain->zone);
    free(chain->stages);
    free(chain);
}

/* Two readings of the clock a batch: some 50 ns beside a batch's 100 us or more. */
static void count_begin(struct chain_counts *mark, const struct batch *batch)
{
    *mark = (struct chain_counts){batch->selected, 0, batch->filtered_count, batch->dirty_count, batch->expanded_count,
                                  clock_nanoseconds()};
}

static void count_end(struct chain_counts *counts, const struct chain_counts *mark, const struct batch *batch)
{
    counts->rows_in += mark->rows_in;
    counts->rows_out += batch->selected;
    counts->filtered += batch->filtered_count - mark->filtered;
    counts->dirty += batch->dirty_count - mark->dirty;
    counts->expanded += batch->expanded_count - mark->expanded;
    counts->nanoseconds += clock_nanoseconds() - mark->nanoseconds;
}

static bool run_decoder(struct chain *chain, struct batch *batch, struct error *error)
{
    struct chain_counts mark;
    bool ok;

    if (!chain->decoder)
        return true;
    count_begin(&mark, batch);
    ok = decoder_run(chain->decoder, batch, error);
    count_end(&chain->decoder_counts, &mark, batch);
    return ok;
}

static bool run_stage(struct chain *chain, size_t index, struct batch *batch, struct error *error)
{
    struct chain_stage *stage = &chain->stages[index];
    struct chain_counts mark;
    bool ok;

    count_begin(&mark, batch);

    batch->stage = stage->spec->name;
    batch->when_error = stage->spec->when_error;
    atomic_store_explicit(&chain->now, stage->spec->name, memory_order_relaxed);
    ok = script_process(stage->module, batch, error);
    atomic_store_explicit(&chain->now, NULL, memory_order_relaxed);
    batch_sweep(batch);
    count_end(&stage->counts, &mark, batch);
    return ok || error_wrap(error, "stage %s", stage->spec->name);
}

/* A chain that was opened to find mistakes, and has some, handles no records. */
static bool may_run(const struct chain *chain, const struct batch *batch, struct error *error)
{
    return !chain->mistaken || !batch->message_count || error_set(error, chain->mistake.kind, "%s", chain->mistake.text);
}

bool chain_process_some(struct chain *chain, struct batch *batch, size_t stages, struct error *error)
{
    bool ok = may_run(chain, batch, error) && run_decoder(chain, batch, error);

    for (size_t i = 0; ok && i < chain->count && i < stages; i++)
        ok = run_stage(chain, i, batch, error);
    batch->stage = NULL;
    batch->when_error = WHEN_ERROR_DIRTY;
    return ok;
}

bool chain_process_one(struct chain *chain, struct batch *batch, size_t stage, struct error *error)
{
    bool ok = may_run(chain, batch, error) && run_stage(chain, stage, batch, error);

    batch->stage = NULL;
    batch->when_error = WHEN_ERROR_DIRTY;
    return ok;
}

bool chain_decoder_counts(const struct chain *chain, struct chain_counts *counts_out)
{
    *counts_out = chain->decoder_counts;
    return chain->decoder;
}

const struct chain_counts *chain_counts(const struct chain *chain, size_t stage)
{
    assert(stage < chain->count);
    return &chain->stages[stage].counts;
}

bool chain_process(struct chain *chain, struct batch *batch, struct error *error)
{
    return chain_process_some(chain, batch, chain->count, error);
}

bool chain_keeps_state(const struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (script_module_keeps_state(chain->stages[i].module))
            return true;
    return false;
}

const char *chain_stage_now(const struct chain *chain)
{
    return atomic_load_explicit(&chain->now, memory_order_relaxed);
}

struct script_state *chain_state(struct chain *chain)
{
    return chain->state;
}

bool chain_probe(struct chain *chain, const struct job *job, struct batch *batch, struct report *report, struct error *error)
{
    return chain_probe_some(chain, job, batch, chain->count, report, error);
}

bool chain_probe_some(struct chain *chain, const struct job *job, struct batch *batch, size_t stages, struct report *report,
                      struct error *error)
{
    bool ok = true; /* a stage with a wrong expression goes on with what stands in for its column */

    batch_clear(batch);
    if (!batch_begin(batch, job->source.fields))
        return error_set(error, ERROR_FATAL, "no memory for an empty batch");
    if (chain->decoder && !decoder_run(chain->decoder, batch, error))
        return false;
    for (size_t i = 0; ok && i < chain->count && i < stages; i++) {
        const struct job_stage *spec = chain->stages[i].spec;
        struct complainer complainer = {.report = report, .spec = spec};

        script_module_listen(chain->stages[i].module, complain, &complainer);
        ok = run_stage(chain, i, batch, error);
        script_module_listen(chain->stages[i].module, NULL, NULL);
        if (complainer.complaints)
            note_mistake(chain, &complainer.first);
        if (!ok && report) /* later stages may need what this one would have made */
            report_mistake(report, spec->at, spec->width, "%s", error->text);
    }
    batch->stage = NULL;
    batch->when_error = WHEN_ERROR_DIRTY;
    if (chain->mistaken)
        *error = chain->mistake;
    return ok && !chain->mistaken;
}
