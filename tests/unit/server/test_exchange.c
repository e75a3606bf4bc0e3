/* A request's life without sockets: early refusals, the growing body, the common headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "ebm/memory.h"
#include "exchange.h"
#include "fail_alloc.h"
#include "routes/router.h"
#include "temp_dir.h"

static ebmd_state phase = {.wake_fd = -1};

static ebmd_app make_app(void)
{
    atomic_store(&phase.phase, EBMD_STARTING);
    return (ebmd_app){.state = &phase,
                      .cors_origins = "https://a.example",
                      .build = "b",
                      .version = "v",
                      .kernel_class = "k",
                      .workers = 1};
}

static ebmd_request *make_request(const char *method, const char *target)
{
    ebm_arena *arena = ebm_arena_create(1u << 20);
    ebmd_request *r = arena ? ebm_arena_alloc(arena, 1, sizeof(*r)) : NULL;

    if (!r) {
        ebm_arena_free(arena);
        return NULL;
    }
    r->arena = arena;
    r->head.method = method;
    r->head.target = target;
    r->head.version = "HTTP/1.1";
    return r;
}

static void add(ebmd_request *r, const char *name, const char *value)
{
    r->head.header[r->head.n_headers++] = (ebmd_header){name, strlen(name), value, strlen(value)};
}

static const char *reply_header(const ebmd_request *r, const char *name)
{
    for (size_t i = 0; i < r->reply.n_headers; i++) {
        if (strcmp(r->reply.header[i].name, name) == 0)
            return r->reply.header[i].value;
    }
    return "";
}

static void refusals_before_the_body(void **state)
{
    static const struct {
        const char *method, *target, *type, *length;
        bool overloaded;
        int status;
    } rows[] = {{"GET", "/healthz", NULL, NULL, false, 0},
                {"GET", "/healthz", NULL, NULL, true, 503},
                {"GET", "/healthz?x", NULL, NULL, false, 400},
                {"GET", "/nope", NULL, NULL, false, 404},
                {"POST", "/healthz", NULL, NULL, false, 405},
                {"POST", "/sample", NULL, "2", false, 415},
                {"POST", "/sample", "application/json", "4194305", false, 413},
                {"POST", "/sample", "text/plain", "4194305", false, 413},
                {"POST", "/sample", "application/json", "2", false, 503}, /* still starting */
                {"POST", "/sample", "application/json", "1, 2", false, 400}};
    ebmd_app app = make_app();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_request *r = make_request(rows[i].method, rows[i].target);

        add(r, "Host", "t");
        if (rows[i].type)
            add(r, "content-type", rows[i].type);
        if (rows[i].length)
            add(r, "Content-Length", rows[i].length);
        ebmd_exchange_head(&app, r, EBMD_ON_MAIN, rows[i].overloaded);
        assert_int_equal(r->reply.status, rows[i].status);
        assert_int_equal(r->reply.close, rows[i].status != 0);
        ebmd_request_free(r);
    }
}

static void the_body_grows_up_to_its_limit(void **state)
{
    static const ebmd_route plain = {.flags = EBMD_TAKES_JSON};
    static char piece[1000];
    ebmd_request *r = make_request("POST", "/plain");

    (void)state;
    r->route = &plain;
    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (char)i;
    for (size_t sent = 0; sent + 1000 <= EBMA_BODY_MAX; sent += 1000)
        assert_true(ebmd_exchange_body(r, piece, 1000));
    assert_int_equal(r->body_size, 65000);
    assert_memory_equal(r->body + 64000, piece, 1000);
    assert_true(ebmd_exchange_body(r, piece, 536));
    assert_int_equal(r->body_size, EBMA_BODY_MAX);
    assert_true(r->body_room <= EBMA_BODY_MAX);
    assert_true(ebmd_exchange_body(r, piece, 1)); /* too long: read on, keep nothing */
    assert_int_equal(r->body_size, EBMA_BODY_MAX);
    while (r->body_seen + 1000 <= 20u * 1024u * 1024u)
        assert_true(ebmd_exchange_body(r, piece, 1000));
    assert_false(ebmd_exchange_body(r, piece, 1000)); /* and not for ever */
    ebmd_request_free(r);
}

static void a_body_with_pictures_may_be_longer(void **state)
{
    static const ebmd_route pictures = {.flags = EBMD_TAKES_JSON | EBMD_TAKES_PICTURES};
    static char piece[65536];
    ebmd_request *r = make_request("POST", "/pictures");

    (void)state;
    r->route = &pictures;
    for (size_t sent = 0; sent < EBMA_UPLOAD_MAX; sent += sizeof(piece))
        assert_true(ebmd_exchange_body(r, piece, sizeof(piece)));
    assert_int_equal(r->body_size, EBMA_UPLOAD_MAX);
    assert_true(ebmd_exchange_body(r, piece, 1));
    assert_int_equal(r->body_size, EBMA_UPLOAD_MAX);
    ebmd_request_free(r);
}

