/* Small rules about strings from outside: origins, media types, identifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/cors.h"
#include "base/ids.h"
#include "http/media.h"

static void origins(void **state)
{
    static const char list[] = "https://app.example,http://localhost:5173";
    static const struct {
        const char *origin;
        bool allowed;
    } rows[] = {{"https://app.example", true},
                {"http://localhost:5173", true},
                {"https://evil", false},
                {"https://app.example.evil", false},
                {"https://app.exampl", false},
                {"http://app.example", false},
                {"https://APP.example", false},
                {"null", false},
                {"", false},
                {"https://app.example,http://localhost:5173", false},
                {"http://localhost", false},
                {"http://localhost:51730", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ebmd_cors_allows(list, rows[i].origin), rows[i].allowed);
    assert_false(ebmd_cors_allows("", "https://app.example"));
    assert_false(ebmd_cors_allows("null", "null"));
}

static void origin_lists(void **state)
{
    static const struct {
        const char *list;
        bool valid;
    } rows[] = {{"", true},
                {"https://a", true},
                {"https://a,http://b:1,http://[::1]:2", true},
                {"*", false},
                {"https://a,", false},
                {",https://a", false},
                {"https://a, https://b", false},
                {"https://a/", false},
                {"https://A", false},
                {"https://", false},
                {"ftp://a", false},
                {"null", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ebmd_cors_list_valid(rows[i].list), rows[i].valid);
}

static void content_types(void **state)
{
    static const struct {
        const char *value;
        bool json;
    } rows[] = {{"application/json", true},
                {"Application/JSON", true},
                {"application/json; charset=utf-8", true},
                {"application/json;charset=\"UTF-8\"", true},
                {" application/json ", true},
                {"application/json; charset=utf-16", false},
                {"application/json; x=y", false},
                {"text/plain", false},
                {"application/x-www-form-urlencoded", false},
                {"application/jsonx", false},
                {"application/problem+json", false},
                {"", false},
                {NULL, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ebmd_media_is_json(rows[i].value), rows[i].json);
}

static void accepts(void **state)
{
    static const struct {
        const char *value;
        ebmd_media media;
    } rows[] = {{NULL, EBMD_MEDIA_JSON},
                {"", EBMD_MEDIA_JSON},
                {"*/*", EBMD_MEDIA_JSON},
                {"image/png", EBMD_MEDIA_PNG},
                {"text/event-stream", EBMD_MEDIA_EVENTS},
                {"Text/Event-Stream, */*;q=0.1", EBMD_MEDIA_EVENTS},
                {"text/event-stream;q=0.1, */*", EBMD_MEDIA_JSON},
                {"text/*", EBMD_MEDIA_NONE},
                {"IMAGE/PNG", EBMD_MEDIA_PNG},
                {"image/*", EBMD_MEDIA_PNG},
                {"application/json, image/png", EBMD_MEDIA_JSON},
                {"image/png, application/json", EBMD_MEDIA_PNG},
                {"application/json;q=0.5, image/png;q=0.9", EBMD_MEDIA_PNG},
                {"image/png;q=0.100,application/json;q=0.101", EBMD_MEDIA_JSON},
                {"image/png;q=0", EBMD_MEDIA_NONE},
                {"image/png;q=2", EBMD_MEDIA_NONE},
                {"image/png;q=1.0000", EBMD_MEDIA_NONE},
                {"text/html,*/*;q=0.8", EBMD_MEDIA_JSON},
                {"application/xml", EBMD_MEDIA_NONE},
                {",,;q=1,", EBMD_MEDIA_NONE}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(ebmd_media_accept(rows[i].value), rows[i].media);
}

static void ids(void **state)
{
    char a[EBMD_ID_SIZE], b[EBMD_ID_SIZE];

    (void)state;
    assert_true(ebmd_id_make("job_", 1000, a));
    assert_true(ebmd_id_make("job_", 1001, b));
    assert_int_equal(strlen(a), 30);
    assert_true(ebmd_id_is_job(a, 30));
    assert_true(strcmp(a, b) < 0); /* they sort by time */
    assert_memory_equal(a, "job_00000000Z8", 14);
    assert_true(ebmd_id_make("job_", 1000, b));
    assert_string_not_equal(a, b); /* false alarm: 1 in 2^80 */
    assert_true(ebmd_id_make("", INT64_MAX, a));
    assert_int_equal(strlen(a), 26);
    assert_true(a[0] <= '7');
}

static void job_id_syntax(void **state)
{
    static const char *const bad[] = {"",
                                      "job_",
                                      "job_0000000000000000000000000",
                                      "job_000000000000000000000000000",
                                      "JOB_00000000000000000000000000",
                                      "job_0000000000000000000000000I",
                                      "job_0000000000000000000000000a",
                                      "job_80000000000000000000000000",
                                      "'; DROP TABLE jobs; --      "};

    (void)state;
    assert_true(ebmd_id_is_job("job_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 30));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ebmd_id_is_job(bad[i], strlen(bad[i])));
    assert_false(ebmd_id_is_job("job_0000000000000000000000000\0", 30));
}

static void request_id_syntax(void **state)
{
    char text[66];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_true(ebmd_id_is_request("A-z_0.9", 7));
    assert_true(ebmd_id_is_request(text, 64));
    assert_false(ebmd_id_is_request(text, 65));
    assert_false(ebmd_id_is_request("", 0));
    assert_false(ebmd_id_is_request("a b", 3));
    assert_false(ebmd_id_is_request("a\nb", 3));
    assert_false(ebmd_id_is_request("\xc3\xa9", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins),
        cmocka_unit_test(origin_lists),
        cmocka_unit_test(content_types),
        cmocka_unit_test(accepts),
        cmocka_unit_test(ids),
        cmocka_unit_test(job_id_syntax),
        cmocka_unit_test(request_id_syntax),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
