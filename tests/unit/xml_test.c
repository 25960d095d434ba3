/* xml_test.c: finding elements, their texts, and what texts need in order to stand in a document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "util/xml.h"

static void elements_are_found_and_decoded(void **state UNUSED)
{
    static const struct {
        const char *what, *document, *path;
        enum xml_result result;
        const char *text; /* NULL: the text is malformed */
    } cases[] = {
        {"CDATA", "<?xml version='1.0'?><!-- c --><T><S a='>'><![CDATA[ <x> ]]></S></T>", "T/S", XML_FOUND, " <x> "},
        {"references", "<T>&lt;&#65;&#x42;&amp;&quot;&apos;&#x20AC;</T>", "T", XML_FOUND, "<AB&\"'\xE2\x82\xAC"},
        {"an unknown reference", "<T>&evil;</T>", "T", XML_FOUND, NULL},
        {"a surrogate", "<T>&#xD800;</T>", "T", XML_FOUND, NULL},
        {"a reference without end", "<T>&lt</T>", "T", XML_FOUND, NULL},
        {"an empty element", "<T><S/></T>", "T/S", XML_FOUND, ""},
        {"the first of two", "<T><A><S>no</S></A><S>1</S><S>2</S></T>", "T/S", XML_FOUND, "1"},
        {"a second branch", "<T><A><X/></A><A><S>1</S></A></T>", "T/A/S", XML_FOUND, "1"},
        {"absent", "<T><A/></T>", "T/S", XML_ABSENT, ""},
        {"a deeper one does not count", "<T><A><S>1</S></A></T>", "T/S", XML_ABSENT, ""},
        {"cut", "<T><S>1</S>", "T/S", XML_BROKEN, ""},
        {"cut inside a tag", "<T><S", "T/S", XML_BROKEN, ""},
        {"crossed tags", "<T><S></T></S>", "T/S", XML_BROKEN, ""},
        {"no XML", "hello", "T", XML_BROKEN, ""},
        {"nothing", "", "T", XML_BROKEN, ""},
        {"open CDATA", "<T><![CDATA[x</T>", "T", XML_BROKEN, ""},
        {"DOCTYPE", "<!DOCTYPE T><T/>", "T", XML_BROKEN, ""},
    };
    struct buffer deep;
    struct str inner;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer text;
        enum xml_result result = xml_find(str_of(cases[i].document), cases[i].path, &inner, NULL);

        buffer_init(&text, 0);
        if (result != cases[i].result)
            fail_msg("%s: result %d", cases[i].what, (int)result);
        if (result == XML_FOUND && xml_text(inner, &text) != (cases[i].text != NULL))
            fail_msg("%s: text", cases[i].what);
        if (result == XML_FOUND && cases[i].text && !str_is(buffer_str(&text), cases[i].text))
            fail_msg("%s: \"%s\"", cases[i].what, buffer_text(&text));
        buffer_release(&text);
    }
    buffer_init(&deep, 0);
    for (size_t i = 0; i < 1000; i++)
        buffer_append_str(&deep, STR("<T>"));
    assert_int_equal(xml_find(buffer_str(&deep), "T/T", &inner, NULL), XML_BROKEN);
    buffer_release(&deep);
}

static void texts_are_made_fit_for_a_document(void **state UNUSED)
{
    static const struct {
        struct str text;
        const char *escaped;
    } cases[] = {
        {STR(""), ""},
        {STR("plain 'text' \u4e2d\U0001f600"), "plain 'text' \u4e2d\U0001f600"},
        {STR("<a b=\"c\">&amp;"), "&lt;a b=&quot;c&quot;&gt;&amp;amp;"},
        {STR("a\tb\nc\r"), "a&#9;b&#10;c&#13;"},
        {STR("\x1B[0m\0\x01\x7F"), "\uFFFD[0m\uFFFD\uFFFD\x7F"},
        {STR("\xFFx\xE4\xB8"), "\uFFFDx\uFFFD\uFFFD"},
        {STR("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD"}, /* a surrogate */
        {STR("\xEF\xBF\xBD|\xEF\xBF\xBE|\xEF\xBF\xBF|\xEE\xBF\xBF"), "\uFFFD|\uFFFD|\uFFFD|\xEE\xBF\xBF"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer xml, text;

        buffer_init(&xml, 0);
        buffer_init(&text, 0);
        xml_escape(&xml, cases[i].text);
        assert_string_equal(buffer_text(&xml), cases[i].escaped);
        assert_true(xml_text(buffer_str(&xml), &text));
        if (!strstr(cases[i].escaped, "\uFFFD"))
            assert_true(str_equal(buffer_str(&text), cases[i].text));
        buffer_release(&xml);
        buffer_release(&text);
    }
}

static void sections_keep_their_bytes(void **state UNUSED)
{
    static const char *const texts[] = {"", "a < b && c", "]]>", "x]]>]]>y", "]]]]>", "]]"};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct buffer xml, text;

        buffer_init(&xml, 0);
        buffer_init(&text, 0);
        xml_append_cdata(&xml, str_of(texts[i]));
        assert_true(xml_text(buffer_str(&xml), &text));
        assert_string_equal(buffer_text(&text), texts[i]);
        buffer_release(&xml);
        buffer_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_found_and_decoded),
        cmocka_unit_test(texts_are_made_fit_for_a_document),
        cmocka_unit_test(sections_keep_their_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