/* Bodies of all requests together have an end: who comes too late is told to come again. */
static void bodies_share_a_budget(void **state)
{
    static const ebmd_route pictures = {.flags = EBMD_TAKES_JSON | EBMD_TAKES_PICTURES};
    static char piece[65536];
    ebmd_budget budget = {.max = 200000};
    ebmd_app app = make_app();
    ebmd_request *first = make_request("POST", "/a"), *second = make_request("POST", "/b");

    (void)state;
    first->route = second->route = &pictures;
    first->budget = second->budget = &budget;
    assert_true(ebmd_exchange_body(first, piece, sizeof(piece)));
    assert_true(ebmd_exchange_body(first, piece, sizeof(piece)));
    assert_int_equal(first->body_size, 2 * sizeof(piece));
    assert_true(ebmd_exchange_body(second, piece, sizeof(piece)));
    assert_true(ebmd_exchange_body(second, piece, sizeof(piece))); /* read on, kept nowhere */
    assert_true(second->starved);
    assert_int_equal(second->body_size, 0);
    ebmd_exchange_run(&app, second);
    assert_int_equal(second->reply.status, 503);
    assert_string_equal(reply_header(second, "Retry-After"), "1");
    assert_int_equal(atomic_load(&budget.used), first->budgeted);
    ebmd_request_free(first);
    ebmd_request_free(second);
    assert_int_equal(atomic_load(&budget.used), 0);
}

/* What the application has for all requests, each request takes from. */
static void budgets_come_from_the_application(void **state)
{
    ebmd_budget bodies = {.max = 1}, replies = {.max = 2};
    ebmd_app app = make_app();
    ebmd_request *r = make_request("GET", "/healthz");

    (void)state;
    app.bodies = &bodies;
    app.replies = &replies;
    add(r, "Host", "t");
    ebmd_exchange_head(&app, r, EBMD_ON_MAIN, false);
    assert_ptr_equal(r->budget, &bodies);
    assert_ptr_equal(r->replies, &replies);
    ebmd_request_free(r);
}

/* The line that a client wrote comes before the one that our proxy added. */
static void lists_in_several_lines(void **state)
{
    ebmd_request *r = make_request("GET", "/healthz");

    (void)state;
    assert_null(ebmd_request_list(r, "X-Forwarded-For"));
    add(r, "x-forwarded-for", "192.0.2.1");
    add(r, "Prefer", "respond-async");
    assert_string_equal(ebmd_request_list(r, "X-Forwarded-For"), "192.0.2.1");
    add(r, "X-Forwarded-For", "192.0.2.2, 192.0.2.3");
    add(r, "prefer", "wait=5");
    add(r, "X-Forwarded-For", "");
    assert_string_equal(ebmd_request_list(r, "X-Forwarded-For"),
                        "192.0.2.1, 192.0.2.2, 192.0.2.3, ");
    assert_string_equal(ebmd_request_list(r, "Prefer"), "respond-async, wait=5");
    assert_string_equal(ebmd_request_header(r, "Prefer"), "respond-async");
    while (ebm_arena_alloc(r->arena, 1, 1))
        ;
    assert_string_equal(ebmd_request_list(r, "Prefer"), "wait=5");
    ebmd_request_free(r);
}

static void reply_with(ebmd_request *r, size_t size)
{
    char *body = ebm_alloc(size, 1);

    assert_non_null(body);
    ebmd_reply_body(r, 200, "image/png", body, size);
}

