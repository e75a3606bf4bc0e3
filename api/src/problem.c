/* The catalogue of problems: one row per way a request can fail, and its RFC 9457 JSON.
 * Texts are fixed here; nothing a client or a library said is repeated, except the name of a
 * field, escaped and shortened. */
#include <stdio.h>
#include <string.h>

#include "api_internal.h"

#define POINTER_MAX 80
#define TYPE_PREFIX "urn:ebmd:problem:"

static const ebma_problem_info problems[EBMA_PROBLEM_COUNT] = {
    [EBMA_OK] = {"none", 200, "No problem", "Nothing is wrong.", false},
    [EBMA_MALFORMED_JSON] = {"malformed_json", 400, "Malformed JSON",
                             "The body is not one complete JSON object in UTF-8 with unique keys, "
                             "at most 16 levels deep.",
                             false},
    [EBMA_MALFORMED_MULTIPART] = {"malformed_multipart", 400, "Malformed multipart body",
                                  "The body is not one complete multipart/form-data document.",
                                  false},
    [EBMA_BAD_REQUEST] = {"bad_request", 400, "Malformed HTTP request",
                          "A header breaks the rules of HTTP or is ambiguous.", false},
    [EBMA_BAD_TARGET] = {"bad_target", 400, "Malformed request target",
                         "The target must be an absolute path of visible ASCII characters.", false},
    [EBMA_BAD_QUERY] = {"bad_query", 400, "Unexpected query",
                        "This route takes no query parameters.", false},
    [EBMA_BAD_VERSION] = {"bad_version", 400, "Unknown HTTP version",
                          "Only HTTP/1.0 and HTTP/1.1 are spoken here.", false},
    [EBMA_UNEXPECTED_BODY] = {"unexpected_body", 400, "Unexpected body",
                              "A request with this method carries no body.", false},
    [EBMA_UNAUTHORIZED] = {"unauthorized", 401, "Unauthorized",
                           "This server wants an API key: Authorization: Bearer KEY.", false},
    [EBMA_FORBIDDEN] = {"forbidden", 403, "Forbidden",
                        "The API key is not meant for this; WWW-Authenticate names the scope.",
                        false},
    [EBMA_PRIORITY_FORBIDDEN] = {"priority_forbidden", 403, "Priority too high",
                                 "The API key may not go first; errors say how far it may.", false},
    [EBMA_FOREIGN_ORIGIN] = {"foreign_origin", 403, "Not for web pages",
                             "This is for the operator; requests of web pages are refused.", false},
    [EBMA_NOT_FOUND] = {"not_found", 404, "Not found", "There is no such resource.", false},
    [EBMA_MODEL_NOT_FOUND] = {"model_not_found", 404, "Model not found",
                              "No model with this id is loaded; see /v1/models.", false},
    [EBMA_JOB_NOT_FOUND] = {"job_not_found", 404, "Job not found",
                            "There is no job with this id, it is no longer kept, or it has no "
                            "chains where chains are asked for.",
                            false},
    [EBMA_JOB_GONE] = {"job_gone", 410, "Job gone", "The result of this job is no longer kept.",
                       false},
    [EBMA_JOB_AT_WORK] = {"job_at_work", 409, "Job at work",
                          "This job has not ended yet; GET /v1/jobs/{id}?wait=N waits for it.",
                          true},
    [EBMA_IMAGE_NOT_FOUND] = {"image_not_found", 404, "Image not found",
                              "This job has no image with this number.", false},
    [EBMA_NO_PREVIEW] =
        {"no_preview", 404, "No preview",
         "There is nothing to see of this job now: it waits, has ended, or makes no "
         "pictures on its way.",
         true},
    [EBMA_CHAINS_AT_WORK] = {"chains_at_work", 409, "Chains at work",
                             "These chains are still running; wait for their job, or pause it.",
                             true},
    [EBMA_NO_CHAINS] = {"no_chains", 409, "No chains",
                        "Nothing is kept of these chains: their job ended before all had begun.",
                        false},
    [EBMA_OTHER_MODEL] = {"other_model", 409, "Other model",
                          "The model of this id has other weights, noise levels or ways of "
                          "sampling than the one these chains were begun with.",
                          false},
    [EBMA_METHOD_NOT_ALLOWED] = {"method_not_allowed", 405, "Method not allowed",
                                 "The Allow header lists the methods of this resource.", false},
    [EBMA_NOT_ACCEPTABLE] =
        {"not_acceptable", 406, "Not acceptable",
         "Available are application/json, text/event-stream and, for one image, "
         "image/png.",
         false},
    [EBMA_LAST_MODEL] = {"last_model", 409, "The last model",
                         "One model must stay loaded; load another one first.", false},
    [EBMA_BODY_LATE] = {"body_late", 408, "Body late",
                        "The body did not come in time; nothing of it is kept.", true},
    [EBMA_PAYLOAD_TOO_LARGE] =
        {"payload_too_large", 413, "Payload too large",
         "A body has at most 65536 bytes, with pictures 4 MiB, a file of chains 16 MiB.", false},
    [EBMA_URI_TOO_LONG] = {"uri_too_long", 414, "URI too long",
                           "The request target is longer than 2048 bytes.", false},
    [EBMA_UNSUPPORTED_MEDIA_TYPE] =
        {"unsupported_media_type", 415, "Unsupported media type",
         "The body must be application/json in UTF-8; where pictures are "
         "taken, also multipart/form-data; a file of chains is application/octet-stream.",
         false},
    [EBMA_NOT_A_PNG] = {"not_a_png", 415, "Not a PNG",
                        "Pictures must be PNG files; errors lists those that are not.", false},
    [EBMA_UNSUPPORTED_ENCODING] = {"unsupported_encoding", 415, "Unsupported content encoding",
                                   "Compressed bodies are not accepted.", false},
    [EBMA_EXPECTATION_FAILED] = {"expectation_failed", 417, "Expectation failed",
                                 "The only expectation known here is 100-continue.", false},
    [EBMA_INVALID_PARAMS] = {"invalid_params", 422, "Invalid parameters",
                             "Some fields are invalid; errors lists them.", false},
    [EBMA_MODEL_REFUSED] = {"model_refused", 422, "Model refused",
                            "The model's files cannot be used; errors says why. What was served "
                            "before is served on.",
                            false},
    [EBMA_BAD_IDEMPOTENCY_KEY] = {"bad_idempotency_key", 400, "Malformed Idempotency-Key",
                                  "An Idempotency-Key is 1 to 255 visible ASCII characters.",
                                  false},
    [EBMA_IDEMPOTENCY_MISMATCH] = {"idempotency_mismatch", 422, "Idempotency-Key reused",
                                   "This Idempotency-Key was used with another request body.",
                                   false},
    [EBMA_QUEUE_FULL] = {"queue_full", 429, "Queue full",
                         "Too many requests are waiting; Retry-After tells when to try again.",
                         true},
    [EBMA_QUOTA_EXCEEDED] = {"quota_exceeded", 429, "Quota exceeded",
                             "This API key has used up its quota; Retry-After tells when to try "
                             "again.",
                             true},
    [EBMA_HEADERS_TOO_LARGE] = {"headers_too_large", 431, "Header fields too large",
                                "At most 64 header lines and 16 KiB of headers are accepted.",
                                false},
    [EBMA_DIVERGED] = {"diverged", 500, "Chain diverged",
                       "A Markov chain left the finite numbers. Use a smaller noise_scale, or "
                       "another seed.",
                       false},
    [EBMA_MAX_ATTEMPTS] = {"max_attempts", 500, "Too many attempts",
                           "The server died or lost the job each time it was begun.", false},
    [EBMA_INTERNAL] = {"internal", 500, "Internal error",
                       "The server made a mistake; its log holds the details under request_id.",
                       false},
    [EBMA_UNSUPPORTED_TRANSFER_CODING] = {"unsupported_transfer_coding", 501,
                                          "Unsupported transfer coding",
                                          "The only transfer coding known here is chunked.", false},
    [EBMA_STARTING] = {"starting", 503, "Starting", "The server is not ready yet.", true},
    [EBMA_SHUTTING_DOWN] = {"shutting_down", 503, "Shutting down",
                            "This server is going away; ask another one.", true},
    [EBMA_OVERLOADED] = {"overloaded", 503, "Overloaded",
                         "The server has no memory or connections left for this request.", true},
    [EBMA_STORE_UNAVAILABLE] = {"store_unavailable", 503, "Job store unavailable",
                                "The job could not be recorded.", true},
    [EBMA_WORKER_HUNG] = {"worker_hung", 503, "Worker hung",
                          "A worker does not come back from its work: this process should be "
                          "replaced. Its jobs go on from their checkpoints.",
                          false},
    [EBMA_INTERRUPTED] = {"interrupted", 503, "Interrupted",
                          "The server stopped before the job was finished.", true},
    [EBMA_CANCELED] = {"canceled", 409, "Canceled", "The job was canceled.", false},
    [EBMA_DEADLINE] = {"deadline", 503, "Deadline passed",
                       "The job was not finished within timeout_s.", true},
    [EBMA_OUT_OF_MEMORY] = {"out_of_memory", 503, "Out of memory",
                            "The server has no memory left for this request.", true},
};

