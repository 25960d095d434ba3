/* csv.c: one pass, a byte at a time. */
#include "util/csv.h"

void csv_reader_init(struct csv_reader *reader, char *bytes, size_t size, char separator)
{
    bool marked = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0;

    *reader = (struct csv_reader){bytes + (marked ? 3 : 0), bytes + size, separator, 0, 1};
}

/* The quoted field whose first quote is behind us; false without a closing one, or with something behind it. */
static bool take_quoted(struct csv_reader *reader, struct str *field, struct error *error)
{
    char *out = reader->at;
    unsigned line = reader->line_next;

    field->data = out;
    for (; reader->at < reader->end; reader->at++) {
        if (*reader->at == '"') {
            if (reader->at + 1 == reader->end || reader->at[1] != '"')
                break;
            reader->at++;
        }
        reader->line_next += *reader->at == '\n';
        *out++ = *reader->at;
    }
    if (reader->at == reader->end)
        return error_set(error, ERROR_CONFIG, "line %u: the quote is not closed", line);
    reader->at++;
    field->size = (size_t)(out - field->data);
    if (reader->at < reader->end && *reader->at != reader->separator && *reader->at != '\n' && *reader->at != '\r')
        return error_set(error, ERROR_CONFIG,
                         "line %u: behind a closing quote there must be a separator; a quote inside of quotes is doubled",
                         reader->line_next);
    return true;
}

static void take_plain(struct csv_reader *reader, struct str *field)
{
    field->data = reader->at;
    while (reader->at < reader->end && *reader->at != reader->separator && *reader->at != '\n')
        reader->at++;
    field->size = (size_t)(reader->at - field->data);
    if (field->size && field->data[field->size - 1] == '\r' && (reader->at == reader->end || *reader->at == '\n'))
        field->size--;
}

bool csv_reader_next(struct csv_reader *reader, struct str *fields, size_t fields_max, size_t *count_out, struct error *error)
{
    size_t count = 0;

    *count_out = 0;
    while (reader->at < reader->end &&
           (*reader->at == '\n' || (*reader->at == '\r' && reader->at + 1 < reader->end && reader->at[1] == '\n'))) {
        reader->at += *reader->at == '\r' ? 2 : 1;
        reader->line_next++;
    }
    reader->line = reader->line_next;
    if (reader->at == reader->end)
        return true;
    for (;;) {
        if (count == fields_max)
            return error_set(error, ERROR_CONFIG, "line %u: more than %zu fields", reader->line, fields_max);
        if (reader->at < reader->end && *reader->at == '"') {
            reader->at++;
            if (!take_quoted(reader, &fields[count], error))
                return false;
        } else {
            take_plain(reader, &fields[count]);
        }
        count++;
        if (reader->at == reader->end || *reader->at != reader->separator)
            break;
        reader->at++;
    }
    if (reader->at < reader->end && *reader->at == '\r')
        reader->at++;
    if (reader->at < reader->end && *reader->at == '\n') {
        reader->at++;
        reader->line_next++;
    }
    *count_out = count;
    return true;
}
