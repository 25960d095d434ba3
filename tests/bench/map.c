/* map.c: what batch:map costs a row: columns of orders in (id bigint, amount decimal, city string), one out.
 * usage: map STAGE.lua ROUNDS, a round is a batch of 1,000 rows. Prints how many of them came out as "gold", so that the work is seen to be done.
 * Instructions are counted from outside, as a difference of two numbers of rounds (bench.py). */
#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 1000, MEMORY_MAX = 64 << 20 };

static struct column *add_column(struct batch *batch, const char *name, struct type type)
{
    struct column *column = column_try_new(&batch->arena, type, batch->row_count, false);

    if (!column || !batch_set(batch, str_of(name), column))
        stop_out_of_memory("a column");
    return column;
}

static void fill(struct batch *batch)
{
    static const char *const cities[] = {"Shanghai", "Beijing", "Guangzhou", "Shenzhen", "Hangzhou", "Chengdu", "Wuhan", "Xi'an", "Nanjing", "Suzhou"};
    struct column *id, *amount, *city;

    batch_clear(batch);
    for (int64_t i = 0; i < ROWS; i++) {
        struct message message = {.value = STR("{}"), .offset = i};

        batch_add_message(batch, &message, NULL);
    }
    if (!batch_begin(batch, 0))
        stop_out_of_memory("a batch");
    id = add_column(batch, "id", TYPE_OF(TYPE_BIGINT));
    amount = add_column(batch, "amount", type_decimal(10, 2));
    city = add_column(batch, "city", TYPE_OF(TYPE_STRING));
    for (uint32_t i = 0; i < ROWS; i++) {
        id->bigint[i] = (int64_t)i * 7919 % 1000;
        amount->decimal[i] = (int64_t)i * 7919 % 100000;
        city->text[i] = str_of(cities[i * 31 % COUNT_OF(cities)]);
    }
}

int main(int argc, char **argv)
{
    struct script_limits limits = {MEMORY_MAX, 100000000};
    struct script_source source = {.stage = "map"};
    struct script_module *module;
    struct script_state *state;
    struct error error;
    struct batch *batch = batch_new(MEMORY_MAX);
    struct log *log = log_new(NULL, "map");
    long rounds = argc == 3 ? strtol(argv[2], NULL, 10) : -1, gold = 0;

    if (rounds < 0) {
        fprintf(stderr, "usage: map STAGE.lua ROUNDS\n");
        return 2;
    }
    source.path = argv[1];
    state = script_state_new(&limits, log);
    if (!script_module_open(state, &source, &module, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (long round = 0; round < rounds; round++) {
        struct column *level;

        fill(batch);
        if (!script_process(module, batch, &error) || batch->selected != ROWS) {
            fprintf(stderr, "rows failed: %.*s\n", batch->dirty ? (int)batch->dirty->reason.size : 0, batch->dirty ? batch->dirty->reason.data : "");
            return 1;
        }
        level = batch_field(batch, STR("level"))->column;
        for (uint32_t i = 0; i < ROWS; i++)
            gold += str_is(level->text[i], "gold");
    }
    printf("rounds=%ld gold=%ld\n", rounds, gold);
    script_state_free(state);
    batch_free(batch);
    log_free(log);
    return 0;
}