const ebma_problem_info *ebma_problem_describe(ebma_problem_code code)
{
    if ((unsigned)code >= EBMA_PROBLEM_COUNT || !problems[code].code)
        code = EBMA_INTERNAL;
    return &problems[code];
}

ebma_problem_code ebma_problem_find(const char *code)
{
    if (code[0] == '\0')
        return EBMA_OK;
    for (int i = EBMA_OK + 1; i < EBMA_PROBLEM_COUNT; i++) {
        if (strcmp(problems[i].code, code) == 0)
            return (ebma_problem_code)i;
    }
    return EBMA_INTERNAL;
}

ebma_problem_code ebma_problem_of(ebm_status status)
{
    switch (status) {
    case EBM_OK:
        return EBMA_OK;
    case EBM_ERR_ARG:
    case EBM_ERR_RANGE:
    case EBM_ERR_SHAPE:
        return EBMA_INVALID_PARAMS;
    case EBM_ERR_NOT_FOUND:
        return EBMA_NOT_FOUND;
    case EBM_ERR_FORMAT:
        return EBMA_MALFORMED_JSON;
    case EBM_ERR_LIMIT:
        return EBMA_PAYLOAD_TOO_LARGE;
    case EBM_ERR_IO:
        return EBMA_STORE_UNAVAILABLE;
    case EBM_ERR_NOMEM:
        return EBMA_OUT_OF_MEMORY;
    case EBM_ERR_DIVERGED:
        return EBMA_DIVERGED;
    case EBM_ERR_CANCELLED:
        return EBMA_CANCELED;
    default:
        return EBMA_INTERNAL;
    }
}

