/* case_subject.c: a stage or partition rules alone become a job without ends. */
#include "testing/case_subject.h"

#include <stdlib.h>

static struct tree_node *node_take(struct tree_node **node)
{
    struct tree_node *taken = *node, *left = taken;

    if (!taken)
        return NULL;
    /* The file's tree keeps an empty one in its place. */
    left = xmalloc(sizeof(*left));
    *left = *taken;
    *taken = (struct tree_node){.kind = TREE_SCALAR, .at = left->at, .width = 1};
    *node = NULL;
    return left;
}

static struct tree_node *list_of(struct tree_node *item)
{
    struct tree_node *list = xcalloc(1, sizeof(*list));

    list->kind = TREE_LIST;
    list->at = item->at;
    list->width = item->width;
    list->count = 1;
    list->items = xcalloc(1, sizeof(*list->items));
    list->items[0] = item;
    return list;
}

static bool load(struct job **job_out, struct case_file *file, const char *datasources_path, struct report *report)
{
    struct tree_node *stage = node_take(&file->stage), *partition = node_take(&file->partition);

    if (file->job)
        return job_load_offline(job_out, file->job, datasources_path ? datasources_path : file->datasources, report);
    return job_of_parts(job_out, file->path, stage ? list_of(stage) : NULL, partition, file->time_zone, report);
}

bool case_subject_load(struct job **job_out, struct case_file *file, const char *datasources_path, const struct job *given,
                       struct report *report)
{
    bool ok = true;

    if (given && file->job && !file->datasources && strcmp(file->job, given->path) == 0) {
        *job_out = xmalloc(sizeof(**job_out));
        **job_out = *given;
        (*job_out)->files = file_set_new();
    } else {
        ok = load(job_out, file, datasources_path, report);
    }
    if (given && *job_out)
        file_set_put_all((*job_out)->files, given->files, true);
    return ok;
}

void case_subject_free(struct job *job, const struct job *given)
{
    if (!job || !given || job->tree != given->tree) {
        job_free(job);
        return;
    }
    file_set_free(job->files);
    free(job);
}

struct job *case_subject_of(struct case_subject *subject, struct job *job, const struct test_case *test)
{
    if (!test->options)
        return job;
    subject->job = *job;
    if (job->stage_count) {
        subject->stage = job->stages[0];
        subject->stage.options = test->options;
        subject->job.stages = &subject->stage;
    } else {
        subject->partition = job->target.partitions[0];
        subject->partition.options = test->options;
        subject->job.target.partitions = &subject->partition;
    }
    return &subject->job;
}
