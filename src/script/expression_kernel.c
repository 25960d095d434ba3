/* expression_kernel.c: luaduct.expression(text, path [, type]): an expression as a kernel of the whole batch.
 * path is the option that it comes from, for complaints; type is what its result must be. Parsed when it is made: what is wrong
 * then is told, but the module opens all the same, for whoever listens goes on to the mistakes of the others. Fields and types
 * are checked when the first batch comes, which for `check` is one without rows: what is wrong is told then, each mistake at its
 * place, and a column of NULLs stands in for it, so that all mistakes of all stages are found at once. */
#include "script/kernel.h"

#include <stdio.h>
#include <stdlib.h>

#include "expression/expression.h"
#include "util/clock.h"

struct expression_kernel {
    struct expression *expression; /* NULL: its syntax does not hold, which was told */
    struct script_module *module;
    char *path;
    struct type type; /* TYPE_NULL: any */
};

static void kernel_free(void *kernel)
{
    struct expression_kernel *self = kernel;

    if (!self)
        return;
    expression_free(self->expression);
    free(self->path);
    free(self);
}

static struct script_place place_of(const struct expression_mistake *mistake)
{
    return (struct script_place){(ptrdiff_t)mistake->place.at, mistake->place.width};
}

/* Somebody probes the job: all mistakes are told, and a column of NULLs stands in. Without them that is done already. */
static bool stand_in(struct expression_kernel *self, const struct expression_mistakes *mistakes, struct batch *batch,
                     struct column **column_out, struct error *error)
{
    for (size_t i = 0; i < mistakes->count; i++)
        run_complain_at(self->module, self->path, place_of(&mistakes->list[i]), mistakes->list[i].text);
    *column_out = column_try_new(&batch->arena, self->type, batch->row_count, true);
    if (!*column_out)
        return error_set(error, ERROR_DATA, "the batch needs more memory than a batch may use");
    return true;
}

static bool kernel_run(void *kernel, struct batch *batch, const struct column *column UNUSED, struct str name UNUSED,
                       struct column **column_out, struct error *error)
{
    struct expression_kernel *self = kernel;
    struct script_run *run = &self->module->state->run;
    struct expression_mistakes mistakes;
    char type[TYPE_NAME_MAX], wanted[TYPE_NAME_MAX];
    struct column *result;
    bool probed = self->module->complain && !batch->message_count;

    mistakes.count = 0;
    if (!self->expression) {
        if (probed)
            return stand_in(self, &mistakes, batch, column_out, error);
        return error_set(error, ERROR_CONFIG, "%s: the expression does not parse", self->path);
    }
    if (!run->now_ms)
        run->now_ms = clock_wall_ms();
    if (!expression_run(self->expression, batch, run->now_ms, &result, &mistakes, error)) {
        if (error->kind != ERROR_CONFIG)
            return false;
        if (probed)
            return stand_in(self, &mistakes, batch, column_out, error);
        return error_wrap(error, "%s, character %zu", self->path, mistakes.count ? mistakes.list[0].place.at + 1 : 1);
    }
    if (self->type.kind != TYPE_NULL && result->type.kind != TYPE_NULL && !type_equal(result->type, self->type)) {
        error_set(error, ERROR_CONFIG, "this must give a %s and gives a %s%s", type_print(self->type, wanted),
                  type_print(result->type, type), self->type.kind == TYPE_BOOLEAN ? "; compare it with something" : "");
        if (!probed)
            return error_wrap(error, "%s", self->path);
        run_complain(self->module, self->path, error->text);
        return stand_in(self, &mistakes, batch, column_out, error);
    }
    *column_out = result;
    return true;
}

static const struct kernel_ops expression_ops = {"luaduct.expression", true, kernel_run, kernel_free};

int expression_new_throws(lua_State *L)
{
    struct script_state *state = script_of(L);
    struct script_module *module = state->opening ? state->opening : state->run.module;
    struct expression_environment environment = {.zone = module->convert.zone,
                                                 .job = str_of(module->job),
                                                 .topic = str_of(module->topic),
                                                 .execute_time_ms = module->execute_time_ms};
    const char *path = luaL_optstring(L, 2, "expression"), *type_name = luaL_optstring(L, 3, NULL);
    struct type type = TYPE_OF(TYPE_NULL);
    struct expression_kernel *self;
    struct expression_mistakes mistakes;
    struct kernel_box *box;
    struct error error;
    struct str text;

    /* What YAML takes for a boolean or a number is an expression as well. */
    if (lua_isboolean(L, 1))
        text = lua_toboolean(L, 1) ? STR("true") : STR("false");
    else if (lua_isstring(L, 1))
        text.data = lua_tolstring(L, 1, &text.size);
    else
        return luaL_typeerror(L, 1, "string");
    if (type_name && !type_parse(str_of(type_name), &type, &error))
        return luaL_argerror(L, 3, lua_pushstring(L, error.text));
    box = kernel_push_throws(L, &expression_ops);
    self = xcalloc(1, sizeof(*self));
    if (!expression_parse(&self->expression, text, &environment, &mistakes)) {
        if (!state->opening || !module->complain) {
            expression_free(self->expression);
            free(self);
            return luaL_error(L, "%s, character %d: %s", path, (int)mistakes.list[0].place.at + 1, mistakes.list[0].text);
        }
        for (size_t i = 0; i < mistakes.count; i++)
            module->complain(module->complain_arg, path, place_of(&mistakes.list[i]), mistakes.list[i].text);
    }
    self->module = module;
    self->path = xstrdup(path);
    self->type = type;
    kernel_fill(box, self);
    return 1;
}
