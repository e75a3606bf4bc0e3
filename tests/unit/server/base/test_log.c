/* Log lines: valid JSON whatever a client sends, bounded, and never a reason to wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

static json_t *line_of(const ebmd_field *fields, size_t n)
{
    char text[EBMD_LOG_LINE_MAX];
    size_t size = ebmd_log_format(text, sizeof(text), 1000, EBMD_WARN, "e", fields, n);
    json_t *root;

    assert_true(size < sizeof(text));
    assert_int_equal(text[size - 1], '\n');
    assert_ptr_equal(memchr(text, '\n', size), text + size - 1); /* one line only */
    for (size_t i = 0; i + 1 < size; i++)
        assert_in_range((unsigned char)text[i], 0x20, 0x7e);
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    return root;
}

static void hostile_text(void **state)
{
    ebmd_field f = {.key = "path", .text = "/a\"b\\c\r\n{\"level\":\"x\"}\x1b[31m\xff\x7f\t"};
    json_t *root = line_of(&f, 1);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(root, "path")),
                        "/a\"b\\c\r\n{\"level\":\"x\"}\x1b[31m\xc3\xbf\x7f\t");
    assert_string_equal(json_string_value(json_object_get(root, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(root, "ts")), "1970-01-01T00:00:01.000Z");
    json_decref(root);
}

static void every_byte(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[2] = {(char)c, '\0'};
        ebmd_field f = {.key = "t", .text = text};

        json_decref(line_of(&f, 1));
    }
}

/* Ten texts that escape to six bytes each are more than a line holds: members fall away whole. */
static void a_line_is_bounded(void **state)
{
    char text[2000];
    ebmd_field f[10];
    json_t *root;

    (void)state;
    memset(text, 1, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < 10; i++) {
        static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
        f[i] = (ebmd_field){.key = keys[i], .text = text};
    }
    f[9] = (ebmd_field){.key = "last", .number = 1.5};
    root = line_of(f, 10);
    assert_int_equal(strlen(json_string_value(json_object_get(root, "a"))), EBMD_LOG_TEXT_MAX);
    assert_true(json_real_value(json_object_get(root, "last")) == 1.5);
    json_decref(root);
}

static void numbers(void **state)
{
    double nan = strtod("nan", NULL);
    ebmd_field f[] = {{.key = "i", .number = 1234567}, {.key = "bad", .number = nan}};
    json_t *root = line_of(f, 2);

    (void)state;
    assert_true(json_number_value(json_object_get(root, "i")) == 1234567.0);
    assert_null(json_object_get(root, "bad"));
    json_decref(root);
}

/* A pipe nobody reads fills up; logging goes on at once and says later how much was lost. */
static void a_stuck_reader(void **state)
{
    int fds[2];
    char text[65536];
    ebmd_log *log;
    ssize_t n, total = 0;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    log = ebmd_log_open(fds[1]);
    assert_non_null(log);
    for (int i = 0; i < 5000; i++)
        ebmd_log_event(log, EBMD_INFO, "flood", NULL, 0);
    while (total < 60000 && (n = read(fds[0], text, sizeof(text))) > 0)
        total += n;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    while (read(fds[0], text, sizeof(text)) > 0)
        ;
    ebmd_log_event(log, EBMD_INFO, "after", NULL, 0);
    n = read(fds[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "\"log_dropped\""));
    assert_non_null(strstr(text, "\"after\""));
    ebmd_log_close(log);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text),      cmocka_unit_test(every_byte),
        cmocka_unit_test(a_line_is_bounded), cmocka_unit_test(numbers),
        cmocka_unit_test(a_stuck_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
