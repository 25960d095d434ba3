/* rows_file.c: any text as rows typed by hand, for a stage into which a field of each type comes. Either there are mistakes, with
 * their places inside the file, or a row a line with exactly those fields. */
#include "places.h"

#include "tryout/rows.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static char path[64];
static int file = -1;
static struct batch *probe;
static struct job job = {.source.fields = (1u << BUILTIN_COUNT) - 1, .time_zone = (char *)"Asia/Shanghai"};

static void set_up(void)
{
    file = memfd_create("rows", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    probe = batch_new(1 << 20);
    if (!batch_begin(probe, job.source.fields))
        abort();
    for (int kind = TYPE_NULL; kind < TYPE_KINDS; kind++) {
        struct type type = kind == TYPE_DECIMAL ? type_decimal(10, 2) : TYPE_OF((enum type_kind)kind);
        struct column *column = column_try_new(&probe->arena, type, 0, true);
        char name[TYPE_NAME_MAX];

        if (!column || !batch_set(probe, kind == TYPE_DECIMAL ? STR("decimal") : str_of(type_print(type, name)), column))
            abort();
    }
}

static void check_rows(const struct batch *batch, struct str text)
{
    size_t lines = 1;

    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    FUZZ_CLAIM(batch->row_count >= 1 && batch->row_count <= lines, "%u rows of %zu lines", batch->row_count, lines);
    FUZZ_CLAIM(batch->selected == batch->row_count && !batch->dirty_count, "rows left");
    FUZZ_CLAIM(batch->field_count == probe->field_count, "%u fields", batch->field_count);
    for (uint32_t i = 0; i < probe->field_count; i++) {
        const struct field *field = batch_field(batch, probe->fields[i].name);
        struct type type = batch_field_type(&probe->fields[i]);

        FUZZ_CLAIM(field, "a field is missing");
        FUZZ_CLAIM(type.kind == TYPE_NULL || type_equal(batch_field_type(field), type), "field %u has another type", i);
        for (uint32_t row = 0; field->column && type_is_text(type.kind) && row < batch->row_count; row++)
            FUZZ_CLAIM(field->column->null[row] || str_is_utf8(field->column->text[row]), "row %u: no UTF-8", row);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct report *report = report_new();
    struct batch *batch = NULL;

    if (file < 0)
        set_up();
    if (ftruncate(file, 0) != 0 || pwrite(file, text.data, text.size, 0) != (ssize_t)text.size)
        abort();
    FUZZ_CLAIM(rows_read(&batch, path, &job, probe, report) == (report_mistakes(report) == 0), "%u mistakes",
               report_mistakes(report));
    FUZZ_CLAIM(!batch == (report_mistakes(report) > 0), "a batch with mistakes");
    fuzz_check_report(report, path, text);
    if (batch)
        check_rows(batch, text);
    batch_free(batch);
    report_free(report);
    return 0;
}
