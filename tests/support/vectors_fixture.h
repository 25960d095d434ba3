/* vectors_fixture.h: the protocol's test vectors for a whole test program: give vectors_setup and vectors_teardown to
 * cmocka_run_group_tests, and every test finds them in `vectors`. */
#ifndef LUADUCT_TESTS_VECTORS_FIXTURE_H
#define LUADUCT_TESTS_VECTORS_FIXTURE_H

#include "support/vectors.h"

static struct vectors vectors;

static inline int vectors_setup(void **state)
{
    (void)state;
    vectors_init(&vectors);
    return 0;
}

static inline int vectors_teardown(void **state)
{
    (void)state;
    vectors_release(&vectors);
    return 0;
}

#endif
