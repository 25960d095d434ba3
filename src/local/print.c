/* print.c: the demo's closing page. Columns are as wide as their widest text, measured in terminal cells: Chinese characters take
 * two. */
#include "local/local.h"
#include "local/server.h"

#include <stdlib.h>

enum { CELL_WIDTH_MAX = 24, SHOWN_COLUMNS_MAX = 8 };

/* One code point; bytes that are no UTF-8 count as one cell each. */
static size_t decode(const unsigned char *text, uint32_t *code_out)
{
    size_t size = text[0] < 0x80 ? 1 : text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : text[0] >= 0xC0 ? 2 : 1;
    uint32_t code = size == 1 ? text[0] : text[0] & (0xFFu >> (size + 1));

    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            *code_out = 0xFFFD;
            return 1;
        }
        code = code << 6 | (text[i] & 0x3F);
    }
    *code_out = code;
    return size;
}

static unsigned cells(uint32_t code)
{
    static const uint32_t wide[][2] = {
        {0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0x4DBF}, {0x4E00, 0xA4CF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
        {0xFE30, 0xFE6F}, {0xFF01, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
    };

    if ((code >= 0x300 && code <= 0x36F) || (code >= 0x200B && code <= 0x200F) || (code >= 0xFE00 && code <= 0xFE0F))
        return 0;
    for (size_t i = 0; i < COUNT_OF(wide); i++)
        if (code >= wide[i][0] && code <= wide[i][1])
            return 2;
    return 1;
}

/* Appends the text, cut and padded to `width` cells unless width is 0; returns the cells that it needs (at most
 * CELL_WIDTH_MAX). */
static unsigned print_cell(struct buffer *output, const char *text, unsigned width)
{
    unsigned used = 0;

    while (*text) {
        uint32_t code;
        size_t size = decode((const unsigned char *)text, &code);
        unsigned more = cells(code);

        if (used + more > CELL_WIDTH_MAX - (text[size] ? 1 : 0)) {
            if (output)
                buffer_append_str(output, STR("\xE2\x80\xA6"));
            used++;
            break;
        }
        /* Control characters would move the terminal's cursor. */
        if (output && (code < 0x20 || code == 0x7F || code == 0xFFFD))
            buffer_append_char(output, '.');
        else if (output)
            buffer_append(output, text, size);
        used += more;
        text += size;
    }
    for (unsigned i = used; output && i < width; i++)
        buffer_append_char(output, ' ');
    return used;
}

static void print_rows(struct store *store, const struct store_table *table, const char *spec, unsigned rows_max,
                       struct buffer *text)
{
    size_t rows, columns = table->schema.column_count, shown = size_min(columns, SHOWN_COLUMNS_MAX);
    char **texts = store_preview(store, table, spec, rows_max, &rows);
    unsigned widths[SHOWN_COLUMNS_MAX];

    for (size_t i = 0; i < shown; i++) {
        widths[i] = print_cell(NULL, table->schema.columns[i].name, 0);
        for (size_t row = 0; row < rows; row++) {
            const char *cell = texts[row * columns + i];
            unsigned width = print_cell(NULL, cell ? cell : "NULL", 0);

            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (size_t row = 0; row <= rows && rows > 0; row++) {
        buffer_print(text, "    ");
        for (size_t i = 0; i < shown; i++) {
            const char *cell = row == 0 ? table->schema.columns[i].name : texts[(row - 1) * columns + i];

            print_cell(text, cell ? cell : "NULL", i + 1 < shown ? widths[i] + 2 : 0);
        }
        buffer_print(text, "%s\n", shown < columns ? "  \xE2\x80\xA6" : "");
    }
    for (size_t i = 0; i < rows * columns; i++)
        free(texts[i]);
    free(texts);
}

void local_print_table(struct local *local, const char *project, const char *table_name, unsigned rows_per_partition,
                       unsigned partitions_max, struct buffer *text)
{
    struct store *store = local_store(local);
    struct store_table table;
    struct store_partition *partitions;
    struct refusal refusal;
    size_t count;

    if (!store_table_load(store, str_of(project), STR(""), str_of(table_name), &table, &refusal)) {
        buffer_print(text, "%s\n", refusal.text);
        return;
    }
    partitions = store_partitions(store, table.id, &count);
    buffer_print(text, "%s.%s: %lld rows", project, table_name, (long long)table.record_count);
    if (table.partitions.count > 0)
        buffer_print(text, " in %zu partitions", count);
    buffer_print(text, "\n");
    for (size_t i = 0; i < count && i < partitions_max; i++) {
        if (table.partitions.count > 0)
            buffer_print(text, "  %s: %lld rows\n", partitions[i].spec, (long long)partitions[i].record_count);
        print_rows(store, &table, partitions[i].spec, rows_per_partition, text);
    }
    if (count > partitions_max)
        buffer_print(text, "  and %zu partitions more\n", count - partitions_max);
    store_partitions_free(partitions, count);
    store_table_release(&table);
}

int64_t local_row_count(struct local *local, const char *project, const char *table_name)
{
    struct store_table table;
    struct refusal refusal;
    int64_t count;

    if (!store_table_load(local_store(local), str_of(project), STR(""), str_of(table_name), &table, &refusal))
        return 0;
    count = table.record_count;
    store_table_release(&table);
    return count;
}