/* Large replies of all requests together have an end, too: small ones go on. */
static void large_replies_share_a_budget(void **state)
{
    const size_t large = 2 * EBMD_REPLY_SMALL;
    ebmd_budget budget = {.max = 3 * EBMD_REPLY_SMALL};
    ebmd_app app = make_app();
    ebmd_request *first = make_request("GET", "/a"), *second = make_request("GET", "/b");

    (void)state;
    first->replies = second->replies = &budget;
    assert_true(ebmd_reply_reserve(first, large)); /* before it is read, */
    reply_with(first, large);                      /* and not once more for the reply */
    assert_int_equal(first->reply.status, 200);
    assert_int_equal(atomic_load(&budget.used), large);
    assert_false(ebmd_reply_reserve(second, large));
    reply_with(second, EBMD_REPLY_SMALL);
    assert_int_equal(second->reply.status, 200);
    reply_with(second, large);
    second->reply.caching = EBMD_KEEP_FOR_EVER;
    ebmd_exchange_seal(&app, second);
    assert_int_equal(second->reply.status, 503);
    assert_string_equal(reply_header(second, "Retry-After"), "5");
    assert_string_equal(reply_header(second, "Cache-Control"), "no-store");
    ebmd_request_free(second);
    assert_int_equal(atomic_load(&budget.used), large);
    ebmd_request_free(first);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void common_headers(void **state)
{
    ebmd_app app = make_app();
    ebmd_request *r = make_request("GET", "/healthz");

    (void)state;
    atomic_store(&phase.phase, EBMD_READY);
    add(r, "Host", "t");
    add(r, "X-Request-Id", "abc");
    add(r, "Origin", "https://a.example");
    ebmd_exchange_head(&app, r, EBMD_ON_MAIN, false);
    ebmd_exchange_run(&app, r);
    ebmd_exchange_seal(&app, r);
    assert_int_equal(r->reply.status, 200);
    assert_string_equal(reply_header(r, "X-Request-Id"), "abc");
    assert_string_equal(reply_header(r, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(reply_header(r, "Cache-Control"), "no-store");
    assert_string_equal(reply_header(r, "Access-Control-Allow-Origin"), "https://a.example");
    assert_string_equal(reply_header(r, "Vary"), "Origin");
    assert_string_equal(reply_header(r, "Connection"), "");
    ebmd_request_free(r);
}

static void a_drain_closes_connections(void **state)
{
    ebmd_app app = make_app();
    ebmd_request *r = make_request("GET", "/healthz");

    (void)state;
    atomic_store(&phase.phase, EBMD_DRAINING);
    add(r, "Host", "t");
    ebmd_exchange_head(&app, r, EBMD_ON_MAIN, false);
    ebmd_exchange_run(&app, r);
    ebmd_exchange_seal(&app, r);
    assert_int_equal(r->reply.status, 200); /* alive, though not ready */
    assert_string_equal(reply_header(r, "Connection"), "close");
    ebmd_request_free(r);
}

static void a_handler_without_an_answer(void **state)
{
    ebmd_app app = make_app();
    ebmd_request *r = make_request("GET", "/healthz");

    (void)state;
    ebmd_exchange_seal(&app, r);
    assert_int_equal(r->reply.status, 500);
    ebmd_request_free(r);
}

/* Without memory there is always some answer, and nothing leaks (the sanitizer looks). */
static void without_memory(void **state)
{
    ebmd_app app = make_app();

    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmd_request *r = make_request("GET", "/v1/models/a");

        if (r) {
            add(r, "Host", "t");
            ebmd_exchange_head(&app, r, EBMD_ON_MAIN, true);
            ebmd_exchange_seal(&app, r);
            assert_true(r->reply.status >= 500);
            ebmd_request_free(r);
        }
    }
}

#define BEARER(id) "Bearer " id ".0123456789abcdef0123456789abcdef"
#define TAIL                                                                                       \
    " - - 000102030405060708090a0b0c0d0e0f "                                                       \
    "355cdbe611519477dfe934e5707a13b91de04201300dc1c9507369164fa60839\n"

static ebmd_keys *open_keys(void)
{
    static const char text[] = "a sample,jobs" TAIL "root admin" TAIL;
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    ebmd_keys *k = NULL;

    assert_true(temp_dir_make(dir) && temp_dir_join(dir, "k", path) &&
                temp_dir_write(dir, "k", text, sizeof(text) - 1));
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(ebmd_keys_open(path, &k, NULL), EBM_OK);
    temp_dir_remove(dir);
    return k;
}

/* Every row of the main listener is closed without a key, unless it says that it is public; those
 * of the admin listener only where others than this machine can reach it. */
static void closed_rows(bool admin_keys)
{
    ebmd_app app = make_app();
    size_t n;
    const ebmd_route *rows = ebmd_routes(&n);

    app.keys = open_keys();
    app.admin_keys = admin_keys;
    for (size_t i = 0; i < n; i++) {
        bool on_main = (rows[i].flags & EBMD_ON_MAIN) != 0;
        bool closed = (on_main || admin_keys) && !(rows[i].flags & EBMD_IS_PUBLIC);
        ebmd_request *r =
            make_request((rows[i].methods & EBMD_POST) ? "POST" : "GET", rows[i].pattern);

        add(r, "Host", "t");
        add(r, "Content-Length", "99999999"); /* 401 comes before 413 and 415 */
        r->head.n_headers -= (rows[i].methods & EBMD_POST) ? 0 : 1;
        ebmd_exchange_head(&app, r, on_main ? EBMD_ON_MAIN : EBMD_ON_ADMIN, false);
        if ((r->reply.status == 401) != closed)
            fail_msg("%s: %d", rows[i].pattern, r->reply.status);
        ebmd_request_free(r);
    }
    ebmd_keys_close(app.keys);
}

static void routes_are_closed(void **state)
{
    (void)state;
    closed_rows(false);
    closed_rows(true);
}

/* An operator's route wants an operator's key; probes and metrics none. */
static void operators(void **state)
{
    static const struct {
        const char *method, *path, *key;
        int status;
    } rows[] = {{"GET", "/metrics", NULL, 0},
                {"GET", "/startupz", NULL, 0},
                {"GET", "/healthz", NULL, 0},
                {"GET", "/v1/slots", NULL, 401},
                {"GET", "/v1/slots", BEARER("a"), 403},
                {"GET", "/v1/slots", BEARER("root"), 0},
                {"POST", "/v1/admin/drain", BEARER("a"), 403}};
    ebmd_app app = make_app();

    (void)state;
    app.keys = open_keys();
    app.admin_keys = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_request *r = make_request(rows[i].method, rows[i].path);

        add(r, "Host", "t");
        if (rows[i].key)
            add(r, "authorization", rows[i].key);
        ebmd_exchange_head(&app, r, EBMD_ON_ADMIN, false);
        if (r->reply.status != rows[i].status)
            fail_msg("%s: %d", rows[i].path, r->reply.status);
        if (rows[i].status == 403)
            assert_non_null(strstr(reply_header(r, "WWW-Authenticate"), "scope=\"admin\""));
        ebmd_request_free(r);
    }
    ebmd_keys_close(app.keys);
}

/* Whose jobs a request may see: its owner's, everybody's for administrators and without keys. */
static void owners(void **state)
{
    static const struct {
        const char *key, *owner;
    } rows[] = {{BEARER("a"), "a"}, {BEARER("root"), NULL}, {NULL, NULL}};
    ebmd_app app = make_app();

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ebmd_request *r = make_request("GET", "/v1/models");

        app.keys = rows[i].key ? open_keys() : NULL;
        add(r, "Host", "t");
        if (rows[i].key)
            add(r, "authorization", rows[i].key);
        ebmd_exchange_head(&app, r, EBMD_ON_MAIN, false);
        assert_int_equal(r->reply.status, 0);
        if (rows[i].owner)
            assert_string_equal(ebmd_request_owner(r), rows[i].owner);
        else
            assert_null(ebmd_request_owner(r));
        ebmd_request_free(r);
        ebmd_keys_close(app.keys);
    }
}

