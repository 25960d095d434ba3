/* steps.c: names, and in test builds the stops. */
#include "pipeline/steps.h"

const char *const step_names[STEP_COUNT] = {
#define X(name, sentence) [STEP_##name] = #name,
    STEP_LIST(X)
#undef X
};

#ifdef LUADUCT_STEPS
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/str.h"

/* Whether the item "NAME:COUNT:WHAT" is about this step at this time; the signal, or 0. */
static int item_signal(struct str item, enum step step, unsigned count)
{
    struct str name, number, what, rest;
    unsigned wanted = 0;

    if (!str_cut(item, ':', &name, &rest) || !str_cut(rest, ':', &number, &what) || !str_is(name, step_names[step]))
        return 0;
    for (size_t i = 0; i < number.size; i++)
        wanted = wanted * 10 + (unsigned)(number.data[i] - '0');
    if (wanted != count)
        return 0;
    return str_is(what, "stop") ? SIGSTOP : SIGKILL;
}

void step_reached(enum step step)
{
    static unsigned counts[STEP_COUNT];
    const char *text = getenv("LUADUCT_STEP");
    struct str rest = str_of(text ? text : "");

    counts[step]++;
    while (rest.size) {
        struct str item;
        int number;

        str_cut(rest, ',', &item, &rest);
        number = item_signal(item, step, counts[step]);
        if (number)
            kill(getpid(), number);
    }
}

int64_t steps_stuck_ms(int64_t usual_ms)
{
    const char *text = getenv("LUADUCT_STUCK_MS");

    return text ? strtoll(text, NULL, 10) : usual_ms;
}
#endif
