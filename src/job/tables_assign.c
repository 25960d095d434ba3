/* tables_assign.c: options of a stage of kind assign. They are checked here and stored nowhere; lua/assign.lua reads them from
 * the tree, and checks what one option alone does not tell. */
#include "job/tables_internal.h"

static void value_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED, struct tree_node *node)
{
    if (node && node->kind != TREE_SCALAR)
        option_mistake(reader, node, "must be a text, a number, true or false, not a %s",
                       node->kind == TREE_LIST ? "list" : "map");
}

const struct option assign_set_rows[] = {
    {.name = "field", .type = OPTION_TEXT, .flags = OPTION_REQUIRED, .check = column_check,
     .sentence = "The field that gets it."},
    {.name = "value", .type = OPTION_CUSTOM, .read = value_read, .form = "scalar",
     .sentence = "A constant: a text, a number, true or false."},
    {.name = "type", .type = OPTION_TEXT, .check = pipeline_type_check, .form = "type",
     .sentence = "The constant's type, where it does not show: \"12.50\" as decimal(10,2), \"2024-01-31\" as date."},
    {.name = "expression", .type = OPTION_TEXT, .form = "expression",
     .sentence = "What the value is computed by, such as price * quantity or upper(city); see `luaduct help functions`. "
                 "${job}, ${topic}, ${execute_time} and ${now} may stand in it."},
    FOREIGN("name", "use \"field\""),
    FOREIGN("to", "use \"value\" or \"expression\""),
    END,
};

/* A map from fields to something; `what` names that. check may be NULL. */
static void map_read(struct option_reader *reader, struct tree_node *node, const char *what,
                     bool (*check)(struct str text, struct error *error))
{
    if (!node)
        return;
    if (node->kind != TREE_MAP || !node->count) {
        option_mistake(reader, node, "must be a map of fields, {field: %s}", what);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct tree_node *value = node->entries[i].value;
        size_t mark = options_path_enter(reader, node->entries[i].key, 0);
        struct error error;

        if (option_scalar(reader, value, what)) {
            value->quoted = true; /* a name, whatever it looks like */
            if (!check(value->text, &error))
                option_mistake(reader, value, "%s", error.text);
        }
        options_path_leave(reader, mark);
    }
}

void renames_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED, struct tree_node *node)
{
    map_read(reader, node, "a new name", column_check);
}

void casts_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED, struct tree_node *node)
{
    map_read(reader, node, "a type", pipeline_type_check);
}

void names_read(struct option_reader *reader, const struct option *row UNUSED, void *base UNUSED, struct tree_node *node)
{
    if (!node)
        return;
    if (node->kind != TREE_LIST || !node->count) {
        option_mistake(reader, node, "must be a list of field names");
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        size_t mark = options_path_enter(reader, STR_NONE, i + 1);

        if (option_scalar(reader, node->items[i], "a field's name"))
            node->items[i]->quoted = true;
        options_path_leave(reader, mark);
    }
}