/* A client that was taken for gone while it waited counts, also if the kernel took its reply; who
 * has only said all does not. */
static void clients_that_left(void **state)
{
    static const struct {
        bool gone, complete;
        const char *line;
    } rows[] = {{false, true, "{phase=\"waiting\"} 0\n"},
                {true, true, "{phase=\"waiting\"} 1\n"},
                {true, false, "{phase=\"waiting\"} 1\n"},
                {false, false, "{phase=\"reply\"} 1\n"}};
    static const char *const route[] = {"/"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_request *r = make_request("POST", "/sample");
        ebmd_app app = make_app();
        char *text = NULL;
        size_t size;

        app.metrics = ebmd_metrics_create(route, 1);
        atomic_store(&r->waiter.gone, rows[i].gone);
        ebmd_reply_empty(r, 200);
        ebmd_exchange_end(&app, r, rows[i].complete);
        assert_int_equal(ebmd_metrics_write(app.metrics, NULL, 0, &text, &size, NULL), EBM_OK);
        assert_non_null(strstr(text, rows[i].line));
        ebm_free(text);
        ebmd_metrics_free(app.metrics);
        ebmd_request_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_before_the_body),
        cmocka_unit_test(the_body_grows_up_to_its_limit),
        cmocka_unit_test(a_body_with_pictures_may_be_longer),
        cmocka_unit_test(lists_in_several_lines),
        cmocka_unit_test(bodies_share_a_budget),
        cmocka_unit_test(large_replies_share_a_budget),
        cmocka_unit_test(budgets_come_from_the_application),
        cmocka_unit_test(common_headers),
        cmocka_unit_test(a_drain_closes_connections),
        cmocka_unit_test(a_handler_without_an_answer),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(routes_are_closed),
        cmocka_unit_test(operators),
        cmocka_unit_test(owners),
        cmocka_unit_test(clients_that_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