/* Length of the longest prefix of at most `max` bytes that does not split a UTF-8 character. */
static size_t utf8_prefix(const char *text, size_t max)
{
    size_t n = strlen(text);

    if (n <= max)
        return n;
    n = max;
    while (n > 0 && ((unsigned char)text[n] & 0xC0u) == 0x80u)
        n--;
    return n;
}

/* Of a member of the body, or of an object in it (group, one of our own names). */
static char *pointer_of(ebm_arena *arena, const char *group, const char *member)
{
    size_t n = utf8_prefix(member, POINTER_MAX);
    size_t k = group ? strlen(group) + 1 : 0;
    char *out = ebm_arena_alloc(arena, k + 2 * n + 2, 1);

    if (!out)
        return NULL;
    if (group) {
        out[0] = '/';
        memcpy(out + 1, group, k - 1);
    }
    out[k++] = '/';
    for (size_t i = 0; i < n; i++) {
        if (member[i] == '~' || member[i] == '/') {
            out[k++] = '~';
            out[k++] = member[i] == '~' ? '0' : '1';
        } else {
            out[k++] = member[i];
        }
    }
    return out;
}

/* @own pointer lies in the arena, or is static; NULL: no memory for it */
static void append(ebma_problem *problem, ebm_arena *arena, const char *pointer,
                   const ebma_field_error *error)
{
    ebma_field_error *copy = ebm_arena_alloc(arena, 1, sizeof(*copy));

    problem->code = EBMA_INVALID_PARAMS;
    problem->n_errors++;
    if (!copy)
        return;
    *copy = *error;
    copy->next = NULL;
    copy->pointer = pointer;
    copy->detail = ebm_arena_strndup(arena, error->detail, strlen(error->detail));
    if (!copy->pointer || !copy->detail)
        return;
    if (problem->last)
        problem->last->next = copy;
    else
        problem->first = copy;
    problem->last = copy;
}

