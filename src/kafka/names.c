/* names.c: see names.h. */
#include "kafka/names.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

/* One line a property: "name | C/P | range | default | ...", where C/P is C, P or * for both. */
bool kafka_name_is_shared(struct str table, struct str name)
{
    struct str line, column, rest = table;

    while (rest.data) {
        str_cut(rest, '\n', &line, &rest);
        str_cut(line, '|', &column, &line);
        if (!str_equal(str_trim(column), name))
            continue;
        str_cut(line, '|', &column, &line);
        return str_is(str_trim(column), "*");
    }
    return false;
}

char *kafka_names_table(size_t *size_out)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, size_out);

    if (!stream)
        return NULL;
    rd_kafka_conf_properties_show(stream);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

void kafka_name_hint(const char *name, char *text, size_t size)
{
    size_t table_size = 0, count = 0, capacity = 0;
    char *table = kafka_names_table(&table_size);
    struct str line, column, rest = table ? str_make(table, table_size) : STR_NONE;
    const char *nearest, **names = NULL;

    while (rest.data) {
        str_cut(rest, '\n', &line, &rest);
        if (!str_cut(line, '|', &column, &line))
            continue;
        XGROW(names, count, capacity);
        names[count++] = str_dup(str_trim(column));
    }
    nearest = str_nearest(str_of(name), names, count);
    text[0] = '\0';
    if (nearest)
        snprintf(text, size, "; did you mean \"%s\"?", nearest);
    for (size_t i = 0; i < count; i++)
        free((char *)names[i]);
    free(names);
    free(table);
}
