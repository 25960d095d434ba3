/* stage_bed.h: a job file's stages over records, as a person would write both: YAML text in, rows out as lines "name=value …". */
#ifndef LUADUCT_TESTS_STAGE_BED_H
#define LUADUCT_TESTS_STAGE_BED_H

#include "job/job.h"
#include "stages/chain.h"
#include "support/cell_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

struct stage_bed {
    char folder[64], path[96];
    struct log *log;
    struct report *report;
    struct job *job;
    struct chain *chain;
    struct batch *batch;
    struct buffer said; /* the report, if opening failed */
    struct error error;
};

static void stage_bed_write(const char *path, const char *head, const char *text, const char *tail)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fprintf(file, "%s%s%s", head, text, tail);
    assert_int_equal(fclose(file), 0);
}

/* stages: the YAML of the job's list of stages, each line as it stands under `stages:`. The mistakes, if there are any, are in the
 * report; then false. */
static UNUSED bool stage_bed_open(struct stage_bed *bed, const char *stages)
{
    char sources[96];
    bool ok;

    memset(bed, 0, sizeof(*bed));
    snprintf(bed->folder, sizeof(bed->folder), "/tmp/luaduct-stage-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->path, sizeof(bed->path), "%s/job.yaml", bed->folder);
    snprintf(sources, sizeof(sources), "%s/datasources.yaml", bed->folder);
    stage_bed_write(sources,
                    "kafka: {k: {brokers: \"127.0.0.1:9\"}}\n"
                    "maxcompute: {m: {endpoint: \"http://127.0.0.1:9/api\", project: p, access_id: i, access_key: kkkkkkkk, time_zone: \"+08:00\"}}\n",
                    "", "");
    stage_bed_write(bed->path, "name: j\nsource: {kafka: k, topic: orders}\nstages:\n", stages,
                    "target: {maxcompute: m, table: t, create: if_missing}\n");
    bed->log = log_new(NULL, "test");
    bed->report = report_new();
    bed->batch = batch_new(64 << 20);
    ok = job_load(&bed->job, bed->path, NULL, bed->report) && chain_open(&bed->chain, bed->job, bed->report, bed->log, &bed->error) &&
         chain_probe(bed->chain, bed->job, bed->batch, bed->report, &bed->error);
    buffer_init(&bed->said, 0);
    if (!ok)
        report_print(bed->report, &bed->said); /* as long as the file is there to be shown */
    unlink(bed->path);
    unlink(sources);
    rmdir(bed->folder);
    return ok;
}

static UNUSED void stage_bed_close(struct stage_bed *bed)
{
    batch_free(bed->batch);
    chain_free(bed->chain);
    job_free(bed->job);
    report_free(bed->report);
    buffer_release(&bed->said);
    log_free(bed->log);
}

/* Runs the stages over these records; false when the batch stopped. */
static UNUSED bool stage_bed_run(struct stage_bed *bed, const char *const *values, size_t count)
{
    batch_clear(bed->batch);
    for (size_t i = 0; i < count; i++)
        batch_add_message(bed->batch, &(struct message){.value = values[i] ? str_of(values[i]) : STR_NONE, .offset = (int64_t)i}, NULL);
    assert_true(batch_begin(bed->batch, bed->job->source.fields));
    return chain_process(bed->chain, bed->batch, &bed->error);
}

/* The fields that stages made of the rows that are left, a line a row; dirty rows behind them. Freed by the caller. */
static UNUSED char *stage_bed_rows(struct stage_bed *bed)
{
    struct batch *batch = bed->batch;
    struct buffer text;

    buffer_init(&text, 0);
    for (uint32_t i = 0; i < batch->selected; i++) {
        for (uint32_t k = 0; k < batch->field_count; k++) {
            struct field *field = &batch->fields[k];

            if (field->builtin >= 0)
                continue;
            if (text.size && text.data[text.size - 1] != '\n')
                buffer_append_char(&text, ' ');
            buffer_print(&text, "%.*s=", STR_ARG(field->name));
            cell_print(&text, batch_column(batch, field), batch->selection[i]);
        }
        buffer_append_char(&text, '\n');
    }
    for (const struct dirty_row *row = batch->dirty; row; row = row->next)
        buffer_print(&text, "dirty %u %s %.*s: %.*s\n", row->message, row->stage, STR_ARG(row->column), STR_ARG(row->reason));
    return buffer_take(&text, NULL);
}

#endif