void ebma_problem_field(ebma_problem *problem, ebm_arena *arena, const char *member,
                        const ebma_field_error *error)
{
    append(problem, arena, member ? pointer_of(arena, NULL, member) : "", error);
}

void ebma__problem_member(ebma_problem *problem, ebm_arena *arena, const char *group,
                          const char *name, const ebma_field_error *error)
{
    append(problem, arena, pointer_of(arena, group, name), error);
}

void ebma__problem_path(ebma_problem *problem, ebm_arena *arena, const char *path,
                        const ebma_field_error *error)
{
    char *pointer = pointer_of(arena, NULL, path);

    for (char *at = pointer; at && *at; at++)
        *at = *at == '.' ? '/' : *at;
    append(problem, arena, pointer, error);
}

json_t *ebma__problem_object(ebma_problem_code code)
{
    const ebma_problem_info *info = ebma_problem_describe(code);
    json_t *root = json_object();
    char type[96];
    bool ok = root != NULL;

    snprintf(type, sizeof(type), TYPE_PREFIX "%s", info->code);
    ebma__set(root, "type", json_string(type), &ok);
    ebma__set(root, "title", json_string(info->title), &ok);
    ebma__set(root, "status", json_integer(info->status), &ok);
    ebma__set(root, "code", json_string(info->code), &ok);
    ebma__set(root, "detail", json_string(info->detail), &ok);
    ebma__set(root, "retryable", json_boolean(info->retryable), &ok);
    if (!ok) {
        json_decref(root);
        return NULL;
    }
    return root;
}

/* Whole bounds are written as whole numbers: 64, not 64.0. */
static json_t *bound(double value)
{
    if (value >= -EBM_SEED_MAX && value <= EBM_SEED_MAX && value == (double)(int64_t)value)
        return json_integer((int64_t)value);
    return json_real(value);
}

static json_t *field_object(const ebma_field_error *e)
{
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "pointer", json_string(e->pointer), &ok);
    ebma__set(o, "detail", json_string(e->detail), &ok);
    ebma__set(o, "code", json_string(e->code), &ok);
    if (e->bounded) {
        ebma__set(o, "min", bound(e->min), &ok);
        ebma__set(o, "max", bound(e->max), &ok);
    }
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

ebm_status ebma_problem_encode(const ebma_problem *problem, const char *request_id, char **json,
                               size_t *size, ebm_error *err)
{
    json_t *root = ebma__problem_object(problem->code);
    json_t *errors = json_array();
    bool ok = root != NULL && errors != NULL;

    for (const ebma_field_error *e = problem->first; e && ok; e = e->next) {
        if (json_array_append_new(errors, field_object(e)) != 0)
            ok = false;
    }
    if (problem->final)
        ebma__set(root, "retryable", json_false(), &ok);
    if (problem->n_errors > 0)
        ebma__set(root, "errors", json_incref(errors), &ok);
    if (request_id)
        ebma__set(root, "request_id", json_string(request_id), &ok);
    json_decref(errors);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}
