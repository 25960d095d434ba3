/* sample_file.c: any text as a sample file. What is read is written again, and reads as the same records; mistakes have their
 * places inside the file. What is proposed for its records is YAML with paths. */
#include "places.h"

#include "batch/kernels/json.h"
#include "job/yaml.h"
#include "sample/infer.h"
#include "sample/sample.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static char path[64];
static int file = -1;

static void write_text(struct str text)
{
    if (ftruncate(file, 0) != 0 || pwrite(file, text.data, text.size, 0) != (ssize_t)text.size)
        abort();
}

static struct sample *read_text(struct str text, struct report *report)
{
    struct sample *sample = NULL;

    write_text(text);
    FUZZ_CLAIM(sample_read(&sample, path, report) == (report_mistakes(report) == 0), "%u mistakes", report_mistakes(report));
    FUZZ_CLAIM((sample != NULL) == (report_mistakes(report) == 0), "a sample with mistakes");
    return sample;
}

static bool same(struct str a, struct str b)
{
    return str_equal(a, b) && !a.data == !b.data;
}

static void print_sample(const struct sample *sample, struct buffer *text)
{
    sample_print_origin(&sample->origin, text);
    for (size_t i = 0; i < sample->count; i++) {
        struct sample_record record = sample_record(sample, i);

        sample_print_record(&record, text);
    }
}

static void check_same(const struct sample *a, const struct sample *b)
{
    FUZZ_CLAIM(a->count == b->count && a->partitions == b->partitions, "%zu records, then %zu", a->count, b->count);
    FUZZ_CLAIM(same(a->origin.job, b->origin.job) && same(a->origin.topic, b->origin.topic) &&
                   same(a->origin.taken, b->origin.taken) && same(a->origin.cluster_id, b->origin.cluster_id) &&
                   same(a->origin.topic_id, b->origin.topic_id),
               "another origin");
    for (size_t i = 0; i < a->count; i++) {
        struct sample_record x = sample_record(a, i), y = sample_record(b, i);

        FUZZ_CLAIM(x.partition == y.partition && x.partition >= 0 && x.partition < a->partitions, "record %zu: partition", i);
        FUZZ_CLAIM(x.message.offset == y.message.offset && x.message.timestamp_ms == y.message.timestamp_ms, "record %zu: offset",
                   i);
        for (size_t k = i; k-- > 0;)
            FUZZ_CLAIM(a->partition_of[k] != x.partition || a->messages[k].offset < x.message.offset, "record %zu: offset", i);
        FUZZ_CLAIM(same(x.message.key, y.message.key) && same(x.message.value, y.message.value), "record %zu: key or value", i);
        FUZZ_CLAIM(same(x.message.headers, y.message.headers) && x.header_count == y.header_count, "record %zu: headers", i);
        for (size_t k = 0; k < x.header_count; k++)
            FUZZ_CLAIM(same(x.headers[k].name, y.headers[k].name) && same(x.headers[k].value, y.headers[k].value),
                       "record %zu: header", i);
    }
}

/* What is proposed for it can be pasted: it is YAML without mistakes, and every path is one. */
static void check_infer(const struct sample *sample)
{
    static const struct infer_options options = {.field = "__value__", .source = "s", .has_zone = true};
    struct infer *infer = infer_new();
    struct report *report = report_new();
    struct tree_node *root = NULL;
    struct buffer texts[2];

    buffer_init(&texts[0], 0);
    buffer_init(&texts[1], 0);
    for (size_t i = 0; i < sample->count; i++)
        infer_add(infer, sample->messages[i].value);
    infer_print_json(infer, &options, &texts[1]);
    infer_print(infer, &options, &texts[0]);
    write_text(buffer_str(&texts[0]));
    (void)!yaml_read(&root, path, report);
    buffer_clear(&texts[1]);
    report_print(report, &texts[1]);
    FUZZ_CLAIM(texts[1].size == 0, "%s\n%s", buffer_text(&texts[0]), buffer_text(&texts[1]));
    for (size_t i = 0; root && tree_get(root, "columns") && i < tree_get(root, "columns")->count; i++) {
        const struct tree_node *node = tree_get(tree_get(root, "columns")->items[i], "path");
        struct json_path *parsed = NULL;
        struct error error = {0};
        size_t wrong_at;

        FUZZ_CLAIM(node && json_path_parse(&parsed, node->text, &wrong_at, &error), "%s", error.text);
        json_path_free(parsed);
    }
    tree_free(root);
    report_free(report);
    infer_free(infer);
    buffer_release(&texts[0]);
    buffer_release(&texts[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct report *report = report_new();
    struct sample *sample, *again;
    struct buffer texts[2];

    if (file < 0) {
        file = memfd_create("sample", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    }
    sample = read_text(str_make((const char *)data, size), report);
    fuzz_check_report(report, path, str_make((const char *)data, size));
    if (sample) {
        buffer_init(&texts[0], 0);
        buffer_init(&texts[1], 0);
        print_sample(sample, &texts[0]);
        again = read_text(buffer_str(&texts[0]), report);
        FUZZ_CLAIM(again, "what was written cannot be read: %s", buffer_text(&texts[0]));
        check_same(sample, again);
        check_infer(sample);
        print_sample(again, &texts[1]);
        FUZZ_CLAIM(str_equal(buffer_str(&texts[0]), buffer_str(&texts[1])), "%s", buffer_text(&texts[1]));
        sample_free(again);
        buffer_release(&texts[0]);
        buffer_release(&texts[1]);
    }
    sample_free(sample);
    report_free(report);
    return 0;
}
